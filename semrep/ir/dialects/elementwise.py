# ruff: noqa: E501 (one spelling, one line)
"""Elementwise arithmetic, comparison, logic and elementary functions."""

from semrep.ir.dialects.catalogue import op, unary
from semrep.ir.dialects.op import ELEMENTWISE, TRANSCENDENTAL

# -- one operand ------------------------------------------------------------------------------

unary(
    "neg",
    "torch.neg",
    "torch.negative",
    "Tensor.neg",
    "Tensor.negative",
    "np.negative",
    "jnp.negative",
    "lax.neg",
    cost=ELEMENTWISE,
)
unary(
    "abs",
    "torch.abs",
    "torch.absolute",
    "Tensor.abs",
    "np.abs",
    "np.absolute",
    "np.fabs",
    "jnp.abs",
    "jnp.absolute",
    "lax.abs",
    "tl.abs",
    "tl.math.abs",
    cost=ELEMENTWISE,
)
unary("exp", "torch.exp", "Tensor.exp", "np.exp", "jnp.exp", "lax.exp", "tl.exp", "tl.math.exp")
unary(
    "exp2",
    "torch.exp2",
    "Tensor.exp2",
    "np.exp2",
    "jnp.exp2",
    "lax.exp2",
    "tl.exp2",
    "tl.math.exp2",
)
unary("expm1", "torch.expm1", "Tensor.expm1", "np.expm1", "jnp.expm1", "lax.expm1")
unary("log", "torch.log", "Tensor.log", "np.log", "jnp.log", "lax.log", "tl.log", "tl.math.log")
unary("log2", "torch.log2", "Tensor.log2", "np.log2", "jnp.log2", "tl.log2", "tl.math.log2")
unary("log10", "torch.log10", "Tensor.log10", "np.log10", "jnp.log10")
unary("log1p", "torch.log1p", "Tensor.log1p", "np.log1p", "jnp.log1p", "lax.log1p")
unary(
    "sqrt",
    "torch.sqrt",
    "Tensor.sqrt",
    "np.sqrt",
    "jnp.sqrt",
    "lax.sqrt",
    "tl.sqrt",
    "tl.math.sqrt",
)
unary("rsqrt", "torch.rsqrt", "Tensor.rsqrt", "lax.rsqrt", "tl.rsqrt", "tl.math.rsqrt")
unary(
    "square",
    "torch.square",
    "Tensor.square",
    "np.square",
    "jnp.square",
    "lax.square",
    cost=ELEMENTWISE,
)
unary(
    "reciprocal",
    "torch.reciprocal",
    "Tensor.reciprocal",
    "np.reciprocal",
    "jnp.reciprocal",
    cost=ELEMENTWISE,
)
unary("sin", "torch.sin", "Tensor.sin", "np.sin", "jnp.sin", "lax.sin", "tl.sin", "tl.math.sin")
unary("cos", "torch.cos", "Tensor.cos", "np.cos", "jnp.cos", "lax.cos", "tl.cos", "tl.math.cos")
unary("tan", "torch.tan", "Tensor.tan", "np.tan", "jnp.tan", "lax.tan")
unary("asin", "torch.asin", "torch.arcsin", "Tensor.asin", "np.arcsin", "np.asin", "jnp.arcsin")
unary("acos", "torch.acos", "torch.arccos", "Tensor.acos", "np.arccos", "np.acos", "jnp.arccos")
unary("atan", "torch.atan", "torch.arctan", "Tensor.atan", "np.arctan", "np.atan", "jnp.arctan")
unary("sinh", "torch.sinh", "Tensor.sinh", "np.sinh", "jnp.sinh")
unary("cosh", "torch.cosh", "Tensor.cosh", "np.cosh", "jnp.cosh")
unary(
    "tanh",
    "torch.tanh",
    "Tensor.tanh",
    "F.tanh",
    "np.tanh",
    "jnp.tanh",
    "lax.tanh",
    "jnn.tanh",
    monotone="nearly",
)
unary("asinh", "torch.asinh", "torch.arcsinh", "Tensor.asinh", "np.arcsinh", "jnp.arcsinh")
unary("acosh", "torch.acosh", "torch.arccosh", "Tensor.acosh", "np.arccosh", "jnp.arccosh")
unary("atanh", "torch.atanh", "torch.arctanh", "Tensor.atanh", "np.arctanh", "jnp.arctanh")
unary(
    "erf",
    "torch.erf",
    "Tensor.erf",
    "torch.special.erf",
    "jax.scipy.special.erf",
    "lax.erf",
    "scipy.special.erf",
    "tl.erf",
    "tl.math.erf",
)
unary(
    "erfc",
    "torch.erfc",
    "Tensor.erfc",
    "torch.special.erfc",
    "jax.scipy.special.erfc",
    "lax.erfc",
    "scipy.special.erfc",
)
unary("lgamma", "torch.lgamma", "Tensor.lgamma", "lax.lgamma")
unary(
    "floor",
    "torch.floor",
    "Tensor.floor",
    "np.floor",
    "jnp.floor",
    "lax.floor",
    "tl.floor",
    "tl.math.floor",
    cost=ELEMENTWISE,
    monotone="increasing",
)
unary(
    "ceil",
    "torch.ceil",
    "Tensor.ceil",
    "np.ceil",
    "jnp.ceil",
    "lax.ceil",
    "tl.ceil",
    "tl.math.ceil",
    cost=ELEMENTWISE,
    monotone="increasing",
)
unary(
    "trunc",
    "torch.trunc",
    "torch.fix",
    "Tensor.trunc",
    "np.trunc",
    "np.fix",
    "jnp.trunc",
    cost=ELEMENTWISE,
    monotone="increasing",
)
unary("sign", "torch.sign", "Tensor.sign", "np.sign", "jnp.sign", "lax.sign", cost=ELEMENTWISE)
unary("isnan", "torch.isnan", "Tensor.isnan", "np.isnan", "jnp.isnan", cost=ELEMENTWISE)
unary("isinf", "torch.isinf", "Tensor.isinf", "np.isinf", "jnp.isinf", cost=ELEMENTWISE)
unary(
    "isfinite",
    "torch.isfinite",
    "Tensor.isfinite",
    "np.isfinite",
    "jnp.isfinite",
    "lax.is_finite",
    cost=ELEMENTWISE,
)
unary(
    "logical_not",
    "torch.logical_not",
    "Tensor.logical_not",
    "np.logical_not",
    "jnp.logical_not",
    cost=ELEMENTWISE,
)
unary(
    "bitwise_not",
    "torch.bitwise_not",
    "Tensor.bitwise_not",
    "np.bitwise_not",
    "np.invert",
    "jnp.bitwise_not",
    "jnp.invert",
    cost=ELEMENTWISE,
)

