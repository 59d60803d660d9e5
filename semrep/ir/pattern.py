"""Structural patterns over the value graph, blind to spelling.

    sum(matmul($a, $b), dim=-1)

Names are those of the catalogue, `$a` is a metavariable, and attributes that are not written
must have their defaults. A metavariable that occurs twice must be the same value. Operations
that commute match both ways. `dim` is compared after counting from 0.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from semrep.ir.dialects.catalogue import op_named
from semrep.ir.dialects.op import REQUIRED, Op
from semrep.ir.values import OP, TUPLE, Value, same_structure

_BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul",
    ast.Pow: "pow",
}  # fmt: skip
_MARK = "_metavariable_"


@dataclass(frozen=True, slots=True)
class Hole:
    """A metavariable."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


@dataclass(frozen=True, slots=True)
class Literal:
    constant: Any

    def __str__(self) -> str:
        return repr(self.constant)


@dataclass(frozen=True, slots=True)
class Items:
    """A tuple or list of patterns."""

    items: tuple[Pattern, ...]

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation; arguments by canonical parameter, all parameters present."""

    op: Op
    arguments: tuple[tuple[str, Pattern], ...]

    def __str__(self) -> str:
        shown = []
        for name, argument in self.arguments:
            parameter = self.op.parameter(name)
            assert parameter is not None
            if parameter.is_operand:
                shown.append(str(argument))
            elif not (isinstance(argument, Literal) and argument.constant == parameter.default):
                shown.append(f"{name}={argument}")
        return f"{self.op.name}({', '.join(shown)})"


Pattern = Hole | Literal | Items | Apply


class PatternError(ValueError):
    """The text is no pattern; the message says what is wrong with it."""


def parse_pattern(text: str) -> Pattern:
    """The pattern of a text. Raises PatternError for unknown operations and parameters."""
    try:
        tree = ast.parse(re.sub(r"\$(\w+)", rf"{_MARK}\1", text.strip()), mode="eval")
    except SyntaxError as error:
        raise PatternError(f"not an expression: {text!r}") from error
    return _parse(tree.body, text)


def _parse(node: ast.expr, text: str) -> Pattern:
    if isinstance(node, ast.Name):
        if not node.id.startswith(_MARK):
            raise PatternError(f"{node.id!r} in {text!r}: a metavariable is written ${node.id}")
        return Hole(node.id.removeprefix(_MARK))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        op = op_named(_BINARY[type(node.op)])
        return _apply(op, [_parse(node.left, text), _parse(node.right, text)], {}, text)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _parse(node.operand, text)
        if isinstance(inner, Literal):
            return Literal(-inner.constant)
        return _apply(op_named("neg"), [inner], {}, text)
    if isinstance(node, ast.Subscript):
        base, index = _parse(node.value, text), _parse(node.slice, text)
        return _apply(op_named("getitem"), [base], {"index": index}, text)
    if isinstance(node, (ast.Tuple, ast.List)):
        items = tuple(_parse(e, text) for e in node.elts)
        if all(isinstance(i, Literal) for i in items) and isinstance(node, ast.Tuple):
            return Literal(tuple(i.constant for i in items if isinstance(i, Literal)))
        return Items(items)
    if isinstance(node, ast.Slice):
        bounds = [
            None if b is None else _parse(b, text) for b in (node.lower, node.upper, node.step)
        ]
        if all(b is None or isinstance(b, Literal) for b in bounds):
            return Literal(slice(*(b.constant if isinstance(b, Literal) else None for b in bounds)))
        raise PatternError(f"a slice in {text!r} has a bound that is no constant")
    if isinstance(node, ast.Constant):
        return Literal(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        try:
            op = op_named(node.func.id)
        except KeyError:
            raise PatternError(f"no operation is called {node.func.id!r} (in {text!r})") from None
        positional = [_parse(a, text) for a in node.args]
        keywords = {k.arg or "": _parse(k.value, text) for k in node.keywords}
        return _apply(op, positional, keywords, text)
    raise PatternError(f"{ast.unparse(node)!r} cannot stand in a pattern")


def _apply(op: Op, positional: list[Pattern], keywords: dict[str, Pattern], text: str) -> Apply:
    arguments: list[tuple[str, Pattern]] = []
    given = list(positional)
    for parameter in op.parameters:
        if given:
            arguments.append((parameter.name, given.pop(0)))
        elif parameter.name in keywords:
            arguments.append((parameter.name, keywords.pop(parameter.name)))
        elif parameter.default is not REQUIRED:
            arguments.append((parameter.name, Literal(parameter.default)))
        elif parameter.is_operand and not parameter.is_tensor:
            arguments.append((parameter.name, Literal(None)))  # an absent bias
        else:
            raise PatternError(f"{op.name} needs {parameter.name} (in {text!r})")
    if given or keywords:
        raise PatternError(f"{op.name} does not take {[*keywords, *map(str, given)]} (in {text!r})")
    return Apply(op, tuple(arguments))


def holes(pattern: Pattern) -> Iterator[str]:
    """Names of metavariables, in order, repeats included."""
    if isinstance(pattern, Hole):
        yield pattern.name
    elif isinstance(pattern, Items):
        for item in pattern.items:
            yield from holes(item)
    elif isinstance(pattern, Apply):
        for _, argument in pattern.arguments:
            yield from holes(argument)


def op_names(pattern: Pattern) -> frozenset[str]:
    """Operations that a match contains."""
    if isinstance(pattern, Apply):
        inner = frozenset().union(*(op_names(a) for _, a in pattern.arguments))
        return inner | {pattern.op.name}
    if isinstance(pattern, Items):
        return frozenset().union(*(op_names(i) for i in pattern.items))
    return frozenset()


@dataclass(frozen=True, slots=True)
class Match:
    """One way in which a pattern fits. interior: values that operations of the pattern matched,
    the root first. dims: metavariables that stood for a `dim`, counted from 0 (None where the
    rank is unknown). doubts: values whose rank would have to be known."""

    root: Value
    holes: Mapping[str, Value] = field(default_factory=dict)
    interior: tuple[Value, ...] = ()
    dims: Mapping[str, tuple[int, ...] | None] = field(default_factory=dict)
    doubts: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class _Partial:
    holes: dict[str, Value]
    interior: tuple[Value, ...]
    dims: dict[str, tuple[int, ...] | None]
    doubts: tuple[Value, ...]


def match(pattern: Pattern, value: Value) -> Iterator[Match]:
    """All ways in which the pattern fits a value, those of commuted operands included."""
    for found in _match(pattern, value, _Partial({}, (), {}, ())):
        yield Match(value, found.holes, found.interior, found.dims, found.doubts)


def _match(pattern: Pattern, value: Value, so_far: _Partial) -> Iterator[_Partial]:
    if isinstance(pattern, Hole):
        known = so_far.holes.get(pattern.name)
        if known is None:
            bound = {**so_far.holes, pattern.name: value}
            yield _Partial(bound, so_far.interior, so_far.dims, so_far.doubts)
        elif same_structure(known, value):
            yield so_far
    elif isinstance(pattern, Literal):
        if (
            value.is_constant
            and _is_literal(value)
            and same_constant(pattern.constant, value.constant)
        ):
            yield so_far
    elif isinstance(pattern, Items):
        if value.kind == TUPLE and len(value.elements) == len(pattern.items):
            yield from _all(list(zip(pattern.items, value.elements, strict=True)), so_far)
    elif value.kind == OP and value.op is pattern.op:
        yield from _match_apply(pattern, value, so_far)


def _match_apply(pattern: Apply, value: Value, so_far: _Partial) -> Iterator[_Partial]:
    state = _Partial(so_far.holes, (*so_far.interior, value), so_far.dims, so_far.doubts)
    operands: list[tuple[Pattern, Value]] = []
    for name, argument in pattern.arguments:
        found = value.arguments[name]
        parameter = pattern.op.parameter(name)
        assert parameter is not None
        if name == "dim" and not parameter.is_operand:
            next_state = _match_dim(argument, found, value, state)
            if next_state is None:
                return
            state = next_state
        else:
            operands.append((argument, found))
    yield from _all(operands, state)
    if pattern.op.is_commutative and len(operands) >= 2:
        (p, a), (q, b), *rest = operands
        if str(p) != str(q):
            yield from _all([(p, b), (q, a), *rest], state)


def _all(pairs: list[tuple[Pattern, Value]], so_far: _Partial) -> Iterator[_Partial]:
    if not pairs:
        yield so_far
        return
    (pattern, value), *rest = pairs
    for state in _match(pattern, value, so_far):
        yield from _all(rest, state)


def _match_dim(pattern: Pattern, found: Value, owner: Value, state: _Partial) -> _Partial | None:
    source = next(iter(owner.arguments.values()))
    rank = source.tensor.rank if source.tensor is not None else None
    if rank is not None and owner.op_name == "unsqueeze":
        rank += 1  # its dimension is one of the result's
    dims = normalized_dims(found.constant, rank) if found.is_constant else None
    if isinstance(pattern, Hole):
        if not found.is_constant:
            return None
        if pattern.name in state.holes:
            if state.dims.get(pattern.name) != dims:
                return None
            return state
        holes_ = {**state.holes, pattern.name: found}
        doubts = state.doubts if rank is not None else (*state.doubts, source)
        return _Partial(holes_, state.interior, {**state.dims, pattern.name: dims}, doubts)
    if not isinstance(pattern, Literal) or not found.is_constant:
        return None
    wanted = pattern.constant
    if rank is None:
        if _as_tuple(wanted) == _as_tuple(found.constant):
            return state
        if wanted is None or found.constant is None:
            return None
        return _Partial(state.holes, state.interior, state.dims, (*state.doubts, source))
    if normalized_dims(wanted, rank) == dims:
        return state
    return None


def normalized_dims(dims: Any, rank: int | None) -> tuple[int, ...] | None:
    """Dimensions counted from 0, sorted; None (all of them) needs the rank. None where the
    rank is unknown or a dimension is out of range."""
    if rank is None:
        return None
    if dims is None:
        return tuple(range(rank))
    found = _as_tuple(dims)
    if found is None or any(not -rank <= d < rank for d in found):
        return None
    return tuple(sorted(d % rank for d in found))


def _as_tuple(dims: Any) -> tuple[int, ...] | None:
    if isinstance(dims, bool):
        return None
    if isinstance(dims, int):
        return (dims,)
    if isinstance(dims, (tuple, list)) and all(isinstance(d, int) for d in dims):
        return tuple(dims)
    return None


def _is_literal(value: Value) -> bool:
    """Written in the text, or fixed by a layer's settings: not a size that happens to be so."""
    return value.kind != OP


def same_constant(wanted: Any, found: Any) -> bool:
    """Whether a constant is the one a pattern names; `0` also names `(0, 0)`."""
    if wanted is None or found is None:
        return wanted is found
    if isinstance(wanted, bool) or isinstance(found, bool):
        return bool(wanted == found) and isinstance(found, (bool, int))
    if isinstance(wanted, tuple) and isinstance(found, list):
        return wanted == tuple(found)
    if isinstance(wanted, int) and isinstance(found, (tuple, list)) and found:
        return all(v == wanted for v in found)  # padding=(0, 0) is padding=0
    return bool(wanted == found)
