"""Compute what is known when the code is read.

Rewrite:     2 * 3 + n --> 6 + n,  "a" + "b" --> "ab",  True and x --> x,  a if False else b --> b
Legal when:  the operands are literals, computing them raises nothing, and the result is
             again a short literal; or a literal alone decides `and`, `or`, `not` and `if`.
Numerics:    bitwise: computed by the same operators; a float is written so that it reads back.
Refuses:     raises, no-literal, too-large, binds-name, yields, comment-lost, triton-kernel.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from semrep.ir.emit import PRIMARY, binding_strength, replace, with_brackets
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register
from semrep.passes.scalar.literals import NotLiteral, Scalar, is_literal, value_of, written
from semrep.passes.scalar.removal import why_not_removable

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": op.add, "-": op.sub, "*": op.mul, "/": op.truediv, "//": op.floordiv, "%": op.mod,
    "**": op.pow, "<<": op.lshift, ">>": op.rshift, "&": op.and_, "|": op.or_, "^": op.xor,
    "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge, "==": op.eq, "!=": op.ne,
}  # fmt: skip
_TEXT = (str, bytes)


@register
@dataclass(frozen=True, slots=True)
class FoldConstants(NodePass):
    """Compute operations on literals, and choices that a literal decides."""

    name: ClassVar[str] = "fold-constants"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset(
        {"binary_operator", "comparison_operator", "not_operator", "boolean_operator",
         "conditional_expression"}
    )  # fmt: skip

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node.kind == "binary_operator":
            found = is_literal(node["left"]) and is_literal(node["right"])
        elif node.kind == "comparison_operator":
            operators = {t.text for t in node.fields("operators")}
            found = operators <= _OPERATORS.keys() and all(map(is_literal, node.operands))
        elif node.kind == "not_operator":
            found = is_literal(node["argument"])
        elif node.kind == "boolean_operator":
            found = is_literal(node["left"])
        else:
            found = is_literal(node.operands[1])
        return found and not _is_read_as_text(node)

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        if node.kind == "binary_operator":
            return _compute(node, [(node["left"], node.operator, node["right"])])
        if self.facts(module, unit, node).is_triton:
            return refuse("triton-kernel", "tensors are compared and chosen by other rules here")
        if node.kind == "comparison_operator":
            values = node.operands
            operators = [t.text for t in node.fields("operators")]
            return _compute(node, list(zip(values, operators, values[1:], strict=False)))
        if node.kind == "not_operator":
            value = value_of(node["argument"])
            if isinstance(value, NotLiteral):
                return refuse("no-literal", "the operand has no plain value", node["argument"])
            return _written(node, str(not value), PRIMARY)
        return _choose(unit, node)


def _compute(node: Node, links: list[tuple[Node, str, Node]]) -> list[Edit] | Refusal:
    """The value of one operation, or of a chain of comparisons."""
    result: Any = True
    for left, operator, right in links:
        a, b = value_of(left), value_of(right)
        if isinstance(a, NotLiteral) or isinstance(b, NotLiteral):
            return refuse("no-literal", "an operand has no plain value", left)
        if operator == "%" and isinstance(a, _TEXT):
            return refuse("no-literal", "formatting is left to run time", node)
        if _grows(operator, a, b):
            return refuse("too-large", "the result would be long", node)
        try:
            result = _OPERATORS[operator](a, b)
        except (ArithmeticError, TypeError, ValueError) as error:
            return refuse("raises", f"this raises {type(error).__name__}", node)
        if not result and len(links) > 1:
            break
    if isinstance(result, complex):
        return refuse("no-literal", "the result is complex", node)
    text = written(result, links[0][0].unparenthesized)
    if text is None:
        return refuse("too-large", "the result has no short literal", node)
    return _written(node, *text)


def _written(node: Node, text: str, strength: int) -> list[Edit] | Refusal:
    place = with_brackets(node)
    if place.has_comment:
        return refuse("comment-lost", "a comment stands inside", node)
    return [replace(place, text, strength)]


def _grows(operator: str, a: Scalar, b: Scalar) -> bool:
    """Whether computing could take long or much memory."""
    if operator in ("**", "<<") and isinstance(b, int):
        bits = a.bit_length() if isinstance(a, int) else 1
        return b > 128 or operator == "**" and bits * abs(b) > 256
    if operator == "*" and (isinstance(a, _TEXT) or isinstance(b, _TEXT)):
        return any(isinstance(x, int) and x > 80 for x in (a, b))
    return False


def _choose(unit: Unit, node: Node) -> list[Edit] | Refusal:
    """`and`, `or` and `if` that a literal decides."""
    if node.kind == "boolean_operator":
        deciding, other = node["left"], node["right"]
        stops = bool(value_of(deciding)) is (node.operator == "or")
        kept, dropped = (deciding, other) if stops else (other, deciding)
    else:
        yes, deciding, no = node.operands
        kept, dropped = (yes, no) if value_of(deciding) else (no, yes)
    if isinstance(value_of(deciding), NotLiteral):
        return refuse("no-literal", "the condition has no plain value", deciding)
    if why := why_not_removable(unit, dropped):
        return why
    inner = kept.unparenthesized
    return _written(node, inner.text, binding_strength(inner))


def _is_read_as_text(node: Node) -> bool:
    """True where the source text itself matters: f-strings, annotations, patterns, and bare
    expressions that would turn into docstrings."""
    for ancestor in node.ancestors():
        if ancestor.kind in ("type", "case_pattern", "interpolation"):
            return True
        if ancestor.kind == "expression_statement":
            return ancestor.operands[0].unparenthesized is node
        if ancestor.kind == "block":
            return False
    return False
