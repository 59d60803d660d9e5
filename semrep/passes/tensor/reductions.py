"""Reductions that do nothing, that come twice, or that carry a scale along."""

from __future__ import annotations

from semrep.passes.base import Refusal
from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import (
    Found,
    Guard,
    constant,
    may_be_unit,
    positive,
    python_number,
    refusal,
    unit_dims,
    unknown,
)

_SQUEEZE = {"e": lambda found: _one(found, "d")}


def _one(found: Found, name: str) -> object:
    dims = found.dims(name)
    if dims is None or len(dims) != 1:
        return refusal("dims", "more than one dimension is reduced", found.match.root)
    return dims[0]


rule(
    "drop-unit-max",
    """Drop a maximum or minimum over a dimension of size 1.

    Rewrite:     x.max(dim=1, keepdim=True)[0]   -->   x   (x has one column)
    Legal when:  the code itself, or the shape of a weight, makes the size 1: an earlier
                 reduction with keepdim, say. Not where one input happens to have size 1.
                 Nobody may see that the result shares memory with x.
    Numerics:    bitwise; NaN and infinities come through.
    Refuses:     unknown-shape, not-unit, may-alias, used-elsewhere, not-floating.
    """,
    *(
        form
        for op in ("max", "min")
        for form in (
            rewrite(f"{op}_dim($x, dim=$d, keepdim=True)[0]", "$x", where=[unit_dims("$x", "$d")],
                screen=[may_be_unit("$x", "$d")]),
            rewrite(f"a{op}($x, dim=$d, keepdim=True)", "$x", where=[unit_dims("$x", "$d")],
                screen=[may_be_unit("$x", "$d")]),
            rewrite(
                f"{op}_dim($x, dim=$d)[0]", "squeeze($x, dim=$e)",
                where=[unit_dims("$x", "$d")],
                screen=[may_be_unit("$x", "$d")], computed=_SQUEEZE,
            ),
            rewrite(
                f"a{op}($x, dim=$d)", "squeeze($x, dim=$e)",
                where=[unit_dims("$x", "$d")],
                screen=[may_be_unit("$x", "$d")], computed=_SQUEEZE,
            ),
        )
    ),
    contract=BITWISE,
)  # fmt: skip

rule(
    "drop-unit-reduction",
    """Drop a sum, mean or logsumexp over a dimension of size 1.

    Rewrite:     x.mean(dim=1, keepdim=True)   -->   x   (x has one column)
    Legal when:  as for drop-unit-max.
    Numerics:    reassociates: the same value, but for the sign of a zero. NaN and infinities
                 come through.
    Refuses:     unknown-shape, not-unit, may-alias, used-elsewhere, not-floating.
    """,
    *(
        form
        for op in ("sum", "mean", "logsumexp", "prod")
        for form in (
            rewrite(f"{op}($x, dim=$d, keepdim=True)", "$x", where=[unit_dims("$x", "$d")],
                screen=[may_be_unit("$x", "$d")]),
            rewrite(
                f"{op}($x, dim=$d)", "squeeze($x, dim=$e)",
                where=[unit_dims("$x", "$d")],
                screen=[may_be_unit("$x", "$d")], computed=_SQUEEZE,
            ),
        )
    ),
    contract=REASSOCIATES,
)  # fmt: skip


def _merged(found: Found) -> object:
    """Both reductions' dimensions, counted in the innermost array."""
    inner, outer = found.dims("a"), found.dims("b")
    source = found.tensor("$x")
    if inner is None or outer is None or source is None:
        return refusal("dims", "the reduced dimensions are not known", found.match.root)
    left = [d for d in range(source.rank) if d not in inner]
    return tuple(sorted({*inner, *(left[d] for d in outer)}))


def _merged_kept(found: Found) -> object:
    inner, outer = found.dims("a"), found.dims("b")
    if inner is None or outer is None:
        return refusal("dims", "the reduced dimensions are not known", found.match.root)
    if set(inner) & set(outer):
        return refusal("dims", "a dimension is reduced twice", found.match.root)
    return tuple(sorted({*inner, *outer}))


rule(
    "merge-reductions",
    """Reduce over several dimensions at once instead of one after the other.

    Rewrite:     x.sum(2).sum(1)   -->   x.sum((1, 2))
    Legal when:  both reductions are of one kind and treat keepdim alike, and the inner result
                 is used nowhere else.
    Numerics:    reassociates (bitwise for maxima, but the rule promises one grade).
    Refuses:     unknown-shape, dims, used-elsewhere, not-floating.
    """,
    *(
        form
        for op in ("sum", "mean", "amax", "amin")
        for form in (
            rewrite(
                f"{op}({op}($x, dim=$a), dim=$b)", f"{op}($x, dim=$d)", computed={"d": _merged}
            ),
            rewrite(
                f"{op}({op}($x, dim=$a, keepdim=True), dim=$b, keepdim=True)",
                f"{op}($x, dim=$d, keepdim=True)",
                computed={"d": _merged_kept},
            ),
        )
    ),
    contract=REASSOCIATES,
    example={"x": "f32(64, 32, 48)", "a": 2, "b": 1},
)

