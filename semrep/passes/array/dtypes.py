"""Element types that meet: NumPy 2's rules (NEP 50), and torch's where both are tensors."""

from __future__ import annotations

_KINDS = {"bool": 0, "int32": 1, "int64": 1, "float32": 2, "float64": 2,
          "complex64": 3, "complex128": 3}  # fmt: skip
_BITS = {"bool": 8, "int32": 32, "int64": 64, "float32": 32, "float64": 64,
         "complex64": 32, "complex128": 64}  # fmt: skip
_BY_KIND = {1: "int", 2: "float", 3: "complex"}


_SUBSCRIPTS = frozenset({"int8", "int16", "uint8", "uint16", "uint32"})
"""Types that arrays of subscripts and bytes have; no rule here computes with them."""


def is_known(dtype: str) -> bool:
    """Whether the result of arithmetic with the type is known."""
    return dtype in _KINDS


def is_named(dtype: str) -> bool:
    """Whether an array of the type may be looked at at all."""
    return dtype in _KINDS or dtype in _SUBSCRIPTS


def is_subscript(dtype: str) -> bool:
    """Whether elements of the type are integers that fit into 64 bits with a sign."""
    return dtype in ("int32", "int64") or dtype in _SUBSCRIPTS


def kind_of(dtype: str) -> int:
    """0: bool, 1: integer, 2: floating point, 3: complex."""
    return _KINDS[dtype]


def _name(kind: int, bits: int) -> str:
    if kind == 0:
        return "bool"
    return f"{_BY_KIND[kind]}{bits * 2 if kind == 3 else bits}"


def promoted(a: str, a_is_weak: bool, b: str, b_is_weak: bool, framework: str) -> str | None:
    """The type of the result of arithmetic; None where it is up to more than the types."""
    if a not in _KINDS or b not in _KINDS:
        return None
    if a_is_weak == b_is_weak:
        if framework == "torch":
            return a if a == b else None
        kind = max(_KINDS[a], _KINDS[b])
        bits = max(_BITS[a], _BITS[b])
        if kind >= 2 and {_KINDS[a], _KINDS[b]} & {1} and min(_KINDS[a], _KINDS[b]) == 1:
            bits = 64  # a 32-bit float holds no 32-bit integer
        return _name(kind, bits)
    weak, strong = (a, b) if a_is_weak else (b, a)
    if _KINDS[weak] <= _KINDS[strong]:
        return strong
    if framework == "torch":
        return None  # up to the default type
    if _KINDS[weak] == 3 and _KINDS[strong] == 2:
        return _name(3, _BITS[strong])
    return _name(_KINDS[weak], 64)


def division(dtype: str, framework: str) -> str:
    """The type of a quotient, or of a function's value, from that of the operands."""
    if _KINDS[dtype] >= 2:
        return dtype
    return "float32" if framework == "torch" else "float64"


def may_be_stored(value: str, target: str) -> bool:
    """Whether storing loses no kind of number: NumPy's rule `same_kind`."""
    return value in _KINDS and target in _KINDS and _KINDS[value] <= _KINDS[target]
