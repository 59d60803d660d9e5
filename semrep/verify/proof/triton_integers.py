"""Integers of Triton as bit-vectors, and compile-time integers as ones that are wide enough.

Types and promotion follow `triton.language.semantic` (3.2 to 3.9): a compile-time scalar takes
the block's or scalar's type and must fit it; two run-time integers take the wider type, unsigned
on a tie; `//` and `%` truncate, as C's do; `>>` is arithmetic on signed types. What LLVM leaves
undefined (division by zero, the least value by -1, shifts by the width or more) is an unknown
function of the operands, so it equals only itself.
"""

from __future__ import annotations

import ast
from typing import Any

from semrep.verify.proof.solver import z3
from semrep.verify.proof.trace import Value

RUNTIME = ("i1", "i32", "i64", "u64")
STATIC = ("cint", "cbool")
_WIDEST = 200

WIDTH = {"i32": 32, "i64": 64, "u64": 64}


def literal(value: int) -> Any:
    """A compile-time integer of the least width."""
    return z3().BitVecVal(value, max(value.bit_length() + 1, 2))


def is_small(value: Value) -> bool:
    """Whether this is a compile-time integer of known value that is an int32."""
    m = z3()
    if value.kind != "cint" or not m.is_bv_value(value.term):
        return False
    return -(2**31) <= int(value.term.as_signed_long()) < 2**31


def number(value: Value) -> Any:
    """A compile-time bool or int as an int."""
    if value.kind == "cbool":
        return z3().If(value.term, literal(1), literal(0))
    return value.term


def extend(term: Any, width: int) -> Any:
    """The same signed number in more bits."""
    more = width - term.size()
    return z3().SignExt(more, term) if more > 0 else term


def fits(term: Any, kind: str) -> Any:
    """Whether a compile-time integer is a value of the run-time type."""
    m = z3()
    wide = extend(term, 66)
    low, high = {"i32": (-(2**31), 2**31), "i64": (-(2**63), 2**63), "u64": (0, 2**64)}[kind]
    size = wide.size()
    return m.And(m.BitVecVal(low, size) <= wide, wide < m.BitVecVal(high, size))


def narrowed(term: Any, kind: str) -> Any:
    """A compile-time integer that fits, as the run-time type."""
    wide = extend(term, 66)
    return z3().Extract(WIDTH[kind] - 1, 0, wide)


def converted(term: Any, source: str, target: str) -> Any:
    """A run-time integer of one type cast to another. Sign-extends signed sources."""
    m = z3()
    if source == target:
        return term
    if target == "i1":
        return term != 0
    width = WIDTH[target]
    if source == "i1":
        return m.If(term, m.BitVecVal(1, width), m.BitVecVal(0, width))
    size = term.size()
    if size >= width:
        return m.Extract(width - 1, 0, term) if size > width else term
    return m.SignExt(width - size, term)


def promoted(a: str, b: str) -> str:
    """The type of an operation on two run-time integers."""
    order = ("i1", "i32", "i64", "u64")
    return max(a, b, key=order.index)


def static_binary(op: ast.operator, a: Any, b: Any) -> Any | None:
    """Python's operation on compile-time integers, exactly; None where it is not modelled or
    may raise."""
    m = z3()
    value = m.simplify(b)
    constant = value.as_signed_long() if m.is_bv_value(value) else None
    match op:
        case ast.Add() | ast.Sub():
            width = max(a.size(), b.size()) + 1
        case ast.Mult():
            width = a.size() + b.size()
        case ast.FloorDiv() | ast.Mod() if constant is not None and constant > 0:
            width = max(a.size(), b.size()) + 1
        case ast.LShift() if constant is not None and 0 <= constant <= 64:
            width = a.size() + constant
        case ast.RShift() if constant is not None and 0 <= constant <= 64:
            width = a.size()
        case ast.BitAnd() | ast.BitOr() | ast.BitXor():
            width = max(a.size(), b.size())
        case _:
            return None
    if width > _WIDEST:
        return None
    x = extend(a, width)
    if isinstance(op, ast.LShift):
        return _least(x << constant)
    if isinstance(op, ast.RShift):
        return _least(x >> min(constant or 0, width - 1))
    y = extend(b, width)
    match op:
        case ast.Add():
            found = x + y
        case ast.Sub():
            found = x - y
        case ast.Mult():
            found = x * y
        case ast.FloorDiv():
            rest = m.SRem(x, y)
            found = x / y - m.If(rest < 0, m.BitVecVal(1, width), m.BitVecVal(0, width))
        case ast.Mod():
            rest = m.SRem(x, y)
            found = m.If(rest < 0, rest + y, rest)
        case ast.BitAnd():
            found = x & y
        case ast.BitOr():
            found = x | y
        case _:
            found = x ^ y
    return _least(found)


def _least(term: Any) -> Any:
    simple = z3().simplify(term)
    return literal(simple.as_signed_long()) if z3().is_bv_value(simple) else term


def binary(op: ast.operator, kind: str, x: Any, y: Any) -> Any | None:
    """An operation on two run-time integers of one type (not i1); None where not modelled."""
    m = z3()
    signed = kind != "u64"
    match op:
        case ast.Add():
            return x + y
        case ast.Sub():
            return x - y
        case ast.Mult():
            return x * y
        case ast.BitAnd():
            return x & y
        case ast.BitOr():
            return x | y
        case ast.BitXor():
            return x ^ y
        case ast.FloorDiv():
            found = x / y if signed else m.UDiv(x, y)
        case ast.Mod():
            found = m.SRem(x, y) if signed else m.URem(x, y)
        case ast.LShift():
            found = x << y
        case ast.RShift():
            found = x >> y if signed else m.LShR(x, y)
        case _:
            return None
    unknown = m.Function(f"undefined:{type(op).__name__}:{kind}", x.sort(), x.sort(), x.sort())
    return m.If(is_defined(op, kind, x, y), found, unknown(x, y))


def is_defined(op: ast.operator, kind: str, x: Any, y: Any) -> Any:
    """Whether LLVM says what an operation gives."""
    m = z3()
    if isinstance(op, (ast.LShift, ast.RShift)):
        return m.ULT(y, x.size())
    if not isinstance(op, (ast.FloorDiv, ast.Mod)):
        return m.BoolVal(True)
    if kind == "u64":
        return y != 0
    least = m.BitVecVal(1 << (x.size() - 1), x.size())
    return m.And(y != 0, m.Not(m.And(y == -1, x == least)))


def compare(op: ast.cmpop, kind: str, x: Any, y: Any) -> Any | None:
    """A comparison of two integers of one type; compile-time ones are of one width."""
    m = z3()
    if isinstance(op, ast.Eq):
        return x == y
    if isinstance(op, ast.NotEq):
        return x != y
    if kind == "i1":
        x, y = (converted(t, "i1", "i32") for t in (x, y))
    unsigned = kind == "u64"
    match op:
        case ast.Lt():
            return m.ULT(x, y) if unsigned else x < y
        case ast.LtE():
            return m.ULE(x, y) if unsigned else x <= y
        case ast.Gt():
            return m.UGT(x, y) if unsigned else x > y
        case ast.GtE():
            return m.UGE(x, y) if unsigned else x >= y
    return None