op(
    "round",
    "input, /, decimals=0",
    "torch.round, Tensor.round(input, *, decimals=0)",
    "np.round, np.around, ndarray.round, jnp.round, jnp.around, Array.round(a: input, decimals=0)",
    elementwise=True,
)

# -- two operands -----------------------------------------------------------------------------
# Operators (`+`, `@`, …) are spelled in semrep.ir.dialects.operators.

op(
    "add",
    "input, other, /, alpha=1",
    "torch.add, Tensor.add(input, other, *, alpha=1)",
    "np.add, jnp.add, lax.add(x1: input, x2: other, /)",
    reference=":add",
    commutative=True,
    elementwise=True,
)
op(
    "sub",
    "input, other, /, alpha=1",
    "torch.sub, torch.subtract, Tensor.sub, Tensor.subtract(input, other, *, alpha=1)",
    "np.subtract, jnp.subtract, lax.sub(x1: input, x2: other, /)",
    reference=":sub",
    elementwise=True,
)
op(
    "mul",
    "input, other, /",
    "torch.mul, torch.multiply, Tensor.mul, Tensor.multiply(input, other)",
    "np.multiply, jnp.multiply, lax.mul(x1: input, x2: other, /)",
    reference="operator.mul",
    commutative=True,
    elementwise=True,
)
op(
    "div",
    "input, other, /, rounding_mode=None",
    "torch.div, torch.divide, torch.true_divide, Tensor.div, Tensor.divide(input, other, *, rounding_mode=None)",
    "np.divide, np.true_divide, jnp.divide, jnp.true_divide(x1: input, x2: other, /)",
    reference=":div",
    elementwise=True,
)
op(
    "floor_divide",
    "input, other, /",
    "torch.floor_divide, Tensor.floor_divide(input, other)",
    "np.floor_divide, jnp.floor_divide(x1: input, x2: other, /)",
    reference="operator.floordiv",
    elementwise=True,
)
# The sign follows the divisor (Python's %); fmod follows the dividend, and so does triton's %.
op(
    "remainder",
    "input, other, /",
    "torch.remainder, Tensor.remainder(input, other)",
    "np.remainder, np.mod, jnp.remainder, jnp.mod(x1: input, x2: other, /)",
    reference="operator.mod",
    elementwise=True,
)
op(
    "fmod",
    "input, other, /",
    "torch.fmod, Tensor.fmod(input, other)",
    "np.fmod, jnp.fmod, lax.rem(x1: input, x2: other, /)",
    elementwise=True,
)
op(
    "pow",
    "input, exponent, /",
    "torch.pow, Tensor.pow(input, exponent)",
    "np.power, jnp.power, lax.pow(x1: input, x2: exponent, /)",
    reference="operator.pow",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "atan2",
    "input, other, /",
    "torch.atan2, torch.arctan2, Tensor.atan2(input, other)",
    "np.arctan2, jnp.arctan2(x1: input, x2: other, /)",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "hypot",
    "input, other, /",
    "torch.hypot, Tensor.hypot(input, other)",
    "np.hypot, jnp.hypot(x1: input, x2: other, /)",
    cost=TRANSCENDENTAL,
    elementwise=True,
)
op(
    "copysign",
    "input, other, /",
    "torch.copysign, Tensor.copysign(input, other)",
    "np.copysign, jnp.copysign(x1: input, x2: other, /)",
    elementwise=True,
)
op(
    "logaddexp",
    "input, other, /",
    "torch.logaddexp, Tensor.logaddexp(input, other)",
    "np.logaddexp, jnp.logaddexp(x1: input, x2: other, /)",
    reference=":logaddexp",
    cost=TRANSCENDENTAL,
    commutative=True,
    elementwise=True,
)

