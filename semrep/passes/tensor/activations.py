# ruff: noqa: E501 (patterns stay on one line)
"""Activations written out, called by their names; activations that change nothing."""

from __future__ import annotations

import math

from semrep.ir.dialects.op import DType
from semrep.ir.value_state import EXTERNAL
from semrep.ir.values import NOT_CONSTANT, OP
from semrep.passes.base import Refusal
from semrep.passes.contract import BITWISE, WITHIN_TOLERANCE
from semrep.passes.rule import Rewrite, rewrite, rule
from semrep.passes.rule_guards import (
    Found,
    Guard,
    constant,
    describe,
    positive,
    unknown,
)
from semrep.passes.rule_guards import refusal as refuse
from semrep.passes.tensor.ranges import bounds, may_be_minus_zero

_TIES = "gradients at exact ties and limits, and at NaN, may differ"
_FINITE_EXP = "no exponential overflows or underflows where the library function would not"


def near(name: str, target: float, wanted: str) -> Guard:
    """A constant, to 6 digits."""
    return constant(
        name,
        lambda v: isinstance(v, (int, float)) and math.isclose(v, target, rel_tol=1e-6),
        wanted,
    )


def all_floating(*names: str) -> Guard:
    """For rules that look at conditions too: the arrays are of one real floating-point type."""

    def check(found: Found) -> Refusal | None:
        dtypes = set()
        for name in names:
            value = found.value(name)
            tensor = value.tensor
            if tensor is None:
                if isinstance(value.constant, (int, float)):
                    continue
                return unknown(value)
            if not DType(tensor.dtype).is_floating:
                message = f"{describe(value)} is {tensor.dtype}"
                return refuse("not-floating", message, value)
            dtypes.add(tensor.dtype)
        if len(dtypes) > 1:
            return refuse(
                "mixed-types", f"element types are mixed: {sorted(dtypes)}", found.match.root
            )
        return None

    return check


def same_layout(name: str) -> Guard:
    """The array lies in memory as the result did, so that a view of it can be taken as before."""

    def check(found: Found) -> Refusal | None:
        value, root = found.value(name), found.match.root
        if value.tensor is None:
            return unknown(value)
        if root.tensor is None or root.tensor.strides == value.tensor.strides:
            return None
        return refuse("layout", f"{describe(value)} lies in memory in another order", value)

    return check


def unshared(name: str) -> Guard:
    """For results that are taken for aliases of an array, and never are: nobody sees that they
    are from now on."""

    def check(found: Found) -> Refusal | None:
        value, root, graph = found.value(name), found.match.root, found.graph
        own = root.storage - value.storage
        both_seen = bool(own & graph.escaped) and (
            EXTERNAL in value.storage or bool(value.storage & graph.escaped)
        )
        if not both_seen and not root.storage & graph.mutated:
            return None
        message = f"the result would share memory with {describe(value)}, and others can see that"
        return refuse("may-alias", message, root)

    return check


def not_flushed(found: Found) -> Refusal | None:
    """XLA flushes subnormal numbers to zero in some functions, and a copy does not."""
    if found.match.root.framework != "jax":
        return None
    return refuse("subnormal", "jax may make zeros of subnormal numbers here", found.match.root)


def in_framework(*frameworks: str) -> Guard:
    """Where only one library has the function that the replacement needs."""

    def check(found: Found) -> Refusal | None:
        framework = found.match.root.framework
        if framework in frameworks:
            return None
        return refuse("no-name", f"{framework} has no such function", found.match.root)

    return check


def _single(name: str) -> Guard:
    """torch's softplus drops exp(-20) above its threshold, which only double precision shows."""

    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        if value.tensor is None:
            return unknown(value)
        if value.tensor.dtype != "float64":
            return None
        return refuse("double-precision", f"{describe(value)} is float64", value)

    return check


