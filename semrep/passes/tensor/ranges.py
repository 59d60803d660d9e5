"""What the elements of an array can be, by construction: an interval that holds in floating
point too, for every element that is not NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass

from semrep.ir.values import OP, Value, is_number, same_structure

_NON_NEGATIVE = frozenset(
    {"relu", "relu6", "exp", "exp2", "square", "abs", "sigmoid", "softmax", "softplus",
     "hardsigmoid", "vector_norm"}
)  # fmt: skip
_NEVER_MINUS_ZERO = frozenset({"exp", "exp2", "square", "abs", "sigmoid", "softmax"})
# The elements of the result are elements of the first operand.
_ARRANGES = frozenset(
    {"reshape", "view", "flatten", "ravel", "unflatten", "permute", "squeeze", "unsqueeze",
     "expand", "contiguous", "clone", "flip", "roll", "repeat", "identity", "narrow", "select",
     "amax", "amin", "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d",
     "adaptive_max_pool2d", "adaptive_max_pool3d"}
)  # fmt: skip
_KEEPS_SIGN = frozenset(
    {"sum", "mean", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
     "adaptive_avg_pool2d", "adaptive_avg_pool3d"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bounds:
    """low <= element <= high, or the element is NaN."""

    low: float
    high: float

    @property
    def is_informative(self) -> bool:
        return self.low > -math.inf or self.high < math.inf


ANYTHING = Bounds(-math.inf, math.inf)


def bounds(value: Value) -> Bounds:
    """The interval of a floating-point array; sums of non-negative numbers may round, but not
    below zero."""
    if is_number(value) and isinstance(value.constant, (int, float)):
        return Bounds(value.constant, value.constant)
    if value.kind != OP or not value.is_pure or value.is_in_place or value.is_tainted:
        return ANYTHING
    name, arguments = value.op_name, value.arguments
    if name == "clamp":
        return _clamped(value)
    if name in ("relu", "relu6"):
        inner = bounds(arguments["input"])
        top = 6.0 if name == "relu6" else math.inf
        return Bounds(min(max(inner.low, 0.0), top), min(max(inner.high, 0.0), top))
    if name in ("softmax", "hardsigmoid") or (name == "sigmoid" and value.framework == "torch"):
        return Bounds(0.0, 1.0)
    if name in _NON_NEGATIVE:
        return Bounds(0.0, math.inf)
    if name in _ARRANGES:
        return bounds(arguments["input"])
    if name in _KEEPS_SIGN:
        return _signs(bounds(arguments["input"]))
    if name == "mul" and same_structure(arguments["input"], arguments["other"]):
        return Bounds(0.0, math.inf)
    if name in ("add", "mul"):
        parts = [bounds(arguments["input"]), bounds(arguments["other"])]
        if name == "add" and arguments["alpha"].constant != 1:
            return ANYTHING
        return Bounds(0.0 if all(p.low >= 0 for p in parts) else -math.inf, math.inf)
    return ANYTHING


def _signs(inner: Bounds) -> Bounds:
    return Bounds(0.0 if inner.low >= 0 else -math.inf, 0.0 if inner.high <= 0 else math.inf)


def _clamped(value: Value) -> Bounds:
    inner = bounds(value.arguments["input"])
    low, high = inner.low, inner.high
    least, most = (value.arguments[n] for n in ("min", "max"))
    for limit in (least, most):
        if limit.constant is not None and not isinstance(limit.constant, (int, float)):
            return ANYTHING
    if least.constant is not None:
        low, high = max(low, least.constant), max(high, least.constant)
    if most.constant is not None:
        low, high = min(low, most.constant), min(high, most.constant)
    return ANYTHING if math.isnan(low) or math.isnan(high) else Bounds(low, high)


def may_be_minus_zero(value: Value) -> bool:
    """Whether an element may be -0.0, which compares equal to 0 and is another bit pattern."""
    if value.kind == OP and value.op_name in _ARRANGES:
        return may_be_minus_zero(value.arguments["input"])
    if value.kind == OP and value.op_name == "mul" and value.is_pure:
        return not same_structure(value.arguments["input"], value.arguments["other"])
    return not (value.kind == OP and value.op_name in _NEVER_MINUS_ZERO)
