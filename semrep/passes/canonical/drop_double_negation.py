"""Drop two negations where only truth is asked for.

Rewrite:     if not not x: …   -->   if x: …
Legal when:  it is a condition, or an operand of `not`, `and`, `or` inside one.
Numerics:    bitwise.
Refuses:     nothing: elsewhere `not not x` makes a bool of x, and is no site.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import binding_strength, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal
from semrep.passes.registry import register


def is_condition(node: Node) -> bool:
    """True for a condition, and for the operands of `not`, `and` and `or` inside one. There
    CPython asks each operand for its truth once; elsewhere the value of an `and` or `or` is
    asked again by whatever holds it."""
    parent = node.parent
    if parent is None:
        return False
    if parent.kind in ("parenthesized_expression", "boolean_operator", "not_operator"):
        return is_condition(parent)
    if parent.kind == "conditional_expression":
        return node is parent.operands[1]
    if parent.kind in ("assert_statement", "if_clause"):
        return node is parent.operands[0]
    return node.field == "condition" and parent.kind in (
        "if_statement", "elif_clause", "while_statement",
    )  # fmt: skip


@register
@dataclass(frozen=True, slots=True)
class DropDoubleNegation(NodePass):
    """Drop two negations where only truth is asked for."""

    name: ClassVar[str] = "drop-double-negation"
    anchors: ClassVar[frozenset[str]] = frozenset({"not_operator"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        inner = node["argument"].unparenthesized
        return inner.kind == "not_operator" and is_condition(node) and not node.has_comment

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        value = node["argument"].unparenthesized["argument"]
        return [replace(node, value.text, binding_strength(value))]