rule(
    "name-sigmoid",
    """Call sigmoid by its name: one kernel instead of four.

    Rewrite:     1 / (1 + exp(-x))   -->   sigmoid(x)
    Legal when:  the exponential is used nowhere else. NumPy has no such function.
    Numerics:    within tolerance. Where exp overflows, 1 / (1 + exp(-x)) is 0 and sigmoid may be
                 a number below the smallest normal one; its gradient is 0 there instead of NaN.
    Refuses:     unknown-shape, no-name, used-elsewhere, not-floating.
    """,
    rewrite("div(1, add(exp(neg($x)), 1))", "sigmoid($x)"),
    rewrite("reciprocal(add(exp(neg($x)), 1))", "sigmoid($x)"),
    rewrite("pow(add(exp(neg($x)), 1), -1)", "sigmoid($x)"),
    contract=WITHIN_TOLERANCE.assuming(_FINITE_EXP),
    example={"x": "f32(64, 256)"},
)

_CUBES = ("pow($x, 3)", "mul(mul($x, $x), $x)")
_INNER = "mul(add(mul(CUBE, $k), $x), $c)"
_GELU_TANH = [
    f"{outer}".replace("TANH", f"add(tanh({_INNER}), 1)").replace("CUBE", cube)
    for cube in _CUBES
    for outer in ("mul(mul($x, $h), TANH)", "mul($x, mul(TANH, $h))", "mul(mul($x, TANH), $h)")
]
_GELU_CONSTANTS = [
    near("$h", 0.5, "0.5"),
    near("$k", 0.044715, "0.044715"),
    near("$c", math.sqrt(2 / math.pi), "the square root of 2 / pi"),
]

rule(
    "name-gelu-tanh",
    """Call the tanh approximation of gelu by its name: one kernel instead of eight.

    Rewrite:     0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))
                 -->   gelu(x, approximate="tanh")
    Legal when:  the constants are those of gelu to 6 digits. NumPy has no such function.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, constant, no-name, used-elsewhere, not-floating.
    """,
    *(
        form
        for pattern in _GELU_TANH
        for form in (
            rewrite(
                pattern,
                "gelu($x, approximate='tanh')",
                where=[*_GELU_CONSTANTS, in_framework("torch")],
            ),
            rewrite(pattern, "jax_gelu($x)", where=[*_GELU_CONSTANTS, in_framework("jax")]),
        )
    ),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)", "h": 0.5, "k": 0.044715, "c": math.sqrt(2 / math.pi)},
)

_STEEP = ("log1p(exp(neg(abs($x))))",)
_STEPS = ("relu($x)", "clamp($x, min=0)")

rule(
    "name-softplus",
    """Call softplus by its name: one kernel instead of five.

    Rewrite:     relu(x) + log1p(exp(-abs(x)))   -->   softplus(x)
    Legal when:  all parts are of one x. torch's softplus is x itself above 20, which rounds to
                 the same number in single precision, and to within 3e-9 in double. In NumPy:
                 logaddexp(x, 0). log(1 + exp(x)) is left alone: it overflows, softplus does not;
                 so is log(1 + …), which drops what log1p keeps.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, double-precision, used-elsewhere, not-floating.
    """,
    *(
        form
        for step in _STEPS
        for steep in _STEEP
        for form in (
            rewrite(
                f"add({step}, {steep})",
                "softplus($x)",
                where=[in_framework("torch"), _single("$x")],
            ),
            rewrite(f"add({step}, {steep})", "jax_softplus($x)", where=[in_framework("jax")]),
            rewrite(f"add({step}, {steep})", "logaddexp($x, 0)", where=[in_framework("numpy")]),
        )
    ),
    *(
        form
        for steep in _STEEP
        for form in (
            rewrite(
                f"add(maximum($x, 0), {steep})", "jax_softplus($x)", where=[in_framework("jax")]
            ),
            rewrite(
                f"add(maximum($x, 0), {steep})", "logaddexp($x, 0)", where=[in_framework("numpy")]
            ),
        )
    ),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)"},
)

