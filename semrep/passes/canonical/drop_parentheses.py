"""Remove round brackets that precedence makes superfluous.

Rewrite:     x = (a * b) + (c)   -->   x = a * b + c
Legal when:  the grammar groups the same way without them.
Numerics:    bitwise.
Refuses:     nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import binding_strength, is_inside_fstring, needed_strength, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal
from semrep.passes.registry import register

_KEEP_INSIDE = (
    "yield", "named_expression", "string", "concatenated_string", "generator_expression",
    "integer", "float", "list_splat", "lambda", "await",
)  # fmt: skip
_KEEP_IN = (
    "with_item", "as_pattern", "expression_statement", "delete_statement", "except_clause",
    "decorator", "interpolation", "concatenated_string", "print_statement", "exec_statement",
    "lambda", "case_clause", "match_statement", "type", "assert_statement", "ERROR", "pattern_list",
    "tuple_pattern", "list_pattern", "chevron", "for_in_clause", "await",
)  # fmt: skip
_TARGETS = ("assignment", "augmented_assignment", "for_statement")


@register
@dataclass(frozen=True, slots=True)
class DropParentheses(NodePass):
    """Remove round brackets that precedence makes superfluous."""

    name: ClassVar[str] = "drop-parentheses"
    anchors: ClassVar[frozenset[str]] = frozenset({"parenthesized_expression"})
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        inner = node.operands
        parent = node.parent
        return (
            len(inner) == 1
            and parent is not None
            and inner[0].kind not in _KEEP_INSIDE
            and parent.kind not in _KEEP_IN
            and not (node.field == "left" and parent.kind in _TARGETS)
            and binding_strength(inner[0]) >= needed_strength(node)
            and b"\n" not in node.bytes
            and b"\r" not in node.bytes
            and not is_inside_fstring(node)
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        inner = node.operands[0]
        return [replace(node, inner.text, binding_strength(inner))]
