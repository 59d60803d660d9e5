"""Drop two negations where only truth is asked for.

Rewrite:     if not not x: …   -->   if x: …
Legal when:  the value is only tested: a condition, an operand of `not`, or an operand of
             `and`/`or` inside one of these.
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


def is_only_tested(node: Node) -> bool:
    """True where nothing but the truth of an expression's value is used."""
    parent = node.parent
    if parent is None:
        return False
    if parent.kind in ("parenthesized_expression", "boolean_operator"):
        return is_only_tested(parent)
    if parent.kind == "not_operator":
        return True
    if parent.kind == "conditional_expression":
        return node is parent.operands[1]
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
        return inner.kind == "not_operator" and is_only_tested(node) and not node.has_comment

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        value = node["argument"].unparenthesized["argument"]
        return [replace(node, value.text, binding_strength(value))]
