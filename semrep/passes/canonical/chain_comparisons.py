"""Chain two comparisons that share an operand, and the inverse.

Rewrite:     a < b and b < c   -->   a < b < c
Legal when:  b is a literal or a local variable that nothing else can change between its two
             loads: Python defines the chain as the conjunction with b evaluated once.
Numerics:    bitwise.
Refuses:     shared-variable; triton-chain (Triton has no chained comparisons).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import AND, BIT_OR, COMPARISON, binding_strength, bracketed, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.canonical.negate_comparison import comparison
from semrep.passes.registry import register

_CHAINED = ("<", "<=", ">", ">=", "==")


def _refusal(facts: Facts, shared: Node) -> Refusal | None:
    if facts.is_triton:
        return refuse("triton-chain", "Triton has no chained comparisons")
    if shared.kind == "identifier":
        binding = facts.scopes.binding(shared)
        if binding is None or not binding.is_local or binding.scope is None:
            return refuse("shared-variable", "comparing may change this variable", shared)
        if binding.scope.is_dynamic:
            return refuse("shared-variable", "comparing may change this variable", shared)
    return None


@register
@dataclass(frozen=True, slots=True)
class ChainComparisons(NodePass):
    """Chain two comparisons that share an operand."""

    name: ClassVar[str] = "chain-comparisons"
    anchors: ClassVar[frozenset[str]] = frozenset({"boolean_operator"})
    inverse: ClassVar[str | None] = "split-chained-comparison"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node.operator != "and" or node.has_comment:
            return False
        left = comparison(node["left"].unparenthesized)
        right = comparison(node["right"].unparenthesized)
        return (
            left is not None
            and right is not None
            and left[1] in _CHAINED
            and right[1] in _CHAINED
            and left[1][0] == right[1][0]
            and left[3].kind in ("identifier", "integer", "float")
            and left[3].same_as(right[0])
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        first = comparison(node["left"].unparenthesized)
        second = comparison(node["right"].unparenthesized)
        assert first is not None and second is not None
        shared = first[3]
        refusal = _refusal(self.facts(module, unit, node), shared)
        if refusal is not None:
            return refusal
        ends = [bracketed(n.text, binding_strength(n), BIT_OR) for n in (first[0], second[3])]
        text = f"{ends[0]} {first[1]} {shared.text} {second[1]} {ends[1]}"
        return [replace(node, text, COMPARISON)]


@register
@dataclass(frozen=True, slots=True)
class SplitChainedComparison(NodePass):
    """Split a chain of two comparisons into a conjunction.

    Rewrite:     a < b < c   -->   a < b and b < c
    Legal when:  b is a literal or a local variable that nothing else can change.
    Numerics:    bitwise.
    Refuses:     shared-variable.
    """

    name: ClassVar[str] = "split-chained-comparison"
    anchors: ClassVar[frozenset[str]] = frozenset({"comparison_operator"})
    inverse: ClassVar[str | None] = "chain-comparisons"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        operators = node.fields("operators")
        if len(operators) != 2 or node.has_comment:
            return False
        middle = [c for c in node.operands if c.field != "operators"][1]
        return middle.kind in ("identifier", "integer", "float") and all(
            o.text in _CHAINED for o in operators
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        a, b, c = (n for n in node.operands if n.field != "operators")
        first, second = (o.text for o in node.fields("operators"))
        refusal = _refusal(self.facts(module, unit, node), b)
        if refusal is not None:
            return refusal
        text = f"{a.text} {first} {b.text} and {b.text} {second} {c.text}"
        return [replace(node, text, AND)]