rule(
    "reduce-before-scale",
    """Scale the result of a sum or mean, not each of its terms.

    Rewrite:     (x * c).sum(1)   -->   x.sum(1) * c;   the same with division
    Legal when:  c is a Python number and the scaled array is used nowhere else.
    Numerics:    reassociates; overflow can come at another magnitude.
    Refuses:     unknown-shape, not-a-number, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"{op}({inner}($x, $c), dim=$d, keepdim=$k)",
            f"{inner}({op}($x, dim=$d, keepdim=$k), $c)",
            where=[python_number("$c")],
        )
        for op in ("sum", "mean")
        for inner in ("mul", "div")
    ),
    contract=REASSOCIATES,
    example={"x": "f32(64, 512)", "c": 0.5, "d": 1, "k": False},
)


def _one_for_each(found: Found) -> Refusal | None:
    """The added vector has one element for each that is reduced: it is not broadcast."""
    array, vector = found.tensor("$x"), found.tensor("$p")
    if array is None or vector is None:
        return unknown(found.value("$x"))
    if vector.rank == 1 and array.rank >= 1 and vector.shape[0] == array.shape[-1]:
        return None
    return refusal(
        "broadcast", "the added array has another shape than the last dimension", found.value("$p")
    )


rule(
    "reduce-before-add",
    """Reduce an array and the vector added to it apart, and add two small results.

    Rewrite:     (x + p).mean(-1)   -->   x.mean(-1) + p.mean();   the same with minus and sum
    Legal when:  p is a vector as long as x's last dimension, the only one reduced; the sum of
                 the two is used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, broadcast, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            f"{op}({outer}($x, $p), dim=-1, keepdim=$k)",
            f"{outer}({op}($x, dim=-1, keepdim=$k), {op}($p))",
            where=[_one_for_each],
        )
        for op in ("mean", "sum")
        for outer in ("add", "sub")
    ),
    contract=REASSOCIATES,
    example={"x": "f32(64, 512)", "p": "f32(512)", "k": True},
)


def _limit(name: str) -> Guard:
    return constant(name, lambda v: v is None or isinstance(v, (int, float)), "a number")


def _extremes(op: str, inner: str, rest: str, guards: list[Guard]) -> list[Rewrite]:
    """A maximum or minimum of f(x), in its spellings, as f of the extreme of x."""
    return [
        rewrite(
            f"a{op}({inner}($x{rest}), dim=$d, keepdim=$k)",
            f"{inner}(a{op}($x, dim=$d, keepdim=$k){rest})",
            where=guards,
        ),
        rewrite(
            f"{op}_dim({inner}($x{rest}), dim=$d, keepdim=$k)[0]",
            f"{inner}({op}_dim($x, dim=$d, keepdim=$k)[0]{rest})",
            where=guards,
        ),
    ]


rule(
    "extreme-before-scale",
    """Take the maximum first, and scale, shift or clamp what is left.

    Rewrite:     (x * 2).amax(1)   -->   x.amax(1) * 2;   the same with minima, with division,
                 with a number added or subtracted, and with relu and clamp
    Legal when:  the number is positive where it multiplies or divides. These functions never
                 turn the order round in floating point either, and keep NaN. Their result is
                 used nowhere else.
    Numerics:    reassociates: the same values, but for the sign of a zero.
    Refuses:     unknown-shape, constant, not-constant, not-a-number, used-elsewhere,
                 not-floating.
    """,
    *(
        form
        for op in ("max", "min")
        for inner, rest, guards in (
            ("mul", ", $c", [positive("$c")]),
            ("div", ", $c", [positive("$c")]),
            ("add", ", $c", [python_number("$c")]),
            ("sub", ", $c", [python_number("$c")]),
            ("relu", "", []),
            ("clamp", ", min=$a, max=$b", [_limit("$a"), _limit("$b")]),
        )
        for form in _extremes(op, inner, rest, guards)
    ),
    contract=REASSOCIATES.assuming(
        "gradients at exact ties may go to another of the tied elements"
    ),
    example={"x": "f32(64, 512)", "c": 0.5, "d": 1, "k": False},
)

rule(
    "extreme-before-activation",
    """Take the maximum first, and evaluate a costly increasing function on what is left.

    Rewrite:     tanh(x).amax(1)   -->   tanh(x.amax(1));   the same with minima, and with
                 sigmoid, exp, softplus and elu
    Legal when:  the function is increasing, and its result is used nowhere else.
    Numerics:    within tolerance: implementations are increasing only up to their last bit. NaN
                 comes through.
    Refuses:     unknown-shape, constant, not-constant, used-elsewhere, not-floating.
    """,
    *(
        form
        for op in ("max", "min")
        for inner, rest, guards in (
            ("tanh", "", []),
            ("sigmoid", "", []),
            ("exp", "", []),
            ("softplus", ", beta=$a, threshold=$b", [positive("$a")]),
            ("elu", ", alpha=$a", [positive("$a")]),
        )
        for form in _extremes(op, inner, rest, guards)
    ),
    contract=WITHIN_TOLERANCE.assuming(
        "gradients at exact ties may go to another of the tied elements"
    ),
    example={"x": "f32(64, 512)", "d": 1, "k": False},
)