rule(
    "name-logsigmoid",
    """Call logsigmoid by its name: one kernel instead of three.

    Rewrite:     -softplus(-x)   -->   logsigmoid(x)
    Legal when:  beta and threshold are the defaults; softplus is used nowhere else. The logarithm
                 of a sigmoid is left alone: it is minus infinity where the sigmoid underflows.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, double-precision, used-elsewhere, not-floating.
    """,
    rewrite("neg(softplus(neg($x)))", "logsigmoid($x)", where=[_single("$x")]),
    rewrite("neg(jax_softplus(neg($x)))", "logsigmoid($x)"),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)"},
)

rule(
    "name-leaky-relu",
    """Call leaky_relu by its name: one kernel instead of two or three.

    Rewrite:     where(x > 0, x, x * s)   -->   leaky_relu(x, s);   maximum(x, x * s) likewise
    Legal when:  s is a constant between 0 and 1. Written the other way round,
                 where(x < 0, x * s, x), it is the same. NumPy has no such function.
    Numerics:    bitwise; NaN comes through all of these forms.
    Refuses:     unknown-shape, constant, no-name, used-elsewhere, not-floating.
    """,
    *(
        rewrite(
            pattern,
            "leaky_relu($x, negative_slope=$s)",
            where=[
                all_floating("$x"),
                constant("$s", lambda v: isinstance(v, float) and 0 < v < 1, "between 0 and 1"),
            ],
        )
        for pattern in (
            "where(gt($x, 0), $x, mul($x, $s))", "where(ge($x, 0), $x, mul($x, $s))",
            "where(lt($x, 0), mul($x, $s), $x)", "where(le($x, 0), mul($x, $s), $x)",
            "maximum($x, mul($x, $s))",
        )
    ),
    contract=BITWISE.assuming(_TIES),
    types="any",
    example={"x": "f32(64, 256)", "s": 0.1},
)  # fmt: skip

_ELU_GUARDS = [all_floating("$x")]
_ELU_NEGATIVE = ("expm1($x)",)

rule(
    "name-elu",
    """Call elu by its name: one kernel instead of three.

    Rewrite:     where(x > 0, x, a * expm1(x))   -->   elu(x, a)
    Legal when:  a is a positive constant, or absent; where(x < 0, …, x) is the same. exp(x) - 1
                 is left alone: it is zero for x near zero, where elu is x.
    Numerics:    within tolerance. Where expm1 overflows, the gradient is 1 and not NaN.
    Refuses:     unknown-shape, constant, used-elsewhere, not-floating.
    """,
    *(
        form
        for inner in _ELU_NEGATIVE
        for pattern in (
            "where(gt($x, 0), $x, BELOW)", "where(ge($x, 0), $x, BELOW)",
            "where(lt($x, 0), BELOW, $x)", "where(le($x, 0), BELOW, $x)",
        )
        for form in (
            rewrite(pattern.replace("BELOW", f"mul({inner}, $a)"), "elu($x, alpha=$a)", where=[*_ELU_GUARDS, positive("$a")]),
            rewrite(pattern.replace("BELOW", inner), "elu($x)", where=_ELU_GUARDS),
        )
    ),
    contract=WITHIN_TOLERANCE.assuming(_TIES, _FINITE_EXP),
    types="any",
    example={"x": "f32(64, 256)", "a": 0.5},
)  # fmt: skip

_HARD = ("clamp(add($x, 3), min=0, max=6)", "relu6(add($x, 3))")
_SIXTH = near("$s", 1 / 6, "a sixth")

rule(
    "name-hardswish",
    """Call hardswish by its name: one kernel instead of four.

    Rewrite:     x * relu6(x + 3) / 6   -->   hardswish(x)
    Legal when:  the constants are 3, 0, 6 and 6 (or a sixth). NumPy has no such function.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, constant, no-name, used-elsewhere, not-floating.
    """,
    *(
        form
        for hard in _HARD
        for form in (
            rewrite(f"div(mul($x, {hard}), 6)", "hardswish($x)"),
            rewrite(f"mul($x, div({hard}, 6))", "hardswish($x)"),
            rewrite(f"mul(div($x, 6), {hard})", "hardswish($x)"),
            rewrite(f"mul(mul($x, {hard}), $s)", "hardswish($x)", where=[_SIXTH]),
            rewrite(f"mul($x, mul({hard}, $s))", "hardswish($x)", where=[_SIXTH]),
        )
    ),
    rewrite("mul($x, hardsigmoid($x))", "hardswish($x)"),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)"},
)

