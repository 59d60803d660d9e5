"""De Morgan's laws.

Rewrite:     not (a and b)   -->   not a or not b
             not (a or b)    -->   not a and not b
Legal when:  it is (part of) a condition, or asking the operands for their truth is proven to
             have no effect. As a value, `not (a and b)` asks a false `a` twice.
Numerics:    bitwise.
Refuses:     tested-twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import NOT, binding_strength, bracketed, operator_strength, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.canonical.drop_double_negation import is_condition
from semrep.passes.registry import register

_DUAL = {"and": "or", "or": "and"}


def _refusal(facts: Facts, whole: Node, first: Node) -> Refusal | None:
    if is_condition(whole) or facts.test(first) == facts.effects(first):
        return None
    return refuse("tested-twice", "as a value, one form asks this for its truth twice", first)


@register
@dataclass(frozen=True, slots=True)
class PushNegation(NodePass):
    """Move a negation from a conjunction or disjunction to its operands (De Morgan)."""

    name: ClassVar[str] = "push-negation"
    anchors: ClassVar[frozenset[str]] = frozenset({"not_operator"})
    inverse: ClassVar[str | None] = "pull-negation"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return node["argument"].unparenthesized.kind == "boolean_operator" and not node.has_comment

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        inner = node["argument"].unparenthesized
        refusal = _refusal(self.facts(module, unit, node), node, inner["left"])
        if refusal is not None:
            return refusal
        sides = [
            f"not {bracketed(s.text, binding_strength(s), NOT)}"
            for s in (inner["left"], inner["right"])
        ]
        dual = _DUAL[inner.operator]
        return [replace(node, f" {dual} ".join(sides), operator_strength(dual))]


@register
@dataclass(frozen=True, slots=True)
class PullNegation(NodePass):
    """Move the negations of both operands to the whole (De Morgan, backwards).

    Rewrite:     not a or not b   -->   not (a and b)
    Legal when:  as for push-negation. Numerics: bitwise. Refuses: tested-twice.
    """

    name: ClassVar[str] = "pull-negation"
    anchors: ClassVar[frozenset[str]] = frozenset({"boolean_operator"})
    inverse: ClassVar[str | None] = "push-negation"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        sides = (node["left"].unparenthesized, node["right"].unparenthesized)
        return all(s.kind == "not_operator" for s in sides) and not node.has_comment

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        dual = _DUAL[node.operator]
        strength = operator_strength(dual)
        left, right = (node[f].unparenthesized["argument"] for f in ("left", "right"))
        refusal = _refusal(self.facts(module, unit, node), node, left)
        if refusal is not None:
            return refusal
        first = bracketed(left.text, binding_strength(left), strength)
        second = bracketed(right.text, binding_strength(right), strength + 1)
        return [replace(node, f"not ({first} {dual} {second})", NOT)]
