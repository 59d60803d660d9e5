"""What functions of jax give, for those that do nothing but give it: the types of their results.

A function that is not here may do anything. Options must be written out as literals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from semrep.passes.array.traced_types import (
    Defaults,
    Items,
    Mistyped,
    Number,
    Traced,
    Value,
    Word,
    axes,
    broadcast,
    concatenated,
    contracted,
    product,
    reduced,
    reshaped,
)  # fmt: skip

_REAL = frozenset(
    {"sin", "cos", "tan", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "tanh",
     "sinh", "cosh", "arcsin", "arccos", "arctan", "arcsinh", "arctanh", "cbrt", "floor", "ceil",
     "sinc", "nan_to_num"}
)  # fmt: skip
_LAX = frozenset({"exp", "log", "tanh", "sin", "cos", "sqrt", "rsqrt", "logistic", "erf"})
_NN = frozenset(
    {"relu", "relu6", "sigmoid", "silu", "swish", "softplus", "gelu", "elu", "selu", "tanh",
     "leaky_relu", "log_sigmoid", "soft_sign", "hard_tanh", "mish", "celu"}
)  # fmt: skip
_KEEPS = frozenset({"abs", "absolute", "negative", "square", "positive", "sign"})
_PAIRWISE = frozenset({"add", "subtract", "multiply", "maximum", "minimum"})
_PAIRWISE_REAL = frozenset({"divide", "true_divide", "arctan2", "hypot", "logaddexp"})
_COMPARISONS = frozenset(
    {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
)  # fmt: skip
_LOGIC = frozenset({"logical_and", "logical_or", "logical_not", "logical_xor"})
_REDUCTIONS = frozenset({"sum", "mean", "prod", "std", "var"})
_EXTREMES = frozenset({"max", "min", "amax", "amin"})
_METHODS = frozenset(
    {"sum", "mean", "prod", "std", "var", "max", "min", "any", "all", "dot", "reshape", "ravel",
     "flatten", "transpose", "astype", "swapaxes"}
)  # fmt: skip

Handler = Callable[["Call"], Value]


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose arguments' types are known. options: the keyword arguments."""

    defaults: Defaults
    name: str
    given: tuple[Value, ...]
    options: Mapping[str, Value]

    def only(self, least: int, most: int, *options: str) -> None:
        if not least <= len(self.given) <= most or set(self.options) - set(options):
            raise Mistyped("this call is not understood")

    def array(self, place: int = 0) -> Traced:
        """An operand with a type of its own: functions differ in what they make of others."""
        found = self.defaults.array(self.given[place])
        if found.weak:
            raise Mistyped("the type of this gives way to others")
        return found

    def real(self, place: int = 0) -> Traced:
        found = self.array(place)
        if not found.is_float:
            raise Mistyped("this is not of a floating-point type")
        return found

    def option(self, name: str, place: int, default: Any = None) -> Any:
        """A literal that is given by its name or its place."""
        if name in self.options:
            return literal(self.options[name])
        return literal(self.given[place]) if place < len(self.given) else default


def literal(value: Value) -> Any:
    """Python's own value of what is written out. Raises Mistyped."""
    if isinstance(value, Word):
        return value.text
    if isinstance(value, Number) and value.value is not None:
        return value.value
    if isinstance(value, Items):
        return tuple(literal(v) for v in value.items)
    raise Mistyped("this is not a literal")


def _sizes(value: Any) -> tuple[int, ...]:
    found = value if isinstance(value, tuple) else (value,)
    if any(type(n) is not int for n in found):
        raise Mistyped("these are no sizes")
    return found


def _axis(rank: int, value: Any) -> int:
    """One dimension, counted from the front. Raises Mistyped."""
    if type(value) is not int:
        raise Mistyped("no dimension is named")
    return axes(rank, value)[0]


def result(
    defaults: Defaults, path: str, given: Sequence[Value], options: Mapping[str, Value]
) -> Value:
    """The type of what `path(given)` gives. Raises Mistyped."""
    handler = _PATHS.get(path)
    if handler is None:
        raise Mistyped("this may do more than give an array")
    return handler(Call(defaults, path.rpartition(".")[2], tuple(given), options))


def method(
    defaults: Defaults,
    name: str,
    owner: Traced,
    given: Sequence[Value],
    options: Mapping[str, Value],
) -> Value:
    """The type of what `owner.name(given)` gives. Raises Mistyped."""
    if name not in _METHODS:
        raise Mistyped("this may do more than give an array")
    if name in ("reshape", "transpose") and given and not isinstance(given[0], Items):
        given = [Items(tuple(given))]
    if name == "flatten":
        name = "ravel"
    return result(defaults, f"jax.numpy.{name}", [owner, *given], options)


def _elementwise(call: Call) -> Value:
    call.only(1, 1)
    return call.real()


def _kept(call: Call) -> Value:
    call.only(1, 1)
    found = call.array()
    if found.dtype == "bool":
        raise Mistyped("this is a bool")
    return found


