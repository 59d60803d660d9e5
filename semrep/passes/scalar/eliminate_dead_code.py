"""Remove code that never runs and values that nobody uses.

Rewrite:     x = a * 2 (x never loaded)   -->
             return x; y = 1              -->   return x
             if False: a                  -->
             n + 1 (as a statement)       -->
Legal when:  the code cannot be reached; or it has no effect at all (proven from types), its
             result is not loaded on any way on, and no object dies earlier or later for it.
             What unreachable code does to its function (it makes names local, functions
             generators) has to stay.
Numerics:    bitwise.
Refuses:     has-effects, live, not-local, captured, dynamic-scope, lifetime, binds-name,
             yields, shared-line, comment-lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import delete_statement, is_only_statement, line_start, stands_alone
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register
from semrep.passes.scalar.propagation import INERT, is_inert_before, stored_binding
from semrep.passes.scalar.removal import why_not_removable

_JUMPS = frozenset({"return_statement", "raise_statement", "break_statement", "continue_statement"})
_STAYS = (
    "string", "concatenated_string", "ellipsis", "call", "await", "yield", "named_expression",
)  # fmt: skip
_NEVER = ("false", "none")
_AT_ONCE = 50


@register
@dataclass(frozen=True, slots=True)
class EliminateDeadCode(NodePass):
    """Remove dead stores, unused pure expressions and unreachable statements."""

    name: ClassVar[str] = "eliminate-dead-code"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = _JUMPS | {
        "expression_statement", "if_statement", "while_statement",
    }  # fmt: skip

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION or node.parent is None or node.parent.kind != "block":
            return False
        if node.kind in _JUMPS:
            return node.next_sibling is not None
        if node.kind != "expression_statement":
            condition = node["condition"].unparenthesized
            return condition.kind in _NEVER and node.child("alternative") is None
        inner = node.operands[0]
        if inner.kind in ("assignment", "augmented_assignment"):
            return inner["left"].kind == "identifier" and _is_single(inner)
        return inner.unparenthesized.kind not in _STAYS

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        if node.kind in _JUMPS:
            return _unreachable(unit, node)
        if node.kind != "expression_statement":
            return why_not_removable(unit, node) or _without(unit, [node])
        facts = self.facts(module, unit, node)
        inner = node.operands[0]
        if inner.kind in ("assignment", "augmented_assignment"):
            if refusal := _why_live(facts, node, inner):
                return refusal
            run = self._run(module, unit, node, facts)
            if len(run) > 1 and why_not_removable(unit, *run) is None:
                edits = _without(unit, run)
                if not isinstance(edits, Refusal):
                    return edits
        elif not all(facts.is_droppable(c) for c in node.operands):
            return refuse("has-effects", "evaluating this may do more than give a value")
        return why_not_removable(unit, node) or _without(unit, [node])

    def _run(self, module: Module, unit: Unit, node: Node, facts: Facts) -> list[Node]:
        """A dead store and those to the same variable that follow at once: without the ones
        before it, each lets go of what the first does, and nothing else."""
        name = node.operands[0]["left"].text
        run, following = [node], node.next_sibling
        while following is not None and len(run) < _AT_ONCE:
            if following.kind != "expression_statement":
                break
            inner = following.operands[0]
            if inner.kind != "assignment" or not self.matches(module, unit, following):
                break
            if (
                inner["left"].text != name
                or _why_live(facts, following, inner, first=False) is not None
            ):
                break
            run.append(following)
            following = following.next_sibling
        assert node.parent is not None
        # A block cannot go as a whole: what is left of it goes by itself.
        return run[:-1] if len(run) == len(node.parent.operands) else run


def _is_single(assignment: Node) -> bool:
    right = assignment.child("right")
    return right is not None and right.kind not in ("assignment", "augmented_assignment", "yield")


def _unreachable(unit: Unit, jump: Node) -> list[Edit] | Refusal:
    assert jump.parent is not None
    behind = [c for c in jump.parent.operands if c.start >= jump.end]
    return why_not_removable(unit, *behind) or _without(unit, behind)


def _without(unit: Unit, statements: list[Node]) -> list[Edit] | Refusal:
    for s in statements:
        if not stands_alone(s) and (len(statements) > 1 or not is_only_statement(s)):
            return refuse("shared-line", "this shares its lines with another statement", s)
        if s.has_comment:
            return refuse("comment-lost", "a comment stands inside", s)
    edits = [delete_statement(unit, s) for s in statements]
    # At the end of a unit the last statement takes the line end before it along, not the one
    # behind it; then so must the others, or edits overlap.
    back = max(line_start(statements[-1]) - edits[-1].span.start, 0)
    return [Edit(e.span.shifted(-back), e.text) for e in edits[:-1]] + edits[-1:]


def _why_live(
    facts: Facts, statement: Node, assignment: Node, first: bool = True
) -> Refusal | None:
    """Why a store to a local variable has to stay. first: what the variable held before counts."""
    target, right = assignment["left"], assignment["right"]
    binding = stored_binding(facts, target)
    if isinstance(binding, Refusal):
        return binding
    if facts.flow.is_live_after(statement, binding) or binding.deletes:
        return refuse("live", f"{binding.name!r} may be loaded afterwards", target)
    if not facts.is_droppable(assignment):
        return refuse("has-effects", "evaluating this may do more than give a value", right)
    if facts.is_triton:
        return None
    if first and not is_inert_before(facts, statement, binding):
        return refuse("lifetime", f"this lets go of what {binding.name!r} held before", target)
    if assignment.kind == "assignment" and not _holds_nothing(facts, statement, right):
        return refuse("lifetime", f"{binding.name!r} keeps an object alive", right)
    return None


def _holds_nothing(facts: Facts, statement: Node, value: Node) -> bool:
    """Whether nobody notices that a value is not kept until the variable's end."""
    if facts.types.is_a(value, INERT):
        return True
    for identifier in value.find("identifier"):
        binding = facts.scopes.binding(identifier)
        if binding is None or binding.is_global or facts.types.is_a(identifier, INERT):
            continue
        if not binding.is_local or binding.scope is None:
            return False
        if binding.scope.node is not facts.function:
            return False
        if facts.flow.is_stored_after(statement, binding):
            return False
    return True
