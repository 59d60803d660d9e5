"""libdevice's functions of integers and of bit patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.triton.libdevice_real import REAL
from semrep.runtime.triton.libdevice_rounding import to_integer

Array = NDArray[Any]


def _each(function: Callable[..., int]) -> Callable[..., Array]:
    """Applies to the values as Python integers; the result wraps to the first one's dtype."""

    def call(*values: Array) -> Array:
        spread = np.broadcast_arrays(*values)
        bits = spread[0].dtype.itemsize * 8
        rows = zip(*(v.reshape(-1).tolist() for v in spread), strict=True)
        wrapped = [function(bits, *row) & ((1 << bits) - 1) for row in rows]
        unsigned = np.array(wrapped, dtype=np.dtype(f"u{bits // 8}"))
        return unsigned.view(spread[0].dtype).reshape(spread[0].shape)

    return call


def _pattern(bits: int, x: int) -> int:
    return x & ((1 << bits) - 1)


def _low24(x: int) -> int:
    """The low 24 bits, with sign."""
    low = x & 0xFFFFFF
    return low - (1 << 24) if low >> 23 else low


def _byte_perm(_: int, x: int, y: int, selector: int) -> int:
    source = (_pattern(32, y) << 32) | _pattern(32, x)
    result = 0
    for place in range(4):
        nibble = selector >> (4 * place)
        byte = (source >> (8 * (nibble & 7))) & 0xFF
        if nibble & 8:
            byte = 0xFF if byte >> 7 else 0
        result |= byte << (8 * place)
    return result


def _mul24(x: Array, y: Array) -> Array:
    if x.dtype.kind == "u":
        return (x & np.uint32(0xFFFFFF)) * (y & np.uint32(0xFFFFFF))
    return _each(lambda bits, a, b: _low24(a) * _low24(b))(x, y)


def _as(kind: str) -> Callable[[Array], Array]:
    return lambda x: np.ascontiguousarray(x).view(kind).reshape(x.shape)


def _halves(high: Array, low: Array) -> Array:
    pattern = (high.astype(np.uint32).astype(np.uint64) << np.uint64(32)) | low.astype(
        np.uint32
    ).astype(np.uint64)
    return np.asarray(pattern).view(np.float64)


def _half(shift: int) -> Callable[[Array], Array]:
    def call(x: Array) -> Array:
        pattern = np.ascontiguousarray(x).view(np.uint64).reshape(x.shape)
        return (pattern >> np.uint64(shift)).astype(np.uint32).view(np.int32)

    return call


INTEGER: dict[str, Callable[..., Any]] = {
    "brev": _each(lambda bits, x: int(f"{_pattern(bits, x):0{bits}b}"[::-1], 2)),
    "byte_perm": _each(_byte_perm),
    "clz": _each(lambda bits, x: bits - _pattern(bits, x).bit_length()),
    "double2hiint": _half(32), "double2loint": _half(0),
    "double_as_longlong": _as("i8"),
    "ffs": _each(lambda bits, x: (_pattern(bits, x) & -_pattern(bits, x)).bit_length()),
    "float_as_int": _as("i4"), "float_as_uint": _as("u4"),
    "hadd": _each(lambda bits, a, b: (a + b) >> 1),
    "hiloint2double": _halves, "int_as_float": _as("f4"),
    "llrint": to_integer("rn", np.int64),
    "llround": lambda x: to_integer("rz", np.int64)(REAL["round"](x)),
    "longlong_as_double": _as("f8"), "mul24": _mul24,
    "mulhi": _each(lambda bits, a, b: (a * b) >> bits),
    "popc": _each(lambda bits, x: _pattern(bits, x).bit_count()),
    "rhadd": _each(lambda bits, a, b: (a + b + 1) >> 1),
    "sad": _each(lambda bits, a, b, c: abs(a - b) + c), "uint_as_float": _as("f4"),
}  # fmt: skip
