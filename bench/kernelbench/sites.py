"""The whole numbers in a problem's text that may be sizes, and how to write others there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

INPUT_FUNCTIONS = ("get_inputs", "get_init_inputs")
# Below this a number inside a class is a kernel size or a count far more often than a width.
_LEAST_WIDTH = 16

Place = Literal["module", "inputs", "class"]


@dataclass(frozen=True, slots=True)
class Site:
    """A constant whole-number expression. start, end: byte offsets. name: what the text calls
    it (an assigned name, a parameter), or "". place: among the module's constants, in the
    functions that make the inputs, or inside a class."""

    start: int
    end: int
    value: int
    name: str
    place: Place


def size_sites(source: str) -> list[Site]:
    """In the order of the text; numbers below 2 are no sizes that could be made smaller.
    Raises SyntaxError."""
    text = _Text(source)
    found: list[Site] = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            found += _statement(text, node, "module")
        elif isinstance(node, ast.FunctionDef) and node.name in INPUT_FUNCTIONS:
            for child in node.body:
                found += _statement(text, child, "inputs")
        elif isinstance(node, ast.ClassDef):
            found += (s for s in _class(text, node) if s.value >= _LEAST_WIDTH)
    return sorted(found, key=lambda s: s.start)


def replaced(source: str, values: Mapping[Site, int]) -> str:
    """The text with other numbers at these sites."""
    data = source.encode()
    for site in sorted(values, key=lambda s: -s.start):
        data = data[: site.start] + str(values[site]).encode() + data[site.end :]
    return data.decode()


class _Text:
    def __init__(self, source: str) -> None:
        self.starts = [0]
        for line in source.encode().splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def site(self, node: ast.expr, value: int, name: str, place: Place) -> Site:
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        return Site(start, end, value, name, place)


def _statement(text: _Text, node: ast.stmt, place: Place) -> Iterator[Site]:
    if isinstance(node, ast.Assign):
        for target in node.targets[:1]:
            yield from _assigned(text, target, node.value, place)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield from _assigned(text, node.target, node.value, place)
    else:
        yield from _inside(text, node, "", place)


def _assigned(text: _Text, target: ast.expr, value: ast.expr, place: Place) -> Iterator[Site]:
    pairs = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
    if pairs and len(target.elts) == len(value.elts):  # type: ignore[attr-defined]
        for one, other in zip(target.elts, value.elts):  # type: ignore[attr-defined]
            yield from _assigned(text, one, other, place)
        return
    name = target.id if isinstance(target, ast.Name) else ""
    name = target.attr if isinstance(target, ast.Attribute) else name
    yield from _expression(text, value, name, place)


def _class(text: _Text, node: ast.ClassDef) -> Iterator[Site]:
    for function in ast.walk(node):
        if isinstance(function, ast.FunctionDef):
            arguments = function.args
            named = [*arguments.posonlyargs, *arguments.args]
            for argument, default in zip(reversed(named), reversed(arguments.defaults)):
                yield from _expression(text, default, argument.arg, "class")
            for argument, maybe in zip(arguments.kwonlyargs, arguments.kw_defaults):
                if maybe is not None:
                    yield from _expression(text, maybe, argument.arg, "class")
            if function.name == "forward":
                yield from _arguments(text, function)
                continue
            for child in function.body:
                yield from _statement(text, child, "class")


def _arguments(text: _Text, function: ast.FunctionDef) -> Iterator[Site]:
    """Numbers that stand alone as arguments: elsewhere in a forward they are part of a formula."""
    for call in ast.walk(function):
        if isinstance(call, ast.Call):
            for argument in call.args:
                value = _constant(argument)
                if value is not None and value >= 2:
                    yield text.site(argument, value, "", "class")


def _expression(text: _Text, node: ast.expr, name: str, place: Place) -> Iterator[Site]:
    value = _constant(node)
    if value is not None:
        if value >= 2:
            yield text.site(node, value, name, place)
    elif isinstance(node, ast.BinOp) and isinstance(node.left, (ast.List, ast.Tuple)):
        # [1024] * 16: how many there are is no size.
        yield from _expression(text, node.left, name, place)
    else:
        yield from _inside(text, node, name, place)


def _inside(text: _Text, node: ast.AST, name: str, place: Place) -> Iterator[Site]:
    if isinstance(node, ast.Call):
        name = ""  # what the call's result is called says nothing about its arguments
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword):
            yield from _expression(text, child.value, child.arg or name, place)
        elif isinstance(child, ast.expr):
            yield from _expression(text, child, name, place)
        elif isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            continue
        elif isinstance(child, ast.stmt):
            yield from _statement(text, child, place)
        else:
            yield from _inside(text, child, name, place)


def _constant(node: ast.expr) -> int | None:
    """The value of a whole number or of arithmetic on whole numbers."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.BinOp):
        left, right = _constant(node.left), _constant(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.FloorDiv) and right:
            return left // right
    return None
