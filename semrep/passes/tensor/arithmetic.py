# ruff: noqa: E501 (patterns stay on one line)
"""Elementwise arithmetic: what does nothing dropped, what is small merged first, and several
steps in one kernel."""

from __future__ import annotations

import math
from typing import Any

from semrep.ir.dialects.op import DType
from semrep.ir.values import OP, same_structure
from semrep.passes.base import Refusal
from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.rule import rewrite, rule
from semrep.passes.rule_guards import (
    Found,
    Guard,
    constant,
    describe,
    python_number,
    same_shape,
    unknown,
)
from semrep.passes.rule_guards import refusal as refuse
from semrep.passes.tensor.activations import (
    all_floating,
    in_framework,
    not_flushed,
    same_layout,
    unshared,
)

_OVERFLOW = "overflow and underflow can come at another magnitude"


def _real(found: Found) -> Refusal | None:
    value = found.value("$x")
    if value.tensor is None:
        return unknown(value)
    if value.tensor.dtype.startswith("complex"):
        return refuse("complex", f"{describe(value)} is complex: infinity times 0 is NaN", value)
    return None


def _plus_zero(name: str) -> Guard:
    return constant(name, lambda v: v == 0 and math.copysign(1.0, v) > 0, "plus zero")


rule(
    "drop-neutral-number",
    """Drop arithmetic with a number that changes nothing.

    Rewrite:     x * 1   -->   x;   the same for x / 1, x - 0 and x ** 1
    Legal when:  the type stays (integers divided by 1 are no integers), the array is real, and
                 the zero is subtracted: adding it turns -0.0 into 0.0. Nobody may see that the
                 result shares memory with x.
    Numerics:    bitwise.
    Refuses:     unknown-shape, complex, subnormal, layout, type-changes, may-alias.
    """,
    rewrite("mul($x, 1)", "$x", where=[_real, not_flushed, same_layout("$x")]),
    rewrite("div($x, 1)", "$x", where=[_real, not_flushed, same_layout("$x")]),
    rewrite("pow($x, 1)", "$x", where=[_real, not_flushed, same_layout("$x")]),
    rewrite("sub($x, 0)", "$x", where=[_real, not_flushed, same_layout("$x")]),
    rewrite("add($x, $c)", "$x", where=[_real, not_flushed, same_layout("$x")],
        screen=[constant("$c", lambda v: isinstance(v, float) and v == 0 and math.copysign(1.0, v) < 0, "minus zero")]),
    types="any",
    contract=BITWISE,
    example={"x": "f32(64, 256)"},
)  # fmt: skip

rule(
    "cancel-negation",
    """Drop two changes of sign that cancel.

    Rewrite:     x - (-y)   -->   x + y;   -(-x)   -->   x;   (-x) * (-y)   -->   x * y
    Legal when:  the negated array is used nowhere else. A square, an abs and a cosine do not
                 see the sign either.
    Numerics:    bitwise.
    Refuses:     unknown-shape, layout, may-alias, used-elsewhere.
    """,
    rewrite("sub($x, neg($y))", "add($x, $y)"),
    rewrite("neg(neg($x))", "$x", where=[same_layout("$x")]),
    rewrite("add($x, neg($y))", "sub($x, $y)"),
    rewrite("mul(neg($x), neg($y))", "mul($x, $y)"),
    rewrite("div(neg($x), neg($y))", "div($x, $y)"),
    rewrite("abs(neg($x))", "abs($x)"),
    rewrite("square(neg($x))", "square($x)"),
    rewrite("square(abs($x))", "square($x)"),
    rewrite("pow(neg($x), 2)", "pow($x, 2)"),
    rewrite("pow(abs($x), 2)", "pow($x, 2)"),
    rewrite("cos(neg($x))", "cos($x)"),
    types="any",
    contract=BITWISE.assuming("the sign of a NaN means nothing"),
    example={"x": "f32(64, 256)", "y": "f32(64, 256)"},
)


def _not_x(found: Found) -> Refusal | None:
    if same_structure(found.value("$x"), found.value("$y")):
        return refuse("operand", "both are one array", found.match.root)
    return None


_PLAIN_NUMBER = constant(
    "$c", lambda v: isinstance(v, (int, float)) and not isinstance(v, bool), "a number"
)
_FUSED = REASSOCIATES.assuming("a fused multiplication and addition rounds once")