# NaN wins in `maximum` and `minimum`; `fmax`, `fmin`, and triton's default, ignore it.
op(
    "maximum",
    "input: tensor, other: tensor, /",
    "torch.maximum, Tensor.maximum(input, other)",
    "torch.max, Tensor.max(input, other)",
    "np.maximum, jnp.maximum, lax.max(x1: input, x2: other, /)",
    reference=":maximum",
    commutative=True,
    elementwise=True,
)
op(
    "minimum",
    "input: tensor, other: tensor, /",
    "torch.minimum, Tensor.minimum(input, other)",
    "torch.min, Tensor.min(input, other)",
    "np.minimum, jnp.minimum, lax.min(x1: input, x2: other, /)",
    reference=":minimum",
    commutative=True,
    elementwise=True,
)
op(
    "fmax",
    "input, other, /",
    "torch.fmax, Tensor.fmax(input, other)",
    "np.fmax, jnp.fmax(x1: input, x2: other, /)",
    "tl.maximum(x: input, y: other)",
    commutative=True,
    elementwise=True,
)
op(
    "fmin",
    "input, other, /",
    "torch.fmin, Tensor.fmin(input, other)",
    "np.fmin, jnp.fmin(x1: input, x2: other, /)",
    "tl.minimum(x: input, y: other)",
    commutative=True,
    elementwise=True,
)

