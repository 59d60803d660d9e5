"""Turn a negated condition round, and its two branches with it.

Rewrite:     if not c: A else: B   -->   if c: B else: A        (also: A if not c else B)
Legal when:  there is an `else` and no `elif`; the truth of c is asked for once in both.
Numerics:    bitwise.
Refuses:     comment, layout: where a comment or the line breaks belong to one of the branches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import binding_strength, line_start, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.registry import register


def is_inline(block: Node) -> bool:
    """True for a block on its header's line (`if x: y`)."""
    return bool(block.source[line_start(block) : block.start].strip(b" \t"))


@register
@dataclass(frozen=True, slots=True)
class InvertConditional(NodePass):
    """Turn a negated condition round, and its two branches with it."""

    name: ClassVar[str] = "invert-conditional"
    anchors: ClassVar[frozenset[str]] = frozenset({"if_statement", "conditional_expression"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node.kind == "conditional_expression":
            return node.operands[1].unparenthesized.kind == "not_operator" and not node.has_comment
        alternatives = node.fields("alternative")
        return (
            node["condition"].unparenthesized.kind == "not_operator"
            and [a.kind for a in alternatives] == ["else_clause"]
            and node.child("consequence") is not None
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        if node.kind == "conditional_expression":
            yes, condition, no = node.operands
            value = condition.unparenthesized["argument"]
            return [
                replace(yes, no.text, binding_strength(no)),
                replace(condition, value.text, binding_strength(value)),
                replace(no, yes.text, binding_strength(yes)),
            ]
        otherwise = node["alternative"]
        for holder in (node, otherwise):
            for c in holder.children:
                if c.kind == "comment":
                    return refuse("comment", "this comment stands between the branches", c)
        yes, no = node["consequence"], otherwise["body"]
        if is_inline(yes) != is_inline(no):
            return refuse("layout", "one branch stands on its header's line, the other does not")
        if b"\\\n" in yes.bytes or b"\\\n" in no.bytes:
            return refuse("layout", "a backslash joins lines of a branch")
        condition = node["condition"]
        value = condition.unparenthesized["argument"]
        return [
            replace(condition, value.text, binding_strength(value)),
            Edit(yes.span, no.bytes),
            Edit(no.span, yes.bytes),
        ]