def _pairwise(call: Call) -> Value:
    call.only(2, 2)
    found = call.defaults.joined(call.given)
    if found.dtype == "bool" or call.name in _PAIRWISE_REAL and not found.is_float:
        raise Mistyped("this is not of a floating-point type")
    return _strong(found)


def _strong(found: Traced) -> Traced:
    # Where operands give way, functions differ in whether the result does.
    if found.weak:
        raise Mistyped("the type of this gives way to others")
    return found


def power(defaults: Defaults, base: Value, exponent: Value) -> Value:
    """A power of an array. Raises Mistyped."""
    # jax multiplies for an exponent that it sees, and has another function for one it does not.
    if isinstance(exponent, Number) and exponent.value is None or isinstance(base, Number):
        raise Mistyped("the exponent is not a literal")
    found = _strong(defaults.joined([base, exponent]))
    if not found.is_float:
        raise Mistyped("this is not of a floating-point type")
    return found


def _power(call: Call) -> Value:
    call.only(2, 2)
    return power(call.defaults, *call.given)


def _compared(call: Call) -> Value:
    operands = 1 if call.name == "logical_not" else 2
    call.only(operands, operands)
    return Traced("bool", call.defaults.joined(call.given).shape)


def _chosen(call: Call) -> Value:
    call.only(3, 3)
    condition = call.array()
    if condition.dtype != "bool":
        raise Mistyped("this condition is no bool")
    found = _strong(call.defaults.joined(call.given[1:]))
    return replace(found, shape=broadcast(condition.shape, found.shape))


def _clipped(call: Call) -> Value:
    call.only(3, 3)
    found = call.defaults.joined(call.given)
    if found.dtype != call.array().dtype or not found.is_float:
        raise Mistyped("the limits change the type")
    return found


def _reduced(call: Call) -> Value:
    call.only(1, 2, "axis", "keepdims")
    found = call.array()
    shape = reduced(found.shape, call.option("axis", 1), bool(call.option("keepdims", 9)))
    if call.name in ("any", "all"):
        return Traced("bool", shape)
    if found.dtype == "bool" and call.name in ("sum", "mean"):
        dtype = call.defaults.integer if call.name == "sum" else call.defaults.real
        return Traced(dtype, shape)
    if not found.is_float and (call.name not in _EXTREMES or found.dtype == "bool"):
        raise Mistyped("this is not of a floating-point type")
    return replace(found, shape=shape)


def _norm(call: Call) -> Value:
    call.only(1, 1, "axis", "keepdims")
    found = call.real()
    axis = call.option("axis", 9)
    if found.rank > 1 and not isinstance(axis, int):
        raise Mistyped("this is no norm of vectors")
    return replace(found, shape=reduced(found.shape, axis, bool(call.option("keepdims", 9))))


def _along(call: Call) -> Value:
    call.only(1, 2, "axis")
    found = call.real()
    default = None if call.name == "cumsum" else -1
    axis = call.option("axis", 1, default)
    _axis(found.rank, axis)
    return found


def _product(call: Call) -> Value:
    call.only(2, 2)
    return matmul(call.defaults, *call.given)


def matmul(defaults: Defaults, left: Value, right: Value) -> Value:
    """Raises Mistyped."""
    a, b = defaults.array(left), defaults.array(right)
    found = defaults.joined([replace(a, shape=()), replace(b, shape=())])
    if not found.is_float:
        raise Mistyped("this is not of a floating-point type")
    return replace(found, shape=product(a.shape, b.shape))


def _dot(call: Call) -> Value:
    if all(isinstance(g, Traced) and g.rank <= 2 for g in call.given):
        return _product(call)
    raise Mistyped("this is no product of vectors or matrices")


def _outer(call: Call) -> Value:
    call.only(2, 2)
    a, b = call.real(0), call.real(1)
    if a.rank != 1 or b.rank != 1:
        raise Mistyped("these are no vectors")
    found = call.defaults.joined([replace(a, shape=()), replace(b, shape=())])
    return replace(found, shape=a.shape + b.shape)


def _einsum(call: Call) -> Value:
    if call.options or not call.given or not isinstance(call.given[0], Word):
        raise Mistyped("this sum is not understood")
    arrays = [call.real(place) for place in range(1, len(call.given))]
    found = call.defaults.joined([replace(a, shape=()) for a in arrays])
    return replace(found, shape=contracted(call.given[0].text, [a.shape for a in arrays]))


def _reshaped(call: Call) -> Value:
    call.only(2, 2)
    return replace(call.array(), shape=reshaped(call.array().shape, _sizes(literal(call.given[1]))))


def _ravelled(call: Call) -> Value:
    call.only(1, 1)
    return replace(call.array(), shape=reshaped(call.array().shape, (-1,)))


def _transposed(call: Call) -> Value:
    call.only(1, 2, "axes")
    found = call.array()
    order = call.option("axes", 1)
    order = tuple(range(found.rank))[::-1] if order is None else _sizes(order)
    if sorted(order) != list(range(found.rank)):
        raise Mistyped("these are not the dimensions")
    return replace(found, shape=tuple(found.shape[a] for a in order))


