"""Collect a list with a comprehension instead of a loop of appends, and the inverse.

Rewrite:     ys = []
             for x in xs: ys.append(E)   -->   ys = [E for x in xs]       (also with one `if`)
Legal when:  the loop follows the empty list at once; only the append uses ys; nothing reads
             the loop's variables afterwards; names mean the same inside a comprehension.
Numerics:    bitwise.
Refuses:     list-used, variable-used, maybe-unbound, captured, inside-try, suspends, too-long,
             comment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import (
    LAMBDA,
    OR,
    binding_strength,
    bracketed,
    encode,
    indent_of,
    line_start,
)
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.canonical.merge_nested_if import shares_line
from semrep.passes.registry import register

_LONGEST_LINE = 100
_SUSPENDS = ("yield", "await", "named_expression")
_KEEPS_NAMES = (*_SUSPENDS, "lambda", "async", "generator_expression")


@dataclass(frozen=True, slots=True)
class _Loop:
    """The parts of `for target in source: [if condition:] list.append(value)`."""

    start: Node
    target: Node
    source: Node
    condition: Node | None
    value: Node
    append: Node


def _only(block: Node | None) -> Node | None:
    return block.operands[0] if block is not None and len(block.operands) == 1 else None


def _append_loop(loop: Node) -> _Loop | None:
    before = loop.previous_sibling
    if before is None or loop.child("alternative") is not None or loop.children[0].kind == "async":
        return None
    start = before.operands[0] if before.kind == "expression_statement" else None
    if start is None or start.kind != "assignment" or start["left"].kind != "identifier":
        return None
    if "".join(start.text.split()) != f"{start['left'].text}=[]":
        return None
    statement, condition = _only(loop.child("body")), None
    if statement is not None and statement.kind == "if_statement":
        if statement.child("alternative") is not None:
            return None
        condition = statement["condition"]
        statement = _only(statement.child("consequence"))
    call = statement.operands[0] if statement is not None and statement.operands else None
    if statement is None or statement.kind != "expression_statement" or call is None:
        return None
    if call.kind != "call" or call["function"].text != f"{start['left'].text}.append":
        return None
    given = call["arguments"].operands
    if call["arguments"].kind != "argument_list" or len(given) != 1:
        return None
    if given[0].kind in ("list_splat", "dictionary_splat", "keyword_argument"):
        return None
    return _Loop(
        before, loop["left"], loop["right"], condition, given[0], call["function"]["object"]
    )


@register
@dataclass(frozen=True, slots=True)
class LoopToComprehension(NodePass):
    """Collect a list with a comprehension instead of a loop of appends."""

    name: ClassVar[str] = "loop-to-comprehension"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    inverse: ClassVar[str | None] = "comprehension-to-loop"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return unit.kind == FUNCTION and node.parent is not None and _append_loop(node) is not None

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        loop = _append_loop(node)
        assert loop is not None and node.parent is not None
        facts = self.facts(module, unit, node)
        refusal = self._refusal(facts, node, loop)
        if refusal is not None:
            return refusal
        value = bracketed(loop.value.text, binding_strength(loop.value), LAMBDA)
        source = bracketed(loop.source.text, binding_strength(loop.source), OR)
        text = f"{loop.append.text} = [{value} for {loop.target.text} in {source}"
        if loop.condition is not None:
            text += f" if {bracketed(loop.condition.text, binding_strength(loop.condition), OR)}"
        indent = node.source[line_start(loop.start) : loop.start.start]
        if "\n" in text or len(indent) + len(text) + 1 > _LONGEST_LINE:
            return refuse("too-long", f"the line would pass {_LONGEST_LINE} characters")
        return [Edit(Span(loop.start.start, node.end), encode(f"{text}]"))]

    def _refusal(self, facts: Facts, node: Node, loop: _Loop) -> Refusal | None:
        names = facts.scopes
        collected = names.binding(loop.append)
        if collected is None or not collected.is_local:
            return refuse("captured", "others can see this list while it grows", loop.append)
        assert node.parent is not None and collected.scope is not None
        if collected.scope.is_dynamic:
            return refuse("captured", "local names are read through strings here", loop.append)
        between = node.parent.children[loop.start.index : node.index + 1]
        if node.has_comment or any(c.kind == "comment" for c in between):
            return refuse("comment", "a comment belongs to the loop")
        if any(c.kind == ";" for c in between) or shares_line(loop.start):
            return refuse("too-long", "the statements share a line")
        inside = [loop.value, *([loop.condition] if loop.condition else [])]
        for part in (loop.target, loop.source, *inside):
            for inner in part.walk():
                if inner.kind in _SUSPENDS or inner.text in ("super", "__class__"):
                    return refuse("suspends", "this means something else in a comprehension", inner)
                if inner.kind == "identifier" and names.binding(inner) is collected:
                    return refuse("list-used", "the list is used while it grows", inner)
        unbound = _maybe_unbound(facts, inside, loop.target)
        if unbound is not None:
            return unbound
        for outer in node.ancestors():
            if outer.kind in ("try_statement", "with_statement"):
                return refuse("inside-try", "an exception would leave part of the list behind")
        for inner in loop.target.walk():
            if inner.kind in ("attribute", "subscript"):
                return refuse("variable-used", "the loop stores into an object", inner)
            binding = names.binding(inner) if inner.kind == "identifier" else None
            if binding is None:
                continue
            if not binding.is_local or not _is_used_only_in(node, binding):
                return refuse("variable-used", "the loop's variable is used elsewhere", inner)
        return None


def _maybe_unbound(facts: Facts, parts: Iterable[Node], target: Node) -> Refusal | None:
    """An unbound name raises NameError inside a comprehension, UnboundLocalError outside."""
    bound_here = {i.text for i in target.find("identifier")}
    for part in parts:
        for name in part.find("identifier"):
            binding = facts.scopes.binding(name)
            if binding is None or binding.scope is None or name.text in bound_here:
                continue
            if binding.scope.node is facts.function and not facts.flow.is_bound(name):
                return refuse("maybe-unbound", "this name may have no value here", name)
    return None


def _is_used_only_in(loop: Node, binding: Binding) -> bool:
    """Inside a comprehension the variable would be another one."""
    every = (*binding.loads, *binding.stores, *binding.deletes)
    return all(n.is_inside(loop) for n in every)


@register
@dataclass(frozen=True, slots=True)
class ComprehensionToLoop(NodePass):
    """Write a list comprehension as a loop of appends.

    Rewrite:     ys = [E for x in xs if c]   -->   ys = []
                                                   for x in xs:
                                                       if c: ys.append(E)
    Legal when:  it has one `for`, and is the whole value of an assignment to a local name that
                 it does not use.
    Numerics:    bitwise.
    Refuses:     captured, list-used, maybe-unbound, inside-try, name-in-use, layout.
    """

    name: ClassVar[str] = "comprehension-to-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"expression_statement"})
    inverse: ClassVar[str | None] = "loop-to-comprehension"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION or node.parent is None or len(node.operands) != 1:
            return False
        inner = node.operands[0]
        value = inner.child("right") if inner.kind == "assignment" else None
        return (
            value is not None
            and inner.child("type") is None
            and inner["left"].kind == "identifier"
            and value.kind == "list_comprehension"
            and [c.kind for c in value.operands[1:]]
            in (["for_in_clause"], ["for_in_clause", "if_clause"])
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        target = node.operands[0]["left"]
        comprehension = node.operands[0]["right"]
        refusal = self._refusal(facts, node, target, comprehension)
        if refusal is not None:
            return refusal
        value, clause, *filters = comprehension.operands
        indent, newline = indent_of(unit, node), unit.newline
        step = "\t" if indent.endswith("\t") else "    "
        lines = [f"{target.text} = []", f"for {clause['left'].text} in {clause['right'].text}:"]
        if filters:
            lines.append(f"{step}if {filters[0].operands[0].text}:")
        lines.append(f"{step * len(lines[1:])}{target.text}.append({value.text})")
        return [Edit(node.span, encode(f"{newline}{indent}".join(lines)))]

    def _refusal(
        self, facts: Facts, node: Node, target: Node, comprehension: Node
    ) -> Refusal | None:
        names = facts.scopes
        collected = names.binding(target)
        if collected is None or not collected.is_local or collected.scope is None:
            return refuse("captured", "others can see this list while it grows", target)
        if collected.scope.is_dynamic:
            return refuse("captured", "local names are read through strings here", target)
        if "\n" in node.text or node.has_comment or shares_line(node):
            return refuse("layout", "the assignment spans or shares lines")
        for outer in node.ancestors():
            if outer.kind in ("try_statement", "with_statement"):
                return refuse("inside-try", "an exception would leave part of the list behind")
        for inner in comprehension.walk():
            if inner.kind in (*_SUSPENDS, "lambda", "async") or inner.kind.endswith(
                "_comprehension"
            ):
                if inner is not comprehension:
                    return refuse("captured", "this may keep the comprehension's names", inner)
            if inner.kind != "identifier":
                continue
            binding = names.binding(inner)
            if binding is collected:
                return refuse("list-used", "the list is used while it grows", inner)
            if binding is not None and binding.scope is names.scope_for(comprehension):
                if names.visible(inner.text, collected.scope) is not None or any(
                    inner.text in s.names for s in names.scopes if s is not binding.scope
                ):
                    return refuse("name-in-use", "this name means something else outside", inner)
        value, clause, *filters = comprehension.operands
        return _maybe_unbound(facts, [value, *filters], clause["left"])