rule(
    "name-hardsigmoid",
    """Call hardsigmoid by its name: one kernel instead of three.

    Rewrite:     relu6(x + 3) / 6   -->   hardsigmoid(x);   clamp(x / 6 + 0.5, 0, 1) likewise
    Legal when:  the constants are 3, 0, 6 and 6 (or a sixth). NumPy has no such function.
    Numerics:    within tolerance.
    Refuses:     unknown-shape, constant, no-name, used-elsewhere, not-floating.
    """,
    *(rewrite(f"div({hard}, 6)", "hardsigmoid($x)") for hard in _HARD),
    *(rewrite(f"mul({hard}, $s)", "hardsigmoid($x)", where=[_SIXTH]) for hard in _HARD),
    rewrite("clamp(add(div($x, 6), 0.5), min=0, max=1)", "hardsigmoid($x)"),
    rewrite("clamp(add(mul($x, $s), 0.5), min=0, max=1)", "hardsigmoid($x)", where=[_SIXTH]),
    contract=WITHIN_TOLERANCE,
    example={"x": "f32(64, 256)"},
)


def _limit(found: Found, name: str, absent: float) -> float | None:
    if not found.has(name):
        return absent
    value = found.value(name)
    if value.kind == OP or value.constant is NOT_CONSTANT:
        return None
    if value.constant is None:
        return -math.inf if name == "$a" else math.inf
    return value.constant if isinstance(value.constant, (int, float)) else None


def _within(low: float, high: float) -> Guard:
    """The array's elements lie between the limits whatever the inputs are, or are NaN."""

    def check(found: Found) -> Refusal | None:
        value = found.value("$x")
        least, most = _limit(found, "$a", low), _limit(found, "$b", high)
        if least is None or most is None:
            return refuse("not-constant", "a limit is not a known constant", found.match.root)
        known = bounds(value)
        if least <= known.low and known.high <= most:
            return None
        message = f"{describe(value)} is only known to lie between {known.low:g} and {known.high:g}"
        return refuse("range", message, value)

    return check


def _has_range(found: Found) -> Refusal | None:
    value = found.value("$x")
    return None if bounds(value).is_informative else refuse("range", "nothing is known", value)


def _not_minus_zero(found: Found) -> Refusal | None:
    value = found.value("$x")
    if not may_be_minus_zero(value):
        return None
    return refuse("minus-zero", f"{describe(value)} may be minus zero", value)


def _unchanging(pattern: str, low: float, high: float, *where: Guard) -> Rewrite:
    return rewrite(
        pattern,
        "$x",
        where=[_within(low, high), not_flushed, *where, same_layout("$x")],
        screen=[_has_range],
    )


rule(
    "drop-clamp-in-range",
    """Drop a clamp, relu or abs of what lies within its limits anyway.

    Rewrite:     relu(exp(x))   -->   exp(x);   sigmoid(x).clamp(0, 1)   -->   sigmoid(x)
    Legal when:  interval arithmetic over the code proves the range, rounding included: relu,
                 abs, squares, exp, softmax, clamps and what only moves elements around.
                 Nobody may see that the result shares memory with what is clamped.
    Numerics:    bitwise; NaN comes through.
    Refuses:     unknown-shape, range, minus-zero, subnormal, layout, may-alias, not-constant,
                 not-floating.
    """,
    _unchanging("relu($x)", 0.0, math.inf),
    _unchanging("relu6($x)", 0.0, 6.0),
    _unchanging("abs($x)", 0.0, math.inf, _not_minus_zero),
    _unchanging("clamp($x, min=$a, max=$b)", -math.inf, math.inf),
    contract=BITWISE.assuming(_TIES),
)