rule(
    "add-with-scale",
    """Scale and add in one kernel: the scaled array is never written out.

    Rewrite:     x + y * c   -->   torch.add(x, y, alpha=c);   the same with minus
    Legal when:  c is a constant number, x is not y, and the product is used nowhere else. Only
                 in torch.
    Numerics:    reassociates: one rounding instead of two.
    Refuses:     unknown-shape, no-name, constant, not-constant, used-elsewhere, not-faster,
                 not-floating.
    """,
    rewrite(
        "add($x, mul($y, $c))",
        "add($x, $y, alpha=$c)",
        where=[in_framework("torch"), _PLAIN_NUMBER],
        screen=[_not_x],
    ),
    rewrite(
        "sub($x, mul($y, $c))",
        "sub($x, $y, alpha=$c)",
        where=[in_framework("torch"), _PLAIN_NUMBER],
        screen=[_not_x],
    ),
    contract=_FUSED,
    example={"x": "f32(64, 256)", "y": "f32(64, 256)", "c": 0.5},
)


def _arrays(*names: str) -> Guard:
    def check(found: Found) -> Refusal | None:
        for name in names:
            value = found.value(name)
            if value.tensor is None:
                if value.is_constant or value.type is not None:
                    return refuse("not-an-array", f"{describe(value)} is no array", value)
                return unknown(value)
        return None

    return check


rule(
    "add-product",
    """Multiply and add in one kernel: the product is never written out.

    Rewrite:     x + a * b   -->   torch.addcmul(x, a, b)
    Legal when:  x, a and b are arrays, and the product is used nowhere else. Only in torch.
                 Quotients are left alone: the gradient of addcdiv squares the divisor.
    Numerics:    reassociates: one rounding may take the place of two.
    Refuses:     unknown-shape, no-name, not-an-array, used-elsewhere, not-faster, not-floating.
    """,
    rewrite(
        "add($x, mul($a, $b))",
        "addcmul($x, $a, $b)",
        where=[in_framework("torch"), _arrays("$x", "$a", "$b")],
    ),
    contract=_FUSED,
    example={"x": "f32(64, 256)", "a": "f32(64, 256)", "b": "f32(64, 256)"},
)

rule(
    "name-lerp",
    """Interpolate between two arrays in one kernel instead of three.

    Rewrite:     x + c * (y - x)   -->   torch.lerp(x, y, c)
    Legal when:  c is a constant from 0 to below a half: lerp then computes just this, and from
                 the other end above. x and y have one shape. Only in torch.
    Numerics:    reassociates.
    Refuses:     unknown-shape, constant, broadcast, no-name, used-elsewhere, not-floating.
    """,
    rewrite(
        "add($x, mul(sub($y, $x), $c))",
        "lerp($x, $y, $c)",
        where=[
            in_framework("torch"),
            constant("$c", lambda v: isinstance(v, float) and 0 <= v < 0.5, "from 0 to below 0.5"),
            same_shape("$x", "$y"),
        ],
    ),
    contract=_FUSED,
    example={"x": "f32(64, 256)", "y": "f32(64, 256)", "c": 0.25},
)


def _merging_shrinks(found: Found) -> Refusal | None:
    """What the two make together is smaller than what each of them is combined with now."""
    x, a, b = (found.tensor(n) for n in ("$x", "$a", "$b"))
    if x is None or a is None or b is None:
        missing = next(n for n in ("$x", "$a", "$b") if found.tensor(n) is None)
        value = found.value(missing)
        if value.type is None and not value.is_constant:
            return unknown(value)
        return refuse("not-an-array", f"{describe(value)} is no array", value)
    rank = max(a.rank, b.rank)
    merged = [
        max(p, q) for p, q in zip(_padded(a.shape, rank), _padded(b.shape, rank), strict=True)
    ]
    if 4 * math.prod(merged) <= math.prod(x.shape):
        return None
    message = f"together they have {math.prod(merged)} elements, too many to be merged first"
    return refuse("too-large", message, found.value("$b"))


