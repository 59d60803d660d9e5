"""Compute once, before a loop, what every iteration computes again.

Rewrite:     for i in r: s += i * (n * 2)   -->   n_times_2 = n * 2; for i in r: s += i * n_times_2
             for k in r: w = a + b; …       -->   w = a + b; for k in r: …
Legal when:  the expression is pure (no effect, no exception: the loop may not run at all) and
             the loop stores none of its names. An assignment moves where it is the only one
             to its variable in the loop, and nothing loads the variable before it or, should
             the loop not run, after it.
Numerics:    bitwise.
Refuses:     has-effects, constexpr, no-place, live, lifetime, reassigned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import (
    delete_statement,
    insert_before,
    is_inside_fstring,
    replace,
    stands_alone,
    with_brackets,
)
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.loop.loops import LOOPS, enclosing_loop, stored_names
from semrep.passes.registry import register
from semrep.passes.scalar.propagation import is_inert_before
from semrep.passes.scalar.temporaries import is_tensor, name_for

_EXPRESSIONS = frozenset(
    {"binary_operator", "unary_operator", "call", "comparison_operator", "not_operator",
     "boolean_operator"}
)  # fmt: skip


@register
@dataclass(frozen=True, slots=True)
class HoistLoopInvariant(NodePass):
    """Move pure expressions that no iteration changes before the loop."""

    name: ClassVar[str] = "hoist-loop-invariant"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = _EXPRESSIONS

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION or not unit.nodes(*LOOPS):
            return False
        loop = enclosing_loop(node)
        if loop is None or not varies_never(unit, loop, node):
            return False
        parent = node.parent
        if parent is not None and node.field == "right" and parent.kind.startswith("for_"):
            return False  # `range(n)` is best read where it is
        while parent is not None and parent.kind == "parenthesized_expression":
            parent = parent.parent
        # The largest invariant expression is the site.
        is_part = parent is not None and parent.kind in _EXPRESSIONS | {"argument_list"}
        if is_part and parent is not None:
            whole = parent if parent.kind != "argument_list" else parent.parent
            return whole is None or not varies_never(unit, loop, whole)
        return True

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        loop = enclosing_loop(node)
        assert loop is not None
        if not facts.is_pure(node) or is_foreign(facts, node):
            return refuse("has-effects", "evaluating this may do more than give a value", node)
        if facts.is_triton and not is_tensor(facts, node):
            return refuse("constexpr", "a variable would make a tensor of this constant", node)
        if "\n" in node.text or "\r" in node.text or node.has_comment or is_inside_fstring(node):
            return refuse("no-place", "the text here is not to be rewritten", node)
        assignment = node.parent
        if (
            assignment is not None
            and assignment.kind == "assignment"
            and node.field == "right"
            and assignment["left"].kind == "identifier"
            and assignment.parent is not None
            and assignment.parent.kind == "expression_statement"
            and assignment.child("type") is None
        ):
            return _moved(facts, loop, assignment)
        name = name_for(unit, node)
        before = insert_before(unit, loop, f"{name} = {node.text}")
        if before is None:
            return refuse("no-place", "no line can be put before the loop", loop)
        return [before, replace(with_brackets(node), name)]


def varies_never(unit: Unit, loop: Node, node: Node) -> bool:
    """Whether an expression has operands, and no name that the loop stores."""
    stored = stored_names(unit, loop)
    names = 0
    for n in node.walk():
        if n.kind == "identifier":
            names += 1
            if n.text in stored and n.field != "attribute":
                return False
        elif n.kind in ("named_expression", "yield", "await", "lambda", "generator_expression"):
            return False
    return names > 0


def is_foreign(facts: Facts, node: Node) -> bool:
    """Whether an operand is not this function's own variable, or can change unseen."""
    if not facts.scopes.runs_in(node, facts.function):
        return True
    for identifier in node.find("identifier"):
        binding = facts.scopes.binding(identifier)
        if binding is None or binding.is_global:
            continue
        if not binding.is_local or binding.scope is None or binding.scope.is_dynamic:
            return True
        if binding.scope.node is not facts.function:
            return True
    return False


def _moved(facts: Facts, loop: Node, assignment: Node) -> list[Edit] | Refusal:
    """Move a whole assignment before its loop."""
    target, statement = assignment["left"], assignment.parent
    assert statement is not None
    binding = facts.scopes.binding(target)
    if binding is None or not binding.is_local or binding.scope is None:
        return refuse("reassigned", "other code can see this variable", target)
    if binding.scope.node is not facts.function or binding.scope.is_dynamic:
        return refuse("reassigned", "other code can see this variable", target)
    others = [s for s in (*binding.stores, *binding.deletes) if s is not target]
    if any(s.is_inside(loop) for s in others):
        return refuse("reassigned", f"the loop stores {binding.name!r} elsewhere, too", target)
    if facts.flow.is_live_before(loop, binding):
        return refuse("live", f"the value {binding.name!r} has before the loop is used", target)
    if not facts.is_triton and not is_inert_before(facts, loop, binding, besides=target):
        return refuse("lifetime", f"this lets go of what {binding.name!r} held before", target)
    before = insert_before(facts.unit, loop, statement.text)
    if before is None or not stands_alone(statement) or statement.has_comment:
        return refuse("no-place", "no line can be put before the loop", loop)
    return [before, delete_statement(facts.unit, statement)]