for _name, _numpy in (
    ("eq", "equal"),
    ("ne", "not_equal"),
    ("lt", "less"),
    ("le", "less_equal"),
    ("gt", "greater"),
    ("ge", "greater_equal"),
):
    op(
        _name,
        "input, other, /",
        f"torch.{_name}, Tensor.{_name}, torch.{_numpy}(input, other)",
        f"np.{_numpy}, jnp.{_numpy}, lax.{_name}(x1: input, x2: other, /)",
        reference=f"operator.{_name}",
        commutative=_name in ("eq", "ne"),
        elementwise=True,
    )
for _name in (
    "logical_and",
    "logical_or",
    "logical_xor",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
):
    op(
        _name,
        "input, other, /",
        f"torch.{_name}, Tensor.{_name}(input, other)",
        f"np.{_name}, jnp.{_name}(x1: input, x2: other, /)",
        commutative=True,
        elementwise=True,
    )
op(
    "left_shift",
    "input, other, /",
    "torch.bitwise_left_shift, Tensor.bitwise_left_shift(input, other)",
    "np.left_shift, jnp.left_shift(x1: input, x2: other, /)",
    reference="operator.lshift",
    elementwise=True,
)
op(
    "right_shift",
    "input, other, /",
    "torch.bitwise_right_shift, Tensor.bitwise_right_shift(input, other)",
    "np.right_shift, jnp.right_shift(x1: input, x2: other, /)",
    reference="operator.rshift",
    elementwise=True,
)

# -- three operands ---------------------------------------------------------------------------

op(
    "where",
    "condition: tensor, input, other, /",
    "torch.where(condition, input, other)",
    "np.where, jnp.where(condition, x: input, y: other, /)",
    "lax.select(condition, x: input, y: other)",
    "tl.where(condition, x: input, y: other)",
    elementwise=True,
)
op(
    "clamp",
    "input: tensor, /, min=None, max=None",
    "torch.clamp, Tensor.clamp, torch.clip, Tensor.clip(input, min=None, max=None)",
    "np.clip(a: input, a_min: min=None, a_max: max=None)",
    "jnp.clip, ndarray.clip, Array.clip(x: input, min=None, max=None)",
    elementwise=True,
)
op(
    "clamp_min",
    "input: tensor, /, min",
    "torch.clamp_min, Tensor.clamp_min(input, min)",
    elementwise=True,
)
op(
    "clamp_max",
    "input: tensor, /, max",
    "torch.clamp_max, Tensor.clamp_max(input, max)",
    elementwise=True,
)
op(
    "lerp",
    "input: tensor, end: tensor, weight, /",
    "torch.lerp, Tensor.lerp(input, end, weight)",
    elementwise=True,
)
op(
    "addcmul",
    "input: tensor, tensor1: tensor, tensor2: tensor, /, value=1",
    "torch.addcmul, Tensor.addcmul(input, tensor1, tensor2, *, value=1)",
    elementwise=True,
)
op(
    "addcdiv",
    "input: tensor, tensor1: tensor, tensor2: tensor, /, value=1",
    "torch.addcdiv, Tensor.addcdiv(input, tensor1, tensor2, *, value=1)",
    elementwise=True,
)
op("fma", "x, y, z, /", "tl.fma, tl.math.fma(x, y, z)", reference=":fma", elementwise=True)
op(
    "nan_to_num",
    "input: tensor, /, nan=0.0, posinf=None, neginf=None",
    "torch.nan_to_num, Tensor.nan_to_num(input, nan=0.0, posinf=None, neginf=None)",
    "np.nan_to_num, jnp.nan_to_num(x: input, *, nan=0.0, posinf=None, neginf=None)",
    elementwise=True,
)