def _swapped(call: Call) -> Value:
    call.only(3, 3)
    found = call.array()
    one, other = (_axis(found.rank, literal(g)) for g in call.given[1:])
    shape = list(found.shape)
    shape[one], shape[other] = shape[other], shape[one]
    return replace(found, shape=tuple(shape))


def _expanded(call: Call) -> Value:
    call.only(1, 2, "axis")
    found = call.array()
    at = _axis(found.rank + 1, call.option("axis", 1))
    return replace(found, shape=(*found.shape[:at], 1, *found.shape[at:]))


def _parts(call: Call) -> tuple[Value, ...]:
    if not call.given or not isinstance(call.given[0], Items):
        raise Mistyped("these are not the parts one by one")
    return call.given[0].items


def _concatenated(call: Call) -> Value:
    call.only(1, 2, "axis")
    axis = call.option("axis", 1, 0)
    if type(axis) is not int:
        raise Mistyped("no dimension is named")
    return concatenated(call.defaults, _parts(call), axis)


def _stacked(call: Call) -> Value:
    call.only(1, 2, "axis")
    arrays = [call.defaults.array(p) for p in _parts(call)]
    if len({a.shape for a in arrays}) != 1:
        raise Mistyped("these shapes do not go together")
    at = _axis(arrays[0].rank + 1, call.option("axis", 1, 0))
    parts = [replace(a, shape=(*a.shape[:at], 1, *a.shape[at:])) for a in arrays]
    return concatenated(call.defaults, parts, at)


def _split(call: Call) -> Value:
    call.only(2, 3, "axis")
    found, count = call.array(), literal(call.given[1])
    at = _axis(found.rank, call.option("axis", 2, 0))
    if type(count) is not int or count < 1 or found.shape[at] % count:
        raise Mistyped("these parts are not understood")
    shape = (*found.shape[:at], found.shape[at] // count, *found.shape[at + 1 :])
    return Items((replace(found, shape=shape),) * count)


def _made(call: Call) -> Value:
    call.only(1, 2, "dtype", "shape")
    shape = _sizes(call.option("shape", 0))
    dtype = call.option("dtype", 1, call.defaults.real)
    if any(n < 0 for n in shape):
        raise Mistyped("these are no sizes")
    return Traced(call.defaults.named(dtype), shape)


def _like(call: Call) -> Value:
    call.only(1, 1)
    return call.array()


def _cast(call: Call) -> Value:
    call.only(1, 2, "dtype")
    return Traced(call.defaults.named(call.option("dtype", 1)), call.array().shape)


def _counted(call: Call) -> Value:
    call.only(1, 1)
    count = literal(call.given[0])
    if type(count) is not int:
        raise Mistyped("this is no integer")
    return Traced(call.defaults.integer, (max(count, 0),))


def _taken(call: Call) -> Value:
    call.only(2, 2, "axis", "mode")
    found, indices = call.array(), call.array(1)
    if call.option("axis", 9) != 0 or call.option("mode", 9) != "clip" or not found.rank:
        raise Mistyped("what this takes is not known")
    if indices.dtype not in ("int32", "int64"):
        raise Mistyped("these are no integers")
    return replace(found, shape=(*indices.shape, *found.shape[1:]))


_NUMPY: dict[frozenset[str], Handler] = {
    _REAL: _elementwise, _KEEPS: _kept, _PAIRWISE | _PAIRWISE_REAL: _pairwise,
    _COMPARISONS | _LOGIC: _compared,
    _REDUCTIONS | _EXTREMES | {"any", "all"}: _reduced,
    frozenset({"power"}): _power, frozenset({"where"}): _chosen, frozenset({"clip"}): _clipped,
    frozenset({"cumsum"}): _along, frozenset({"matmul"}): _product, frozenset({"dot"}): _dot,
    frozenset({"outer"}): _outer, frozenset({"einsum"}): _einsum,
    frozenset({"reshape"}): _reshaped, frozenset({"ravel"}): _ravelled,
    frozenset({"transpose"}): _transposed, frozenset({"swapaxes"}): _swapped,
    frozenset({"expand_dims"}): _expanded, frozenset({"concatenate"}): _concatenated,
    frozenset({"stack"}): _stacked, frozenset({"split"}): _split,
    frozenset({"zeros", "ones"}): _made, frozenset({"zeros_like", "ones_like"}): _like,
    frozenset({"astype"}): _cast, frozenset({"arange"}): _counted, frozenset({"take"}): _taken,
}  # fmt: skip
_PATHS: dict[str, Handler] = {
    **{f"jax.numpy.{name}": handler for names, handler in _NUMPY.items() for name in names},
    **{f"jax.lax.{name}": _elementwise for name in _LAX},
    **{f"jax.nn.{name}": _elementwise for name in _NN},
    "jax.numpy.linalg.norm": _norm,
    "jax.nn.softmax": _along,
    "jax.nn.log_softmax": _along,
    "jax.nn.logsumexp": _reduced,
    "jax.scipy.special.logsumexp": _reduced,
    "jax.scipy.special.expit": _elementwise,
}
