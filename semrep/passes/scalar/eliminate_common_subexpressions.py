"""Compute once what is computed again and again.

Rewrite:     p = a * b + c; q = a * b - c   -->   a_times_b = a * b; p = a_times_b + c; …
             v = a * b; q = a * b - c       -->   v = a * b; q = v - c
Legal when:  the expression is pure: no effect, no exception, a value without identity; every
             way to the later places leads through the first one; nothing in between stores
             any name in it.
Numerics:    bitwise: the same operation on the same operands.
Refuses:     has-effects, no-recurrence, no-place, constexpr.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import insert_before, is_inside_fstring, replace, statement_of, with_brackets
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register
from semrep.passes.scalar.temporaries import is_tensor, name_for

_OPERATIONS = ("binary_operator", "call", "comparison_operator", "subscript")
_STARTS = ("expression_statement", "return_statement", "if_statement", "assert_statement")


@register
@dataclass(frozen=True, slots=True)
class EliminateCommonSubexpressions(NodePass):
    """Give a recurring pure expression a variable, or use the one that has its value."""

    name: ClassVar[str] = "eliminate-common-subexpressions"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator", "call"})

    min_operations: int = 2
    """Fewest operators and calls in an expression that is worth a new variable."""

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION or node.parent is None:
            return False
        places = unit.fact("recurring-expressions", lambda: _recurring(unit))
        found = places.get((node.kind, node.bytes))
        if found is None or node is found[-1]:
            return False
        # What recurs only as a part of a larger expression waits for that one.
        whole = with_brackets(node).parent
        around = places.get((whole.kind, whole.bytes)) if whole is not None else None
        return around is None or len(around) != len(found)

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        places = unit.fact("recurring-expressions", lambda: _recurring(unit))
        facts = self.facts(module, unit, node)
        if not facts.is_pure(node) or _is_foreign(facts, node):
            return refuse("has-effects", "evaluating this may do more than give a value", node)
        if facts.is_triton and not is_tensor(facts, node):
            return refuse("constexpr", "a variable would make a tensor of this constant", node)
        later = [
            p
            for p in places[node.kind, node.bytes]
            if p.start >= node.end
            and facts.scopes.runs_in(p, facts.function)
            and _same_value(facts, node, p)
        ]
        if not later:
            return refuse("no-recurrence", "its operands may change before it recurs", node)
        if holder := _holder(facts, node):
            steady = [
                p
                for p in later
                if (binding := facts.scopes.binding(holder)) is not None
                and facts.flow.definitions_at(p, binding) == {holder}
                and facts.scopes.visible(holder.text, facts.scopes.scope_of(p)) is binding
            ]
            if steady:
                return [replace(with_brackets(p), holder.text) for p in steady]
        if _operations(node) < self.min_operations and len(later) < 2:
            return refuse("no-recurrence", "a variable would not be worth it", node)
        statement = statement_of(node)
        if statement is None or statement.kind not in _STARTS:
            return refuse("no-place", "no variable can be set right before this", node)
        name = name_for(unit, node)
        if facts.flow.point_of(node) is not facts.flow.point_of(statement):
            return refuse("no-place", "no variable can be set right before this", node)
        before = insert_before(unit, statement, f"{name} = {node.text}")
        if before is None or "\n" in node.text or node.has_comment:
            return refuse("no-place", "no variable can be set right before this", node)
        return [before, *(replace(with_brackets(p), name) for p in (node, *later))]


def _recurring(unit: Unit) -> dict[tuple[str, bytes], list[Node]]:
    """Expressions that are written at least twice, with all their places."""
    found: dict[tuple[str, bytes], list[Node]] = {}
    for kind in ("binary_operator", "call"):
        for node in unit.by_kind.get(kind, ()):
            found.setdefault((kind, node.bytes), []).append(node)
    return {k: v for k, v in found.items() if len(v) > 1}


def _same_value(facts: Facts, first: Node, later: Node) -> bool:
    """Whether nothing changes an operand on any way from the first place to the later one."""
    if is_inside_fstring(later) or is_inside_fstring(first):
        return False
    for a, b in zip(first.find("identifier"), later.find("identifier"), strict=True):
        binding = facts.scopes.binding(a)
        if binding is not facts.scopes.binding(b):
            return False
        if binding is None or binding.is_global:
            continue
        if not facts.flow.is_unchanged(first, later, binding):
            return False
    return facts.flow.dominates(first, later)


def _is_foreign(facts: Facts, node: Node) -> bool:
    """Whether an operand belongs to a comprehension, a lambda or another function."""
    if not facts.scopes.runs_in(node, facts.function):
        return True
    for identifier in node.find("identifier"):
        binding = facts.scopes.binding(identifier)
        if binding is None or binding.is_global:
            continue
        if not binding.is_local or binding.scope is None:
            return True
        if binding.scope.node is not facts.function or binding.scope.is_dynamic:
            return True
    return any(n.kind == "named_expression" for n in node.walk())


def _holder(facts: Facts, node: Node) -> Node | None:
    """The variable that is given just this value where it is computed first."""
    place = node
    while place.parent is not None and place.parent.kind == "parenthesized_expression":
        place = place.parent
    assignment = place.parent
    if assignment is None or assignment.kind != "assignment" or place.field != "right":
        return None
    target = assignment["left"]
    binding = facts.scopes.binding(target) if target.kind == "identifier" else None
    if binding is None or not binding.is_local or binding.scope is None:
        return None
    return target if binding.scope.node is facts.function else None


def _operations(node: Node) -> int:
    return sum(n.kind in _OPERATIONS for n in node.walk())
