"""Attention by its name."""

from __future__ import annotations

from semrep.passes.base import Refusal
from semrep.passes.contract import WITHIN_TOLERANCE
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import (
    Found,
    Guard,
    constant,
    python_number,
    rank,
    refusal,
    same_shape,
    unknown,
)


def _swaps_last_two(found: Found) -> Refusal | None:
    dims = found.constant("$t")
    tensor = found.tensor("$k")
    if tensor is not None and isinstance(dims, tuple):
        rank_ = tensor.rank
        if dims == (*range(rank_ - 2), rank_ - 1, rank_ - 2):
            return None
    return refusal(
        "dims", "the keys are not transposed in their last two dimensions", found.match.root
    )


def _no_broadcast(found: Found) -> Refusal | None:
    query, key, value = found.tensor("$q"), found.tensor("$k"), found.tensor("$v")
    if query is None or key is None or value is None:
        return None
    if query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        return None
    return refusal(
        "broadcast", "queries, keys and values have different batch shapes", found.match.root
    )


_GUARDS = [rank("$q", 3, 4), same_shape("$k", "$v"), _swaps_last_two, _no_broadcast]
_SCORES = "matmul($q, permute($k, dims=$t))"
_ATTENTION = "scaled_dot_product_attention($q, $k, $v, {0}scale={1})"

rule(
    "name-attention",
    """Call scaled dot-product attention by its name: the scores are never written out.

    Rewrite:     softmax(q @ k.transpose(-2, -1) / c, -1) @ v
                 -->   scaled_dot_product_attention(q, k, v, scale=1 / c)
    Legal when:  q, k, v have 3 or 4 dimensions and one batch shape, k and v one shape; c is a
                 Python number; scores and weights are used nowhere else. An added mask becomes
                 attn_mask.
    Numerics:    within tolerance (the fused kernel rescales as it goes).
    Refuses:     unknown-shape, rank, broadcast, dims, not-a-number, used-elsewhere, not-floating.
    """,
    rewrite(
        f"matmul(softmax(div({_SCORES}, $c), dim=-1), $v)",
        _ATTENTION.format("", "1 / $c"),
        where=[*_GUARDS, python_number("$c")],
    ),
    rewrite(
        f"matmul(softmax(mul({_SCORES}, $c), dim=-1), $v)",
        _ATTENTION.format("", "$c"),
        where=[*_GUARDS, python_number("$c")],
    ),
    rewrite(f"matmul(softmax({_SCORES}, dim=-1), $v)", _ATTENTION.format("", "1.0"), where=_GUARDS),
    rewrite(
        f"matmul(softmax(add(div({_SCORES}, $c), $m), dim=-1), $v)",
        _ATTENTION.format("attn_mask=$m, ", "1 / $c"),
        where=[*_GUARDS, python_number("$c")],
    ),
    rewrite(
        f"matmul(softmax(add(mul({_SCORES}, $c), $m), dim=-1), $v)",
        _ATTENTION.format("attn_mask=$m, ", "$c"),
        where=[*_GUARDS, python_number("$c")],
    ),
    contract=WITHIN_TOLERANCE,
    example={"q": "f32(2, 4, 64, 32)", "k": "f32(2, 4, 64, 32)", "v": "f32(2, 4, 64, 32)",
             "t": (0, 1, 3, 2), "c": 5.0},
)  # fmt: skip


_HIDES = constant(
    "$n", lambda v: isinstance(v, (int, float)) and v <= -1e9, "minus infinity or far below 0"
)


def _boolean(found: Found) -> Refusal | None:
    mask = found.tensor("$m")
    if mask is None:
        return unknown(found.value("$m"))
    if mask.dtype == "bool":
        return None
    return refusal("mask", f"the mask is {mask.dtype}, not bool", found.value("$m"))


def _masked(scores: str, scale: str, guards: list[Guard]) -> list[Rewrite]:
    made = []
    for hidden, mask, more in (
        (f"masked_fill({scores}, eq($m, 0), $n)", "ne($m, 0)", []),
        (f"masked_fill({scores}, $m, $n)", "logical_not($m)", [_boolean]),
        (f"where($m, {scores}, $n)", "$m", [_boolean]),
    ):
        made.append(
            rewrite(
                f"matmul(softmax({hidden}, dim=-1), $v)",
                _ATTENTION.format(f"attn_mask={mask}, ", scale),
                where=[*guards, *more, _HIDES],
            )
        )
    return made


rule(
    "name-masked-attention",
    """Call attention under a mask by its name: neither scores nor hidden ones are written out.

    Rewrite:     softmax((q @ k.transpose(-2, -1) * c).masked_fill(m, -inf), -1) @ v
                 -->   scaled_dot_product_attention(q, k, v, attn_mask=logical_not(m), scale=c)
    Legal when:  as for name-attention; the mask is boolean, or compared with 0, and what it hides
                 gets minus infinity or a number far below 0. The same with `where`.
    Numerics:    within tolerance. A row that is hidden wholly is NaN, or a mean, before, and not
                 after.
    Refuses:     unknown-shape, rank, broadcast, dims, not-a-number, not-constant, constant, mask,
                 used-elsewhere, not-floating, mixed-types.
    """,
    *_masked(f"mul({_SCORES}, $c)", "$c", [*_GUARDS, python_number("$c")]),
    *_masked(f"div({_SCORES}, $c)", "1 / $c", [*_GUARDS, python_number("$c")]),
    *_masked(_SCORES, "1.0", _GUARDS),
    types="any",
    contract=WITHIN_TOLERANCE.assuming("no row of the mask is hidden wholly"),
)
