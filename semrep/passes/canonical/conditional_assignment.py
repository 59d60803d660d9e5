"""Make one assignment of two that differ only in their value, and the inverse.

Rewrite:     if c: x = A
             else: x = B   -->   x = A if c else B
Legal when:  both branches hold just that assignment, to the same target.
Numerics:    bitwise.
Refuses:     too-long: the line would pass 100 characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import (
    CONDITIONAL,
    OR,
    binding_strength,
    bracketed,
    encode,
    indent_of,
    line_start,
)
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.canonical.merge_nested_if import shares_line
from semrep.passes.registry import register

_LONGEST_LINE = 100
_NOT_A_VALUE = ("assignment", "augmented_assignment", "yield", "expression_list")


def _assignment(block: Node | None) -> Node | None:
    if block is None or len(block.operands) != 1:
        return None
    statement = block.operands[0]
    if statement.kind != "expression_statement" or len(statement.operands) != 1:
        return None
    inner = statement.operands[0]
    plain = inner.kind == "assignment" and inner.child("type") is None
    value = inner.child("right") if plain else None
    if value is None or value.kind in (
        "assignment",
        "yield",
        "expression_list",
        "augmented_assignment",
    ):
        return None
    return inner


@register
@dataclass(frozen=True, slots=True)
class MergeConditionalAssignment(NodePass):
    """Make one assignment of two that differ only in their value."""

    name: ClassVar[str] = "merge-conditional-assignment"
    anchors: ClassVar[frozenset[str]] = frozenset({"if_statement"})
    inverse: ClassVar[str | None] = "split-conditional-assignment"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        alternatives = node.fields("alternative")
        if [a.kind for a in alternatives] != ["else_clause"] or node.has_comment:
            return False
        yes = _assignment(node.child("consequence"))
        no = _assignment(alternatives[0].child("body"))
        return yes is not None and no is not None and yes["left"].same_as(no["left"])

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        yes = _assignment(node["consequence"])
        no = _assignment(node["alternative"]["body"])
        assert yes is not None and no is not None
        a, condition, b = yes["right"], node["condition"], no["right"]
        parts = (
            bracketed(a.text, binding_strength(a), OR),
            bracketed(condition.text, binding_strength(condition), OR),
            bracketed(b.text, binding_strength(b), CONDITIONAL),
        )
        text = f"{yes['left'].text} = {parts[0]} if {parts[1]} else {parts[2]}"
        indent = node.source[line_start(node) : node.start]
        if "\n" in text or len(text) + len(indent) > _LONGEST_LINE:
            return refuse("too-long", f"the line would pass {_LONGEST_LINE} characters")
        return [Edit(node.span, encode(text))]


@register
@dataclass(frozen=True, slots=True)
class SplitConditionalAssignment(NodePass):
    """Write an assignment of a conditional expression as two branches.

    Rewrite:     x = A if c else B   -->   if c: x = A
                                           else: x = B
    Legal when:  the assignment has its line to itself, and one target.
    Numerics:    bitwise.
    Refuses:     layout.
    """

    name: ClassVar[str] = "split-conditional-assignment"
    anchors: ClassVar[frozenset[str]] = frozenset({"expression_statement"})
    inverse: ClassVar[str | None] = "merge-conditional-assignment"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node.parent is None or node.has_comment or len(node.operands) != 1:
            return False
        inner = node.operands[0]
        value = inner.child("right") if inner.kind == "assignment" else None
        return (
            value is not None
            and inner.child("type") is None
            and value.unparenthesized.kind == "conditional_expression"
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        following = node.source[node.end : node.end + 1]
        if shares_line(node) or "\n" in node.text or following not in (b"\n", b"\r", b""):
            return refuse("layout", "the assignment shares its line")
        inner = node.operands[0]
        a, condition, b = inner["right"].unparenthesized.operands
        target, newline = inner["left"].text, unit.newline
        indent = indent_of(unit, node)
        step = "\t" if indent.endswith("\t") else "    "
        text = (
            f"if {condition.text}:{newline}{indent}{step}{target} = {a.text}{newline}"
            f"{indent}else:{newline}{indent}{step}{target} = {b.text}"
        )
        return [Edit(node.span, encode(text))]
