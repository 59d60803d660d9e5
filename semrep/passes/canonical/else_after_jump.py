"""Guard clauses: no `else` behind a branch that leaves, and the inverse.

Rewrite:     if c: return A          if c: return A
             else: B           -->   B
Legal when:  every branch before the `else` ends with return, raise, break or continue.
Numerics:    bitwise.
Refuses:     layout: where lines cannot be shifted (strings or backslashes across lines).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import block_lines, encode, indent_of, line_start, stands_alone
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.canonical.invert_conditional import is_inline
from semrep.passes.registry import register

_JUMPS = ("return_statement", "raise_statement", "break_statement", "continue_statement")


def ends_with_jump(block: Node | None) -> bool:
    """True where control never runs off the end of a block."""
    statements = block.operands if block is not None else []
    return bool(statements) and statements[-1].kind in _JUMPS


def branches(node: Node) -> list[Node | None]:
    """The blocks of an `if` and its `elif`s, without the `else`."""
    clauses = [a for a in node.fields("alternative") if a.kind == "elif_clause"]
    return [node.child("consequence"), *(c.child("consequence") for c in clauses)]


@register
@dataclass(frozen=True, slots=True)
class RemoveElseAfterJump(NodePass):
    """Take the code of an `else` out where all branches before it leave."""

    name: ClassVar[str] = "remove-else-after-jump"
    anchors: ClassVar[frozenset[str]] = frozenset({"if_statement"})
    inverse: ClassVar[str | None] = "add-else-after-jump"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        alternatives = node.fields("alternative")
        return (
            bool(alternatives)
            and alternatives[-1].kind == "else_clause"
            and all(ends_with_jump(b) for b in branches(node))
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        otherwise = node.fields("alternative")[-1]
        body = otherwise["body"]
        lines = block_lines(body)
        start = line_start(otherwise)
        if lines is None or node.source[start : otherwise.start].strip(b" \t") or not start:
            return refuse("layout", "these lines cannot be shifted", body)
        if any(c.kind == "comment" for c in otherwise.children):
            return refuse("layout", "a comment stands between `else` and its code", otherwise)
        if is_inline(body) and len(body.operands) > 1:
            return refuse("layout", "several statements share the line of `else`", body)
        indent = indent_of(unit, otherwise)
        text = unit.newline.join(f"{indent}{x}" if x else "" for x in lines.split("\n"))
        return [Edit(Span(start, otherwise.end), encode(text))]


@register
@dataclass(frozen=True, slots=True)
class AddElseAfterJump(NodePass):
    """Put the code behind an `if` that leaves into an `else`.

    Rewrite:     if c: return A; B   -->   if c: return A
                                           else: B
    Legal when:  every branch of the `if` ends with a jump, and it has no `else`.
    Numerics:    bitwise.
    Refuses:     layout.
    """

    name: ClassVar[str] = "add-else-after-jump"
    anchors: ClassVar[frozenset[str]] = frozenset({"if_statement"})
    inverse: ClassVar[str | None] = "remove-else-after-jump"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        parent = node.parent
        return (
            parent is not None
            and parent.kind == "block"
            and node.next_sibling is not None
            and all(a.kind == "elif_clause" for a in node.fields("alternative"))
            and all(ends_with_jump(b) for b in branches(node))
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        parent, first = node.parent, node.next_sibling
        assert parent is not None and first is not None
        consequence = node["consequence"]
        between = node.source[node.end : first.start]
        if is_inline(consequence) or not stands_alone(first) or between.strip():
            return refuse("layout", "these lines cannot be shifted", first)
        lines = block_lines(parent)
        if lines is None or not stands_alone(node):
            return refuse("layout", "these lines cannot be shifted", first)
        indent = indent_of(unit, node)
        step = indent_of(unit, consequence.operands[0]).removeprefix(indent)
        start = line_start(first)
        moved = node.source[start : parent.end].decode("utf-8", "surrogateescape")
        shifted = "\n".join(f"{step}{x}" if x.strip() else x for x in moved.split("\n"))
        return [Edit(Span(start, parent.end), encode(f"{indent}else:{unit.newline}{shifted}"))]
