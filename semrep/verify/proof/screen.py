"""Turns most hopeless pairs away by their syntax alone, before the solver is asked."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from semrep.verify.proof.names import Pair
from semrep.verify.proof.result import Refused

# Calls that may be written, dropped or added in a provable rewrite.
_ARITHMETIC = frozenset(
    {"arange", "program_id", "num_programs", "cdiv", "where", "minimum", "maximum", "min", "max",
     "abs", "int", "bool", "range", "len", "type", "cast", "to"}
)  # fmt: skip


def screen(pair: Pair) -> None:
    """Raises Refused where one of the two calls, reads or writes what the other does not."""
    one, two = set(_marks(pair.original)), set(_marks(pair.candidate))
    for mark in sorted(one ^ two):
        side = "original" if mark in one else "candidate"
        raise Refused(f"{pair.original.name}: only the {side} has {mark}")
    if _yields(pair.original) != _yields(pair.candidate):
        raise Refused(f"{pair.original.name}: only one of the two is a generator")


def _marks(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Call(func=func):
                name = func.attr if isinstance(func, ast.Attribute) else ast.unparse(func)
                if name not in _ARITHMETIC:
                    yield f"a call of {name}"
            case ast.Constant(value=float() | str() | bytes() | complex() as value):
                yield f"the constant {value!r}"
            case ast.BinOp(op=ast.Div() | ast.MatMult()):
                yield f"the operator {type(node.op).__name__}"
            case ast.Try() | ast.With() | ast.Raise() | ast.Global() | ast.Await():
                yield type(node).__name__


def _yields(function: ast.FunctionDef) -> bool:
    return any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in ast.walk(function))
