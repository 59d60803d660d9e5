"""Attention by its name."""

from __future__ import annotations

from semrep.passes.base import Refusal
from semrep.passes.contract import WITHIN_TOLERANCE
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import Found, python_number, rank, refusal, same_shape


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
