"""Mistakes that an author of a pass makes, as edits of the pass's own text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from bench.trust.source_text import Edit, SourceText

Operator = Callable[[ast.AST, SourceText], Iterator[list[Edit]]]
OPERATORS: dict[str, Operator] = {}

_OTHER = {
    "+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "==": "!=", "!=": "==", "and": "or", "or": "and", "is": "is not", "in": "not in", "**": "*",
}  # fmt: skip

# What fails at once where its arguments change places, or only says something else.
_NAMED_ALIKE = ("isinstance", "refuse", "Refusal", "refusal", "getattr", "hasattr", "frozenset")


def _operator(name: str) -> Callable[[Operator], Operator]:
    def add(function: Operator) -> Operator:
        OPERATORS[name] = function
        return function

    return add


def _put(text: SourceText, node: ast.AST, new: str) -> list[Edit]:
    return [Edit(*text.span(node), new)]


def _refuses(node: ast.AST) -> bool:
    """Whether a statement ends what it is in with a refusal."""
    if isinstance(node, ast.Raise):
        return True
    if not isinstance(node, ast.Return) or node.value is None:
        return isinstance(node, (ast.Return, ast.Continue))
    value = node.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in ("refuse", "Refusal", "refusal", "unknown")
    return isinstance(value, ast.Constant) and value.value in (None, False)


@_operator("check-dropped")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.If) and not node.orelse and _refuses(node.body[-1]):
        yield _put(text, node.test, "False")


@_operator("check-negated")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.If) and _refuses(node.body[-1]):
        yield _put(text, node.test, f"not {text.text(node.test)}")


@_operator("refusal-forgotten")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    """A guard that finds something in the way and lets it pass."""
    function = text.function_of(node)
    if isinstance(node, ast.Return) and function is not None and function.returns is not None:
        told = text.raw(function.returns)
        if "None" in told and "Refusal" in told and _refuses(node) and node.value is not None:
            yield _put(text, node.value, "None")


@_operator("guard-true")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    function = text.function_of(node)
    if isinstance(node, ast.Return) and node.value is not None and function is not None:
        if function.returns is not None and text.raw(function.returns) == "bool":
            yield _put(text, node.value, "True")
            yield _put(text, node.value, "False")


@_operator("clause-dropped")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    """One condition of several is left out: a pattern matches one thing too many, or too few."""
    if isinstance(node, ast.BoolOp):
        word = " and " if isinstance(node.op, ast.And) else " or "
        for left_out in node.values:
            rest = [text.text(v) for v in node.values if v is not left_out]
            yield _put(text, node, f"({word.join(rest)})")


@_operator("filter-dropped")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.comprehension):
        for condition in node.ifs:
            yield _put(text, condition, "True")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        if node.func.id in ("any", "all"):
            yield _put(text, node.func, "all" if node.func.id == "any" else "any")


@_operator("one-too-many")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    """What is looked for is another operator as well, or one of a table less."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        right = node.comparators[0]
        if isinstance(node.ops[0], ast.Eq) and isinstance(right, ast.Constant):
            other = _OTHER.get(right.value) if isinstance(right.value, str) else None
            if other is not None:
                yield _put(text, node, f"({text.text(node.left)} in {(right.value, other)!r})")
    if isinstance(node, (ast.Set, ast.Tuple, ast.List)) and len(node.elts) > 2:
        if all(isinstance(e, ast.Constant) for e in node.elts):
            for left_out in node.elts:
                rest = ", ".join(text.raw(e) for e in node.elts if e is not left_out)
                around = text.raw(node)
                yield _put(text, node, f"{around[0]}{rest},{around[-1]}")


