"""Put a number literal on the right of a sum or product.

Rewrite:     2 * x   -->   x * 2
Legal when:  the other operand is proven to be one of Python's own numbers, or the code is a
             Triton kernel; addition and multiplication then commute bit for bit.
Numerics:    bitwise.
Refuses:     unknown-type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import binding_strength, bracketed, operator_strength
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.types import NUMBERS
from semrep.ir.unit import Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register

_LITERALS = ("integer", "float")


@register
@dataclass(frozen=True, slots=True)
class OrderOperands(NodePass):
    """Put a number literal on the right of a sum or product."""

    name: ClassVar[str] = "order-operands"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator"})
    is_independent: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return (
            node.operator in ("+", "*")
            and node["left"].kind in _LITERALS
            and node["right"].unparenthesized.kind not in (*_LITERALS, "string")
            and not node.has_comment
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        left, right = node["left"], node["right"]
        facts = self.facts(module, unit, node)
        if not facts.is_triton and not facts.types.is_a(right, NUMBERS):
            return refuse("unknown-type", "this may not be a number of Python's own", right)
        strength = operator_strength(node.operator)
        moved = bracketed(right.text, binding_strength(right), strength)
        return [Edit(left.span, moved.encode()), Edit(right.span, left.bytes)]
