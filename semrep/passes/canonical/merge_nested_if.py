"""Join an `if` whose only statement is another `if`, and the inverse.

Rewrite:     if a:                  if a and b:
                 if b: X      -->       X
Legal when:  neither has an `else` or `elif`: both forms ask a, and then b, for its truth.
Numerics:    bitwise.
Refuses:     layout, comment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import (
    AND,
    binding_strength,
    block_lines,
    bracketed,
    encode,
    indent_of,
    line_start,
)
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.canonical.invert_conditional import is_inline
from semrep.passes.registry import register


def shares_line(node: Node) -> bool:
    """True where other code stands before a statement on its line."""
    before = node.source[line_start(node) : node.start]
    return bool(before.strip(b" \t")) or (line_start(node) == 0 and node.parent is not None)


def _indented(text: str, indent: str, newline: str) -> str:
    return newline.join(f"{indent}{x}" if x else "" for x in text.split("\n"))


@register
@dataclass(frozen=True, slots=True)
class MergeNestedIf(NodePass):
    """Join an `if` whose only statement is another `if`."""

    name: ClassVar[str] = "merge-nested-if"
    anchors: ClassVar[frozenset[str]] = frozenset({"if_statement"})
    inverse: ClassVar[str | None] = "split-condition"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        block = node.child("consequence")
        if block is None or node.child("alternative") is not None or len(block.operands) != 1:
            return False
        inner = block.operands[0]
        return (
            inner.kind == "if_statement"
            and inner.child("alternative") is None
            and inner.child("consequence") is not None
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        block = node["consequence"]
        inner = block.operands[0]
        body = inner["consequence"]
        for holder in (node, block, inner):
            for c in holder.children:
                if c.kind == "comment":
                    return refuse("comment", "this comment has no place in the joined form", c)
        lines = block_lines(body)
        if lines is None or is_inline(block) or is_inline(body) or shares_line(node):
            return refuse("layout", "these lines cannot be shifted", body)
        a, b = node["condition"], inner["condition"]
        if "\n" in a.text or "\n" in b.text:
            return refuse("layout", "a condition spans lines", a)
        first = bracketed(a.text, binding_strength(a), AND)
        second = bracketed(b.text, binding_strength(b), AND + 1)
        text = _indented(lines, indent_of(unit, inner), unit.newline)
        head = f"{first} and {second}:{unit.newline}"
        return [Edit(Span(a.start, node.end), encode(head + text))]


@register
@dataclass(frozen=True, slots=True)
class SplitCondition(NodePass):
    """Split an `if` with a conjunction into two.

    Rewrite:     if a and b: X   -->   if a:
                                           if b: X
    Legal when:  it has no `else` or `elif`.
    Numerics:    bitwise.
    Refuses:     layout.
    """

    name: ClassVar[str] = "split-condition"
    anchors: ClassVar[frozenset[str]] = frozenset({"if_statement"})
    inverse: ClassVar[str | None] = "merge-nested-if"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        condition = node["condition"].unparenthesized
        return (
            node.child("alternative") is None
            and node.child("consequence") is not None
            and condition.kind == "boolean_operator"
            and condition.operator == "and"
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        condition, body = node["condition"].unparenthesized, node["consequence"]
        lines = block_lines(body)
        comment = any(c.kind == "comment" for c in node.children)
        if lines is None or is_inline(body) or comment or shares_line(node):
            return refuse("layout", "these lines cannot be shifted", body)
        a, b = condition["left"], condition["right"]
        if "\n" in a.text or "\n" in b.text:
            return refuse("layout", "the condition spans lines", condition)
        outer = indent_of(unit, node)
        step = indent_of(unit, body.operands[0]).removeprefix(outer)
        head = f"{a.text}:{unit.newline}{outer}{step}if {b.text}:{unit.newline}"
        text = _indented(lines, outer + step + step, unit.newline)
        return [Edit(Span(node["condition"].start, node.end), encode(head + text))]
