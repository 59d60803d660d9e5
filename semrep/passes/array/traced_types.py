"""Element types and shapes of jax arrays, and what operators and functions make of them.

jax's lattice of types: https://docs.jax.dev/en/latest/type_promotion.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

_CATEGORY = {
    "bool": 0, "int32": 1, "int64": 1, "float16": 2, "bfloat16": 2, "float32": 2, "float64": 2,
}  # fmt: skip
_BITS = {
    "bool": 8, "int32": 32, "int64": 64, "float16": 16, "bfloat16": 16, "float32": 32,
    "float64": 64,
}  # fmt: skip
DTYPES = frozenset(_CATEGORY)


class Mistyped(Exception):
    """What an operation does with these types is not known."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A jax array. weak: its type gives way to that of other arrays. shape: as observed."""

    dtype: str
    shape: tuple[int, ...] = ()
    weak: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        return _CATEGORY[self.dtype] == 2


@dataclass(frozen=True, slots=True)
class Number:
    """One of Python's own numbers. kind: `int`, `float` or `bool`. value: where jax may be told
    it while it traces."""

    kind: str
    value: int | float | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A tuple or list."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A literal string, or an element type by its name."""

    text: str


Value = Traced | Number | Items | Word


@dataclass(frozen=True, slots=True)
class Defaults:
    """What jax makes where no type is given. is_wide: with jax_enable_x64."""

    is_wide: bool

    @property
    def real(self) -> str:
        return "float64" if self.is_wide else "float32"

    @property
    def integer(self) -> str:
        return "int64" if self.is_wide else "int32"

    def named(self, dtype: object) -> str:
        """An element type by its name. Raises Mistyped."""
        if dtype not in _CATEGORY or dtype in ("float64", "int64") and not self.is_wide:
            raise Mistyped("this element type is not known")
        return str(dtype)

    def array(self, value: Value) -> Traced:
        """The array that an operation makes of an operand. Raises Mistyped."""
        if isinstance(value, Number):
            dtype = {"int": self.integer, "float": self.real, "bool": "bool"}[value.kind]
            return Traced(dtype, (), value.kind != "bool")
        if isinstance(value, Traced):
            return value
        raise Mistyped("this is no array")

    def joined(self, values: Sequence[Value]) -> Traced:
        """The type in which operands meet, and the shape that they are broadcast to. Raises
        Mistyped."""
        first, *rest = [self.array(v) for v in values]
        for other in rest:
            dtype, weak = self._joined(first, other)
            first = Traced(dtype, broadcast(first.shape, other.shape), weak)
        return first

    def _joined(self, a: Traced, b: Traced) -> tuple[str, bool]:
        one, other = _CATEGORY[a.dtype], _CATEGORY[b.dtype]
        if a.weak != b.weak:
            weak, strong = (a, b) if a.weak else (b, a)
            if _CATEGORY[weak.dtype] <= _CATEGORY[strong.dtype]:
                return strong.dtype, False
            return weak.dtype, True
        if one != other:
            return (a if one > other else b).dtype, a.weak
        if a.dtype == b.dtype:
            return a.dtype, a.weak
        if _BITS[a.dtype] == _BITS[b.dtype]:
            return "float32", a.weak  # float16 and bfloat16 meet above both
        return max(a.dtype, b.dtype, key=_BITS.__getitem__), a.weak


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an elementwise operation's result. Raises Mistyped."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    shape = list(longer)
    for place, size in enumerate(shorter, len(longer) - len(shorter)):
        if size != shape[place] and 1 not in (size, shape[place]):
            raise Mistyped("these shapes do not go together")
        if shape[place] == 1:
            shape[place] = size
    return tuple(shape)


def axes(rank: int, axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Dimensions counted from the front. Raises Mistyped."""
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple) else (axis,)
    if any(type(a) is not int for a in given):
        raise Mistyped("no dimension is named")
    found = tuple(sorted({a + rank * (a < 0) for a in given}))
    if any(not 0 <= a < rank for a in found):
        raise Mistyped("there is no such dimension")
    return found


def reduced(
    shape: tuple[int, ...], axis: int | tuple[int, ...] | None, keeps: bool
) -> tuple[int, ...]:
    """The shape of a reduction's result. Raises Mistyped."""
    gone = axes(len(shape), axis)
    if any(not shape[a] for a in gone):
        raise Mistyped("nothing is reduced")
    if keeps:
        return tuple(1 if a in gone else n for a, n in enumerate(shape))
    return tuple(n for a, n in enumerate(shape) if a not in gone)


def product(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of `a @ b`. Raises Mistyped."""
    if not a or not b or a[-1] != b[-2 if len(b) > 1 else 0]:
        raise Mistyped("these shapes do not go together")
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    return (*broadcast(a[:-2], b[:-2]), *rows, *columns)


def contracted(spec: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of an einsum's result. Raises Mistyped."""
    inputs, arrow, output = spec.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow or len(terms) != len(shapes) or not (inputs.replace(",", "") + output).isalpha():
        raise Mistyped("this sum is not understood")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape):
            raise Mistyped("these shapes do not go together")
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise Mistyped("these shapes do not go together")
    if not set(output) <= set(sizes) or len(set(output)) != len(output):
        raise Mistyped("this sum is not understood")
    return tuple(sizes[letter] for letter in output)


def reshaped(shape: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a reshape gives. Raises Mistyped."""
    count = math.prod(shape)
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known and not count % known:
        return tuple(count // known if n == -1 else n for n in sizes)
    if -1 in sizes or known != count:
        raise Mistyped("these shapes do not go together")
    return sizes


def concatenated(defaults: Defaults, parts: Sequence[Value], axis: int) -> Traced:
    """What arrays make one after the other. Raises Mistyped."""
    arrays = [defaults.array(p) for p in parts]
    if not arrays or len({a.rank for a in arrays}) > 1:
        raise Mistyped("these shapes do not go together")
    (at,) = axes(arrays[0].rank, axis)
    if len({a.shape[:at] + a.shape[at + 1 :] for a in arrays}) > 1:
        raise Mistyped("these shapes do not go together")
    found = defaults.joined([replace(a, shape=()) for a in arrays])
    size = sum(a.shape[at] for a in arrays)
    first = arrays[0].shape
    return replace(found, shape=(*first[:at], size, *first[at + 1 :]))
