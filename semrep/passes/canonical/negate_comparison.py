"""Merge a negation into the comparison below it, and the inverse.

Rewrite:     not a in b, not a is b, not a == b   -->   a not in b, a is not b, a != b
Legal when:  membership and identity: always, as Python defines the one by the other. Equality:
             both sides are proven to be Python's own scalars. Order: the same, without floats,
             for which `not a < b` and `a >= b` differ on NaN.
Numerics:    bitwise.
Refuses:     unknown-type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import COMPARISON, NOT, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.types import INTEGERS, SCALARS
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.registry import register

_ALWAYS = {"in": "not in", "is": "is not"}
_EQUALITY = {"==": "!=", "!=": "=="}
_ORDER = {"<": ">=", ">": "<=", "<=": ">", ">=": "<"}
_UNDONE = {"not in": "in", "is not": "is"}


def comparison(node: Node) -> tuple[Node, str, Node, Node] | None:
    """Left side, operator, its node and right side of a comparison that is no chain."""
    if node.kind != "comparison_operator" or len(node.fields("operators")) != 1:
        return None
    left, right = (c for c in node.operands if c.field != "operators")
    token = node["operators"]
    return left, " ".join(token.text.split()), token, right


@register
@dataclass(frozen=True, slots=True)
class NegateComparison(NodePass):
    """Merge a negation into the comparison below it."""

    name: ClassVar[str] = "negate-comparison"
    anchors: ClassVar[frozenset[str]] = frozenset({"not_operator"})
    inverse: ClassVar[str | None] = "split-negated-comparison"
    is_independent: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        parts = comparison(node["argument"].unparenthesized)
        return parts is not None and parts[1] not in _UNDONE and not node.has_comment

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        found = comparison(node["argument"].unparenthesized)
        assert found is not None
        left, operator, _, right = found
        facts = self.facts(module, unit, node)
        if operator in _ALWAYS:
            negated = _ALWAYS[operator]
        else:
            allowed = SCALARS if operator in _EQUALITY else INTEGERS | {"str"}
            for side in (left, right):
                if not facts.types.is_a(side, allowed):
                    message = f"{operator} is the opposite of its negation only for known types"
                    return refuse("unknown-type", message, side)
            negated = {**_EQUALITY, **_ORDER}[operator]
        return [replace(node, f"{left.text} {negated} {right.text}", COMPARISON)]


@register
@dataclass(frozen=True, slots=True)
class SplitNegatedComparison(NodePass):
    """Split `not in` and `is not` into a negation and a comparison.

    Rewrite:     a not in b   -->   not a in b
    Legal when:  always. Numerics: bitwise. Refuses: nothing.
    """

    name: ClassVar[str] = "split-negated-comparison"
    anchors: ClassVar[frozenset[str]] = frozenset({"comparison_operator"})
    inverse: ClassVar[str | None] = "negate-comparison"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        parts = comparison(node)
        return parts is not None and parts[1] in _UNDONE and not node.has_comment

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        found = comparison(node)
        assert found is not None
        left, operator, _, right = found
        return [replace(node, f"not {left.text} {_UNDONE[operator]} {right.text}", NOT)]
