"""Count with `for` instead of `while`, and the inverse.

Rewrite:     i = A                       for i in range(A, B):
             while i < B: X; i += 1  -->     X
Legal when:  A and B are proven ints; B, and i inside X, do not change; X has no `continue`;
             i is not read after the loop (it ends one lower).
Numerics:    bitwise.
Refuses:     unknown-type, counter-changes, bound-changes, continue, counter-used, captured,
             comment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import encode, indent_of, stands_alone
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.types import INTEGERS
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, NodePass, Refusal, refuse
from semrep.passes.canonical.invert_conditional import is_inline
from semrep.passes.canonical.merge_nested_if import shares_line
from semrep.passes.canonical.negate_comparison import comparison
from semrep.passes.canonical.normalize_range import range_arguments
from semrep.passes.registry import register


@dataclass(frozen=True, slots=True)
class _Counted:
    start: Node
    counter: Node
    first: Node
    bound: Node
    last: Node


def _counted(loop: Node) -> _Counted | None:
    before = loop.previous_sibling
    test = comparison(loop["condition"].unparenthesized)
    body = loop.child("body")
    if before is None or test is None or test[1] != "<" or body is None:
        return None
    if loop.child("alternative") is not None or len(body.operands) < 2:
        return None
    start = before.operands[0] if before.kind == "expression_statement" else None
    if start is None or start.kind != "assignment" or start.child("right") is None:
        return None
    counter, last = start["left"], body.operands[-1]
    if counter.kind != "identifier" or test[0].text != counter.text:
        return None
    step = "".join(last.text.split())
    if step not in (f"{counter.text}+=1", f"{counter.text}={counter.text}+1"):
        return None
    if test[3].kind not in ("identifier", "integer"):
        return None
    return _Counted(before, counter, start["right"], test[3], last)


def own_jumps(loop: Node, kind: str) -> bool:
    """True where a `break` or `continue` statement belongs to this very loop."""
    for jump in loop.find(kind):
        holder = jump.enclosing("for_statement", "while_statement")
        if holder is loop:
            return True
    return False


@register
@dataclass(frozen=True, slots=True)
class WhileToFor(NodePass):
    """Count with `for` instead of `while`."""

    name: ClassVar[str] = "while-to-for"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON})
    anchors: ClassVar[frozenset[str]] = frozenset({"while_statement"})
    inverse: ClassVar[str | None] = "for-to-while"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return unit.kind == FUNCTION and node.parent is not None and _counted(node) is not None

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        found = _counted(node)
        assert found is not None
        facts = self.facts(module, unit, node)
        refusal = self._refusal(module, facts, node, found)
        if refusal is not None:
            return refusal
        first = "" if found.first.text == "0" else f"{found.first.text}, "
        header = f"for {found.counter.text} in range({first}{found.bound.text})"
        condition = node["condition"]
        before_last = found.last.previous_sibling
        assert before_last is not None
        return [
            Edit(Span(found.start.start, condition.end), encode(header)),
            Edit(Span(before_last.end, found.last.end), b""),
        ]

    def _refusal(self, module: Module, facts: Facts, node: Node, found: _Counted) -> Refusal | None:
        names, types = facts.scopes, facts.types
        counter = names.binding(found.counter)
        if counter is None or not counter.is_local or counter.scope is None:
            return refuse("captured", "others can see the counter", found.counter)
        if counter.scope.is_dynamic or facts.is_triton:
            return refuse("captured", "others can see the counter", found.counter)
        # range() makes an int of a bool it starts from; the bound is only compared with.
        for value, allowed in ((found.first, frozenset({"int"})), (found.bound, INTEGERS)):
            if not types.is_a(value, allowed):
                return refuse("unknown-type", "this is not proven to be an int", value)
        if not module.environment.is_builtin("range") or names.visible("range", counter.scope):
            return refuse("unknown-type", "`range` is not Python's own here")
        if own_jumps(node, "continue_statement"):
            return refuse("continue", "`continue` would skip the count", node)
        stores = [s for s in counter.stores if s.is_inside(node) and not s.is_inside(found.last)]
        if stores or counter.deletes:
            return refuse("counter-changes", "the loop sets its counter", (stores or [node])[0])
        if found.bound.kind == "identifier":
            bound = names.binding(found.bound)
            if bound is None or not bound.is_local or bound is counter:
                return refuse("bound-changes", "others can change the bound", found.bound)
            if any(s.is_inside(node) for s in (*bound.stores, *bound.deletes)):
                return refuse("bound-changes", "the loop sets its bound", found.bound)
        outside = [n for n in counter.loads if not n.is_inside(node)]
        if any(n.start > node.end for n in outside) or self._in_outer_loop(node, outside):
            return refuse("counter-used", "the counter is read after the loop", outside[-1])
        if found.last.operands and node.has_comment and self._comment_at_end(node, found):
            return refuse("comment", "a comment belongs to the count")
        body = node["body"]
        apart = stands_alone(found.start) and stands_alone(found.last) and not is_inline(body)
        between = node.source[found.start.end : node.start]
        if not apart or between.strip() or found.start.has_comment:
            return refuse("comment", "the count shares its lines")
        return None

    def _in_outer_loop(self, node: Node, outside: list[Node]) -> bool:
        outer = node.enclosing("for_statement", "while_statement")
        return outer is not None and any(n.is_inside(outer) for n in outside)

    def _comment_at_end(self, node: Node, found: _Counted) -> bool:
        before = found.last.previous_sibling
        return before is not None and b"#" in node.source[before.end : node.end]


@register
@dataclass(frozen=True, slots=True)
class ForToWhile(NodePass):
    """Count with `while` instead of `for`.

    Rewrite:     for i in range(B): X   -->   i = 0
                                              while i < B: X; i += 1
    Legal when:  B is a proven int that X does not change; X neither sets i nor continues; i is
                 not read after the loop.
    Numerics:    bitwise.
    Refuses:     unknown-type, counter-changes, bound-changes, continue, counter-used, captured,
                 comment.
    """

    name: ClassVar[str] = "for-to-while"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON})
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    inverse: ClassVar[str | None] = "while-to-for"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        given = range_arguments(module, unit, node["right"])
        return (
            unit.kind == FUNCTION
            and node.parent is not None
            and given is not None
            and 1 <= len(given) <= 2
            and given[-1].kind in ("identifier", "integer")
            and node["left"].kind == "identifier"
            and node.child("alternative") is None
            and node.children[0].kind == "for"
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        given = range_arguments(module, unit, node["right"])
        assert given is not None
        counter, bound, body = node["left"], given[-1], node["body"]
        first = given[0] if len(given) == 2 else None
        refusal = self._refusal(facts, node, first, bound)
        if refusal is not None:
            return refusal
        indent, newline = indent_of(unit, node), unit.newline
        inner = indent_of(unit, body.operands[0])
        start = first.text if first is not None else "0"
        header = f"{counter.text} = {start}{newline}{indent}while {counter.text} < {bound.text}"
        return [
            Edit(Span(node.start, node["right"].end), encode(header)),
            Edit(Span(body.end, body.end), encode(f"{newline}{inner}{counter.text} += 1")),
        ]

    def _refusal(self, facts: Facts, node: Node, first: Node | None, bound: Node) -> Refusal | None:
        names = facts.scopes
        counter = names.binding(node["left"])
        if counter is None or not counter.is_local or counter.scope is None:
            return refuse("captured", "others can see the counter", node["left"])
        if counter.scope.is_dynamic or facts.is_triton:
            return refuse("captured", "others can see the counter", node["left"])
        for value in (first, bound):
            if value is not None and not facts.types.is_a(value, frozenset({"int"})):
                return refuse("unknown-type", "this is not proven to be an int", value)
        if own_jumps(node, "continue_statement"):
            return refuse("continue", "`continue` would skip the count", node)
        if [s for s in counter.stores if s.is_inside(node["body"])] or counter.deletes:
            return refuse("counter-changes", "the loop sets its counter", node["left"])
        if bound.kind == "identifier":
            limit = names.binding(bound)
            if limit is None or not limit.is_local or limit is counter:
                return refuse("bound-changes", "others can change the bound", bound)
            if any(s.is_inside(node) for s in (*limit.stores, *limit.deletes)):
                return refuse("bound-changes", "the loop sets its bound", bound)
        outer = node.enclosing("for_statement", "while_statement") or facts.function
        used = [n for n in counter.loads if not n.is_inside(node["body"])]
        if any(n.is_inside(outer) for n in used):
            return refuse("counter-used", "the counter is read outside the loop", used[0])
        body = node["body"]
        if is_inline(body) or node.has_comment or shares_line(node):
            return refuse("comment", "the loop shares its lines, or holds a comment")
        return None
