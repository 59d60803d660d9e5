"""Rearrangements that cancel or merge."""

from __future__ import annotations

from semrep.passes.contract import BITWISE
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import Found, refusal


def _composed(found: Found) -> object:
    inner, outer = found.constant("$p"), found.constant("$q")
    if not isinstance(inner, tuple) or not isinstance(outer, tuple) or len(inner) != len(outer):
        return refusal("dims", "the order of the dimensions is not known", found.match.root)
    return tuple(inner[d] for d in outer)


def _cancels(found: Found) -> object:
    composed = _composed(found)
    if isinstance(composed, tuple) and composed != tuple(range(len(composed))):
        return refusal("dims", f"together they permute to {composed}", found.match.root)
    return None if isinstance(composed, tuple) else composed


rule(
    "cancel-transposes",
    """Drop two transpositions that undo each other.

    Rewrite:     x.T.T   -->   x
    Legal when:  the two permutations together are the identity. Both results are views of x,
                 before and after.
    Numerics:    bitwise.
    Refuses:     unknown-shape, dims, used-elsewhere.
    """,
    rewrite("permute(permute($x, dims=$p), dims=$q)", "$x", where=[_cancels]),  # type: ignore[list-item]
    types="any",
    contract=BITWISE,
    example={"x": "f32(8, 16)", "p": (1, 0), "q": (1, 0)},
)

rule(
    "merge-permutes",
    """Permute once instead of twice.

    Rewrite:     x.permute(0, 2, 1).permute(1, 0, 2)   -->   x.permute(2, 0, 1)
    Legal when:  both orders are constants.
    Numerics:    bitwise.
    Refuses:     unknown-shape, dims, used-elsewhere.
    """,
    rewrite(
        "permute(permute($x, dims=$p), dims=$q)",
        "permute($x, dims=$r)",
        computed={"r": _composed},
    ),
    types="any",
    contract=BITWISE,
    example={"x": "f32(4, 8, 16)", "p": (0, 2, 1), "q": (1, 0, 2)},
)

rule(
    "drop-eval-dropout",
    """Drop a dropout that is not training.

    Rewrite:     F.dropout(x, 0.1, training=False)   -->   x
    Legal when:  the flag is False in the text, or the layer is in eval mode. Dropout returns
                 its input itself then.
    Numerics:    bitwise.
    Refuses:     unknown-shape, has-effects.
    """,
    rewrite("dropout($x, p=$p, training=False)", "$x"),
    rewrite("dropout2d($x, p=$p, training=False)", "$x"),
    rewrite("dropout3d($x, p=$p, training=False)", "$x"),
    types="any",
    contract=BITWISE,
    example={"x": "f32(8, 16)", "p": 0.5},
)