@_operator("operator-mistaken")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    """Another operator in a text or a table of the pass."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and not _is_doc(node, text):
        other = _OTHER.get(node.value.strip())
        if other is not None:
            yield _put(text, node, repr(node.value.replace(node.value.strip(), other)))


@_operator("operands-swapped")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.JoinedStr):
        parts = [v for v in node.values if isinstance(v, ast.FormattedValue)]
        raw = text.raw(node)
        holes = list(re.finditer(r"\{[^{}]+\}", raw))
        if len(parts) == len(holes):
            for one, other in pairwise(holes):
                if one[0] != other[0]:
                    new = raw[: one.start()] + other[0] + raw[one.end() : other.start()]
                    yield _put(text, node, new + one[0] + raw[other.end() :])
    pair: list[ast.expr] = []
    if isinstance(node, ast.Call) and text.raw(node.func) not in _NAMED_ALIKE:
        pair = node.args
    elif isinstance(node, (ast.List, ast.Tuple)) and isinstance(node.ctx, ast.Load):
        pair = node.elts
    for one_, other_ in pairwise(pair):
        if not any(isinstance(x, (ast.Starred, ast.Constant)) for x in (one_, other_)):
            if text.raw(one_) != text.raw(other_):
                start, end = text.span(one_)[0], text.span(other_)[1]
                yield [Edit(start, end, f"{text.text(other_)}, {text.text(one_)}")]


@_operator("rule-mistaken")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    """In patterns and replacements written as text: metavariables changed, numbers wrong, a
    condition left out, a constant computed wrongly."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        value = node.value
        if re.search(r"\$\w", value) and "\n" not in value:
            found = list(re.finditer(r"\$\w+", value))
            for one in found:
                for name in sorted({m[0] for m in found} - {one[0]}):
                    yield _put(text, node, repr(value[: one.start()] + name + value[one.end() :]))
            for number in re.finditer(r"(?<![\w.$])-?\d+(\.\d+)?", value):
                for new in (f"{float(number[0]) + 1:g}", f"{float(number[0]) - 1:g}"):
                    changed = value[: number.start()] + new + value[number.end() :]
                    yield _put(text, node, repr(changed))
            swaps = {"sum(": "mean(", "amax(": "amin(", "add(": "sub(", "mul(": "div("}
            for word, other in swaps.items():
                if word in value:
                    yield _put(text, node, repr(value.replace(word, other, 1)))
    if isinstance(node, ast.keyword) and node.arg in ("where", "screen"):
        if isinstance(node.value, ast.List):
            for left_out in node.value.elts:
                rest = [text.raw(e) for e in node.value.elts if e is not left_out]
                yield _put(text, node.value, f"[{', '.join(rest)}]")
    if isinstance(node, ast.keyword) and node.arg == "types":
        yield _put(text, node.value, "'any'")


@_operator("span-too-long")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        if node.attr in ("start", "end"):
            yield _put(text, node, f"({text.raw(node)} + 1)")
            yield _put(text, node, f"({text.raw(node)} - 1)")


@_operator("wrong-constant")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for new in (node.value + 1, node.value - 1):
            yield _put(text, node, f"({new!r})" if new < 0 else repr(new))


@_operator("edit-forgotten")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    """A statement, or one edit of several, is left out."""
    if isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Yield))
    ):
        yield _put(text, node, "pass")
    if isinstance(node, ast.List) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        if any(isinstance(e, (ast.Call, ast.Starred)) for e in node.elts):
            for left_out in node.elts:
                rest = [text.raw(e) for e in node.elts if e is not left_out]
                yield _put(text, node, f"[{', '.join(rest)}]")


@_operator("wrong-part")
def _(node: ast.AST, text: SourceText) -> Iterator[list[Edit]]:
    """One child of a node is taken for another, the first for the last, before for after."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        table = {
            "left": "right", "right": "left", "consequence": "condition", "body": "condition",
            "argument": "operator", 0: -1, "value": "left",
        }  # fmt: skip
        if node.slice.value in table and isinstance(node.ctx, ast.Load):
            yield _put(text, node.slice, repr(table[node.slice.value]))
    if isinstance(node, ast.Attribute):
        names = {"before": "after", "after": "before", "stores": "loads", "reads": "writes",
                 "loads": "stores", "writes": "reads", "consequence": "condition"}  # fmt: skip
        if node.attr in names:
            end = text.span(node)[1]
            yield [Edit(end - len(node.attr), end, names[node.attr])]


def _is_doc(node: ast.AST, text: SourceText) -> bool:
    return isinstance(text.parents.get(node), ast.Expr)
