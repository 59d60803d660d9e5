# ruff: noqa: E501 (patterns stay on one line)
"""Elementwise arithmetic: activations by their names, clamps and scales merged."""

from __future__ import annotations

import math

from semrep.ir.values import NOT_CONSTANT, OP
from semrep.passes.base import Refusal
from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import Found, constant, python_number, refusal

rule(
    "name-mish",
    """Call mish by its name: one kernel instead of three.

    Rewrite:     x * tanh(softplus(x))   -->   mish(x)
    Legal when:  softplus has its default beta and threshold (torch); jax.nn.mish is the same
                 expression.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, used-elsewhere, not-floating.
    """,
    rewrite("mul($x, tanh(softplus($x)))", "mish($x)"),
    rewrite("mul($x, tanh(jax_softplus($x)))", "mish($x)"),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)"},
)

rule(
    "name-silu",
    """Call silu (swish) by its name: one kernel instead of two.

    Rewrite:     x * sigmoid(x)   -->   silu(x)
    Legal when:  the sigmoid is used nowhere else.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, used-elsewhere, not-floating.
    """,
    rewrite("mul($x, sigmoid($x))", "silu($x)"),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)"},
)


def _near(target: float, wanted: str):  # type: ignore[no-untyped-def]
    return lambda name: constant(
        name,
        lambda v: isinstance(v, (int, float)) and math.isclose(v, target, rel_tol=1e-6),
        wanted,
    )


_is_half = _near(0.5, "0.5")
_is_root_2 = _near(math.sqrt(2), "the square root of 2")
_is_inverse_root_2 = _near(math.sqrt(0.5), "1 over the square root of 2")
_GELU = "gelu($x)"

rule(
    "name-gelu",
    """Call the exact gelu by its name: one kernel instead of five.

    Rewrite:     0.5 * x * (1 + erf(x / sqrt(2)))   -->   gelu(x)
    Legal when:  the constants are those of gelu to 6 digits. Only in torch: jax.nn.gelu
                 approximates by default.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, constant, used-elsewhere, not-floating.
    """,
    *(
        rewrite(outer.replace("ERF", inner), _GELU, where=[_is_half("$h"), guard("$c")])
        for outer in (
            "mul(mul($x, $h), add(ERF, 1.0))", "mul($x, mul(add(ERF, 1.0), $h))",
            "mul(mul($x, add(ERF, 1.0)), $h)",
        )
        for inner, guard in (("erf(div($x, $c))", _is_root_2), ("erf(mul($x, $c))", _is_inverse_root_2))
    ),
    contract=WITHIN_TOLERANCE,
)  # fmt: skip


def _limits(found: Found) -> tuple[float, float] | Refusal:
    """The one interval that two clamps in a row amount to."""
    numbers = []
    for name, default in (("a", -math.inf), ("b", math.inf), ("c", -math.inf), ("d", math.inf)):
        value = found.value(name)
        given = value.constant
        if given is NOT_CONSTANT or value.kind == OP:
            return refusal(
                "not-constant", "a limit of the clamp is not a known constant", found.match.root
            )
        if given is None:
            given = default
        if not isinstance(given, (int, float)) or math.isnan(given):
            return refusal("not-constant", "a limit of the clamp is no number", found.match.root)
        numbers.append(given)
    a, b, c, d = numbers
    if a > b or c > d:
        return refusal(
            "empty-interval", "a lower limit lies above its upper limit", found.match.root
        )
    return min(max(a, c), d), min(max(b, c), d)


def _lower(found: Found) -> object:
    limits = _limits(found)
    return limits if isinstance(limits, Refusal) else None if limits[0] == -math.inf else limits[0]


def _upper(found: Found) -> object:
    limits = _limits(found)
    return limits if isinstance(limits, Refusal) else None if limits[1] == math.inf else limits[1]


rule(
    "merge-clamps",
    """Clamp once where two clamps follow each other.

    Rewrite:     x.clamp(min=0).clamp(max=6)   -->   x.clamp(min=0, max=6)
    Legal when:  all limits are constants, each lower one at most its upper one. Covers
                 hardtanh, clip, clamp_min and clamp_max.
    Numerics:    bitwise; NaN comes through both ways.
    Refuses:     unknown-shape, not-constant, empty-interval, used-elsewhere, not-floating.
    """,
    rewrite(
        "clamp(clamp($x, min=$a, max=$b), min=$c, max=$d)",
        "clamp($x, min=$l, max=$u)",
        computed={"l": _lower, "u": _upper},
    ),
    contract=BITWISE,
    example={"x": "f32(64, 256)", "a": 0.0, "b": None, "c": None, "d": 6.0},
)

rule(
    "merge-residual-scale",
    """Scale once instead of scaling and adding back.

    Rewrite:     x * c + x   -->   x * (c + 1)
    Legal when:  c is a Python number; the scaled array is used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, not-a-number, used-elsewhere, not-floating.
    """,
    rewrite("add(mul($x, $c), $x)", "mul($x, $c + 1)", where=[python_number("$c")]),
    contract=REASSOCIATES,
    example={"x": "f32(64, 256)", "c": 0.5},
)

rule(
    "merge-scales",
    """Multiply by one number instead of by two.

    Rewrite:     x * a * b   -->   x * (a * b)
    Legal when:  a and b are Python numbers; the inner product is used nowhere else.
    Numerics:    reassociates; overflow and underflow can come at another magnitude.
    Refuses:     unknown-shape, not-a-number, used-elsewhere, not-floating.
    """,
    rewrite(
        "mul(mul($x, $a), $b)", "mul($x, $a * $b)", where=[python_number("$a"), python_number("$b")]
    ),
    rewrite(
        "div(mul($x, $a), $b)", "mul($x, $a / $b)", where=[python_number("$a"), python_number("$b")]
    ),
    rewrite(
        "mul(div($x, $a), $b)", "mul($x, $b / $a)", where=[python_number("$a"), python_number("$b")]
    ),
    rewrite(
        "div(div($x, $a), $b)", "div($x, $a * $b)", where=[python_number("$a"), python_number("$b")]
    ),
    contract=REASSOCIATES,
    example={"x": "f32(64, 256)", "a": 0.5, "b": 3.0},
)

rule(
    "scale-weights",
    """Scale the weights of a linear layer instead of its larger output.

    Rewrite:     linear(x, w, b) * c   -->   linear(x, w * c, b * c)
    Legal when:  c is a Python number, and weights are so much smaller than the output that
                 scaling them is cheaper.
    Numerics:    reassociates.
    Refuses:     unknown-shape, not-a-number, used-elsewhere, not-faster, not-floating.
    """,
    rewrite(
        "mul(linear($x, $w, $b), $c)",
        "linear($x, mul($w, $c), mul($b, $c))",
        where=[python_number("$c")],
    ),
    rewrite(
        "mul(linear($x, $w, None), $c)",
        "linear($x, mul($w, $c), None)",
        where=[python_number("$c")],
    ),
    contract=REASSOCIATES,
    example={"x": "f32(2048, 64)", "w": "f32(64, 64)", "b": "f32(64)", "c": 0.5},
)