def _padded(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


rule(
    "merge-small-factors",
    """Multiply two small arrays first, and pass over the large one once.

    Rewrite:     (x * a) * b   -->   x * (a * b)
    Legal when:  a and b together are at most a quarter the size of x, and the inner product is
                 used nowhere else. Sums and quotients are left alone: a sum of two biases can
                 cancel what neither does, and a product of divisors can underflow to zero.
    Numerics:    reassociates; overflow and underflow can come at another magnitude.
    Refuses:     unknown-shape, too-large, not-an-array, used-elsewhere, not-floating.
    """,
    rewrite("mul(mul($x, $a), $b)", "mul($x, mul($a, $b))", where=[_merging_shrinks]),
    contract=REASSOCIATES.assuming(_OVERFLOW),
    example={"x": "f32(64, 256)", "a": "f32(256)", "b": "f32(256)"},
)

_NUMBERS = [python_number("$a"), python_number("$b")]

rule(
    "merge-shifts",
    """Add one number instead of two.

    Rewrite:     (x + a) + b   -->   x + (a + b);   the same with minus
    Legal when:  a and b are Python numbers; the inner sum is used nowhere else.
    Numerics:    reassociates.
    Refuses:     unknown-shape, not-a-number, used-elsewhere, not-floating.
    """,
    rewrite("add(add($x, $a), $b)", "add($x, $a + $b)", where=_NUMBERS),
    rewrite("sub(add($x, $a), $b)", "add($x, $a - $b)", where=_NUMBERS),
    rewrite("add(sub($x, $a), $b)", "add($x, $b - $a)", where=_NUMBERS),
    rewrite("sub(sub($x, $a), $b)", "sub($x, $a + $b)", where=_NUMBERS),
    contract=REASSOCIATES,
    example={"x": "f32(64, 256)", "a": 0.5, "b": 3.0},
)

_THREE = [python_number(n) for n in ("$a", "$b", "$c")]

rule(
    "merge-affine",
    """Scale and shift once instead of twice.

    Rewrite:     (x * a + b) * c   -->   x * (a * c) + b * c;   the same with minus and division
    Legal when:  all three are Python numbers; the inner results are used nowhere else.
    Numerics:    reassociates; overflow can come at another magnitude.
    Refuses:     unknown-shape, not-a-number, used-elsewhere, not-floating.
    """,
    rewrite("mul(add(mul($x, $a), $b), $c)", "add(mul($x, $a * $c), $b * $c)", where=_THREE),
    rewrite("mul(sub(mul($x, $a), $b), $c)", "sub(mul($x, $a * $c), $b * $c)", where=_THREE),
    rewrite("div(add(mul($x, $a), $b), $c)", "add(mul($x, $a / $c), $b / $c)", where=_THREE),
    rewrite("div(sub(mul($x, $a), $b), $c)", "sub(mul($x, $a / $c), $b / $c)", where=_THREE),
    contract=REASSOCIATES.assuming(_OVERFLOW),
    example={"x": "f32(64, 256)", "a": 0.5, "b": 3.0, "c": 2.0},
)

rule(
    "factor-common",
    """Multiply a sum once instead of multiplying each of its terms.

    Rewrite:     x * a + y * a   -->   (x + y) * a;   the same with minus, and with division
    Legal when:  x and y have one shape, and neither product is used elsewhere.
    Numerics:    reassociates; overflow can come at another magnitude.
    Refuses:     unknown-shape, broadcast, used-elsewhere, not-faster, not-floating.
    """,
    *(
        rewrite(
            f"{outer}({inner}($x, $a), {inner}($y, $a))",
            f"{inner}({outer}($x, $y), $a)",
            where=[same_shape("$x", "$y")],
        )
        for inner in ("mul", "div")
        for outer in ("add", "sub")
    ),
    contract=REASSOCIATES.assuming(_OVERFLOW),
    example={"x": "f32(64, 256)", "y": "f32(64, 256)", "a": "f32(256)"},
)


def _inverse(found: Found) -> Any:
    """1 / c where that is exact in the array's element type, and no subnormal number."""
    value = found.value("$c")
    given = value.constant
    if value.kind == OP or isinstance(given, bool) or not isinstance(given, (int, float)):
        return refuse("not-constant", f"{describe(value)} is not a known constant", value)
    tensor = found.tensor("$x")
    if tensor is None:
        return unknown(found.value("$x"))
    if given == 0 or not math.isfinite(given) or abs(math.frexp(given)[0]) != 0.5:
        return refuse("constant", f"{describe(value)} is {given}, no power of two", value)
    limit = 13 if tensor.dtype == "float16" else 125
    if abs(math.frexp(given)[1]) > limit:
        return refuse("constant", f"{describe(value)} has no exact inverse", value)
    return 1.0 / given


rule(
    "multiply-by-power-of-two",
    """Multiply by the inverse of a power of two instead of dividing.

    Rewrite:     x / 8   -->   x * 0.125
    Legal when:  the divisor is a constant whose inverse is exact. Multiplying is several times
                 as fast where the array is in cache, and merges with other scales.
    Numerics:    bitwise.
    Refuses:     unknown-shape, constant, not-constant, not-floating.
    """,
    rewrite(
        "div($x, $c)", "mul($x, $i)", computed={"i": _inverse},
        screen=[constant("$c", lambda v: isinstance(v, (int, float)) and v != 1, "a number")],
    ),
    contract=BITWISE,
    example={"x": "f32(64, 256)", "c": 8.0},
)  # fmt: skip

rule(
    "power-by-squaring",
    """Square twice instead of calling pow.

    Rewrite:     x ** 4   -->   square(square(x));   x ** 8 likewise;   x ** 3   -->   square(x) * x
    Legal when:  the exponent is the constant 3, 4 or 8.
    Numerics:    within tolerance: pow rounds once, the squares each round. torch itself writes
                 the third power as a product.
    Refuses:     unknown-shape, no-name, not-floating.
    """,
    rewrite("pow($x, 4)", "square(square($x))"),
    rewrite("pow($x, 8)", "square(square(square($x)))"),
    rewrite("pow($x, 3)", "mul(square($x), $x)", where=[in_framework("numpy", "jax")]),
    contract=WITHIN_TOLERANCE,
    may_be_slower=True,
    example={"x": "f32(64, 256)"},
)

rule(
    "name-rsqrt",
    """Call the inverse square root by its name: one kernel instead of two.

    Rewrite:     1 / sqrt(x)   -->   rsqrt(x);   the same for x ** -0.5
    Legal when:  the root is used nowhere else. NumPy has no such function.
    Numerics:    within tolerance; zeros give infinities of their sign both ways.
    Refuses:     unknown-shape, no-name, used-elsewhere, not-floating.
    """,
    rewrite("div(1, sqrt($x))", "rsqrt($x)"),
    rewrite("reciprocal(sqrt($x))", "rsqrt($x)"),
    rewrite("pow(sqrt($x), -1)", "rsqrt($x)"),
    rewrite("sqrt(reciprocal($x))", "rsqrt($x)"),
    rewrite("pow($x, -0.5)", "rsqrt($x)", where=[in_framework("torch")]),
    contract=WITHIN_TOLERANCE,
)

_LESS = ("lt", "le")
_GREATER = ("gt", "ge")
_CLAMP_GUARDS = [
    all_floating("$x"),
    constant("$c", lambda v: isinstance(v, (int, float)) and v == v, "a number"),
]

rule(
    "name-clamp",
    """Clamp in one kernel instead of comparing and choosing.

    Rewrite:     where(x < c, c, x)   -->   x.clamp(min=c);   maximum(x, zeros_like(x)) likewise
    Legal when:  c is a constant number, and the choice keeps NaN: where(x > c, x, c) replaces
                 NaN by c, and stays. np.minimum(np.maximum(x, a), b) becomes one clip.
    Numerics:    reassociates: the same values, but for the sign of a zero.
    Refuses:     unknown-shape, constant, not-constant, empty-interval, broadcast, used-elsewhere,
                 not-floating.
    """,
    *(rewrite(f"where({op}($x, $c), $c, $x)", "clamp($x, min=$c)", where=_CLAMP_GUARDS) for op in _LESS),
    *(rewrite(f"where({op}($x, $c), $c, $x)", "clamp($x, max=$c)", where=_CLAMP_GUARDS) for op in _GREATER),
    *(rewrite(f"masked_fill($x, {op}($x, $c), $c)", "clamp($x, min=$c)", where=_CLAMP_GUARDS) for op in _LESS),
    *(rewrite(f"masked_fill($x, {op}($x, $c), $c)", "clamp($x, max=$c)", where=_CLAMP_GUARDS) for op in _GREATER),
    *(
        rewrite(f"{op}($x, {made})", f"clamp($x, {side}={limit})", where=[all_floating("$x"), *more])
        for op, side in (("maximum", "min"), ("minimum", "max"))
        for made, limit, more in (
            ("zeros_like($x)", "0.0", []), ("ones_like($x)", "1.0", []),
            ("full_like($x, $c)", "$c", [_CLAMP_GUARDS[1]]),
        )
    ),
    rewrite("minimum(maximum($x, $a), $b)", "clamp($x, min=$a, max=$b)", where=[all_floating("$x"), lambda found: _ordered(found)]),
    rewrite("maximum(minimum($x, $b), $a)", "clamp($x, min=$a, max=$b)", where=[all_floating("$x"), lambda found: _ordered(found)]),
    types="any",
    contract=REASSOCIATES.assuming("gradients at exactly the limit, and at NaN, may differ"),
    example={"x": "f32(64, 256)", "c": 0.5},
)  # fmt: skip


def _ordered(found: Found) -> Refusal | None:
    limits = []
    for name in ("$a", "$b"):
        value = found.value(name)
        if value.kind == OP or not isinstance(value.constant, (int, float)):
            return refuse("not-constant", f"{describe(value)} is not a known constant", value)
        limits.append(value.constant)
    if limits[0] <= limits[1]:
        return None
    return refuse("empty-interval", "the lower limit lies above the upper one", found.match.root)


rule(
    "merge-wheres",
    """Choose once where the same condition decides twice.

    Rewrite:     where(c, where(c, a, b), d)   -->   where(c, a, d)
    Legal when:  both conditions are one value, or the condition is negated: where(~c, a, b) is
                 where(c, b, a). The inner choice is used nowhere else.
    Numerics:    bitwise.
    Refuses:     unknown-shape, type-changes, used-elsewhere.
    """,
    rewrite("where($c, where($c, $a, $b), $d)", "where($c, $a, $d)"),
    rewrite("where($c, $a, where($c, $b, $d))", "where($c, $a, $d)"),
    rewrite("where(logical_not($c), $a, $b)", "where($c, $b, $a)", where=[lambda found: _is_bool(found)]),
    rewrite("where(bitwise_not($c), $a, $b)", "where($c, $b, $a)", where=[lambda found: _is_bool(found)]),
    types="any",
    contract=BITWISE.assuming("what is never chosen needs no gradient of zeros"),
)  # fmt: skip


def _is_bool(found: Found) -> Refusal | None:
    value = found.value("$c")
    if value.tensor is None:
        return unknown(value)
    if value.tensor.dtype == "bool":
        return None
    return refuse("not-bool", f"{describe(value)} is {value.tensor.dtype}, not bool", value)


_LOSSLESS = {
    "float16": {"float32", "float64"}, "bfloat16": {"float32", "float64"}, "float32": {"float64"},
    "int8": {"int16", "int32", "int64", "float16", "float32", "float64", "bfloat16"},
    "uint8": {"int16", "int32", "int64", "float16", "float32", "float64", "bfloat16"},
    "int16": {"int32", "int64", "float32", "float64"}, "int32": {"int64", "float64"},
    "bool": {"uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"},
}  # fmt: skip


def _cast(found: Found, name: str) -> str | None:
    given = found.constant(name)
    return given.name if isinstance(given, DType) else None


def _lossless(found: Found) -> Refusal | None:
    tensor = found.tensor("$x")
    if tensor is None:
        return unknown(found.value("$x"))
    first, second = _cast(found, "$s"), _cast(found, "$t")
    if first is None or second is None:
        return refuse("not-constant", "an element type is not known", found.match.root)
    if first != tensor.dtype and first not in _LOSSLESS.get(tensor.dtype, ()):
        return refuse("lossy", f"{first} does not hold every {tensor.dtype}", found.match.root)
    if DType(tensor.dtype).is_floating and not DType(second).is_floating:
        return refuse(
            "lossy", f"{tensor.dtype} out of the range of {second} may differ", found.match.root
        )
    return None


def _returns(found: Found) -> Refusal | None:
    tensor = found.tensor("$x")
    if tensor is not None and _cast(found, "$t") == tensor.dtype:
        return None
    return refuse("lossy", "the last element type is not the first", found.match.root)


def _changes(found: Found) -> Refusal | None:
    if _returns(found) is not None:
        return None
    return refuse("lossy", "the last element type is the first", found.match.root)


rule(
    "merge-casts",
    """Convert the element type once, or not at all, instead of there and back.

    Rewrite:     x.double().float()   -->   x, where x is float32
    Legal when:  the type in between holds every value of the first. Nobody may see that the
                 result shares memory with x. Conversions of floats to integers stay: their
                 result is undefined out of range.
    Numerics:    bitwise.
    Refuses:     unknown-shape, lossy, layout, may-alias, used-elsewhere.
    """,
    rewrite(
        "to_dtype(to_dtype($x, $s), $t)",
        "$x",
        where=[_lossless, same_layout("$x"), unshared("$x")],
        screen=[_returns],
    ),
    rewrite(
        "to_dtype(to_dtype($x, $s), $t)", "to_dtype($x, $t)", where=[_lossless], screen=[_changes]
    ),
    types="any",
    contract=BITWISE,
)
