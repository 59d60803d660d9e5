"""libdevice's operations with a rounding mode: nearest, to zero, down, up.

Computed exactly with rational numbers and rounded once, element by element: slow, and right for
every precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Exact = Callable[..., Fraction]
_MODES = ("rn", "rz", "rd", "ru")


def _rounded(exact: Fraction, mode: str, kind: type[Any], sign_of_zero: float) -> Any:
    """The number of this kind next to `exact` in the mode's direction."""
    nearest = _nearest(exact, kind)
    if mode == "rz":
        mode = "rd" if exact > 0 else "ru"
    if mode == "rd" and _above(nearest, exact):
        nearest = np.nextafter(nearest, kind(-np.inf))
    if mode == "ru" and _below(nearest, exact):
        nearest = np.nextafter(nearest, kind(np.inf))
    return nearest if nearest != 0 else kind(math.copysign(0.0, exact or sign_of_zero))


def _nearest(exact: Fraction, kind: type[Any]) -> Any:
    """Ties to even; infinity where it overflows."""
    try:
        guess = kind(float(exact))  # rounded twice for float32: a neighbour may be nearer
    except OverflowError:
        return kind(math.copysign(np.inf, exact))
    if not np.isfinite(guess) or kind is np.float64:
        return guess
    around = [np.nextafter(guess, kind(-np.inf)), guess, np.nextafter(guess, kind(np.inf))]
    finite = [x for x in around if np.isfinite(x)]
    even = {x: int(x.view(np.uint32)) & 1 for x in finite}
    return min(finite, key=lambda x: (abs(Fraction(float(x)) - exact), even[x]))


def _above(x: Any, exact: Fraction) -> bool:
    return bool(np.isposinf(x)) or (bool(np.isfinite(x)) and Fraction(float(x)) > exact)


def _below(x: Any, exact: Fraction) -> bool:
    return bool(np.isneginf(x)) or (bool(np.isfinite(x)) and Fraction(float(x)) < exact)


def _operation(exact: Exact, plain: Callable[..., Any], mode: str) -> Callable[..., Array]:
    """plain: NumPy's function, for the cases without an exact finite value."""

    def one(kind: type[Any], *values: Any) -> Any:
        usual = plain(*values)
        if not all(math.isfinite(v) for v in values) or math.isnan(usual):
            return usual
        try:
            value = exact(*(Fraction(float(v)) for v in values))
        except ZeroDivisionError:
            return usual
        if value == 0 and mode == "rd" and plain in (np.add, np.subtract) and any(values):
            return kind(-0.0)  # x - x is -0 when rounding down
        return _rounded(value, mode, kind, math.copysign(1.0, usual))

    def call(*values: Array) -> Array:
        kind = np.result_type(*values).type
        spread = np.broadcast_arrays(*(np.asarray(v, kind) for v in values))
        flat = [one(kind, *row) for row in zip(*(v.reshape(-1) for v in spread), strict=True)]
        return np.array(flat, dtype=kind).reshape(spread[0].shape)

    return call


def _root(mode: str) -> Callable[[Array], Array]:
    def one(x: Any) -> Any:
        nearest = np.sqrt(x)
        if mode == "rn" or not math.isfinite(nearest) or nearest == 0:
            return nearest
        kind, square = type(x), Fraction(float(nearest)) ** 2
        if mode in ("rd", "rz") and square > Fraction(float(x)):
            return np.nextafter(nearest, kind(-np.inf))
        if mode == "ru" and square < Fraction(float(x)):
            return np.nextafter(nearest, kind(np.inf))
        return nearest

    def call(x: Array) -> Array:
        flat = [one(v) for v in x.reshape(-1)]
        return np.array(flat, dtype=x.dtype).reshape(x.shape)

    return call


def _fused(a: Any, b: Any, c: Any) -> Any:
    return np.float64(a) * np.float64(b) + np.float64(c)


def _to_float(mode: str, kind: type[Any], unsigned: bool) -> Callable[[Array], Array]:
    """An integer, or a double, as this kind of float."""

    def one(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return kind(value)
        return _rounded(Fraction(value), mode, kind, math.copysign(1.0, value))

    def call(x: Array) -> Array:
        if unsigned:
            x = x.astype(np.dtype(f"u{x.dtype.itemsize}"))
        flat = [one(v) for v in x.reshape(-1).tolist()]
        return np.array(flat, dtype=kind).reshape(x.shape)

    return call


_TO_WHOLE = {"rn": np.rint, "rz": np.trunc, "rd": np.floor, "ru": np.ceil}


def to_integer(mode: str, kind: type[Any]) -> Callable[[Array], Array]:
    """A float as this kind of integer: saturated; NaN is 0, or the top bit of 64."""

    def call(x: Array) -> Array:
        whole = _TO_WHOLE[mode](x)
        limits = np.iinfo(kind)
        low, high = whole <= float(limits.min), whole >= float(limits.max)
        inside = np.where(low | high | np.isnan(whole), 0, whole).astype(kind)
        result = np.where(low, limits.min, np.where(high, limits.max, inside)).astype(kind)
        undefined = (
            kind(0) if limits.bits == 32 else kind(1 << 63 if limits.min == 0 else limits.min)
        )
        return np.where(np.isnan(x), undefined, result)

    return call


def _table() -> dict[str, Callable[..., Any]]:
    table: dict[str, Callable[..., Any]] = {}
    for mode in _MODES:
        table[f"add_{mode}"] = _operation(lambda a, b: a + b, np.add, mode)
        table[f"sub_{mode}"] = _operation(lambda a, b: a - b, np.subtract, mode)
        table[f"mul_{mode}"] = _operation(lambda a, b: a * b, np.multiply, mode)
        table[f"div_{mode}"] = _operation(lambda a, b: a / b, np.divide, mode)
        table[f"rcp_{mode}"] = _operation(lambda a: 1 / a, np.reciprocal, mode)
        table[f"fma_{mode}"] = _operation(lambda a, b, c: a * b + c, _fused, mode)
        table[f"sqrt_{mode}"] = _root(mode)
        table[f"double2float_{mode}"] = _to_float(mode, np.float32, False)
        for source in ("float", "double"):
            for name, kind in _INTEGERS.items():
                table[f"{source}2{name}_{mode}"] = to_integer(mode, kind)
        for name in _INTEGERS:
            for target, real in (("float", np.float32), ("double", np.float64)):
                table[f"{name}2{target}_{mode}"] = _to_float(mode, real, name.startswith("u"))
    # The plain names round to nearest; so does NumPy, and much faster.
    table.update(add_rn=np.add, sub_rn=np.subtract, mul_rn=np.multiply, div_rn=np.divide)
    table.update(rcp_rn=np.reciprocal, sqrt_rn=np.sqrt, fma=table["fma_rn"])
    table["rsqrt_rn"] = lambda x: 1 / np.sqrt(np.asarray(x, np.float64))
    return table


_INTEGERS: dict[str, type[Any]] = {
    "int": np.int32, "uint": np.uint32, "ll": np.int64, "ull": np.uint64,
}  # fmt: skip
ROUNDING = _table()
