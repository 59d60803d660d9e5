"""Put a literal on the right of a comparison.

Rewrite:     5 < x   -->   x > 5
Legal when:  one operand is a literal number, string, None or boolean and the other is not, and
             there is just one comparison operator (no chain).
Numerics:    bitwise.
Refuses:     nothing: Python tries `x.__gt__` in both forms before it gives up, since no
             builtin literal knows how to compare itself with an unknown type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import BIT_OR, binding_strength, bracketed
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal
from semrep.passes.registry import register

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_LITERALS = ("integer", "float", "string", "none", "true", "false")


@register
@dataclass(frozen=True, slots=True)
class OrderComparison(NodePass):
    """Put a literal on the right of a comparison."""

    name: ClassVar[str] = "order-comparison"
    anchors: ClassVar[frozenset[str]] = frozenset({"comparison_operator"})
    is_independent: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        parts = node.operands
        return (
            len(parts) == 2
            and parts[0].unparenthesized.kind in _LITERALS
            and parts[1].unparenthesized.kind not in _LITERALS
            and node["operators"].text in _MIRRORED
            and not node.has_comment
            and not any(n.kind == "interpolation" for n in parts[0].walk())
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        left, right = node.operands
        operator = node["operators"]
        return [
            Edit(left.span, bracketed(right.text, binding_strength(right), BIT_OR).encode()),
            Edit(operator.span, _MIRRORED[operator.text].encode()),
            Edit(right.span, left.bytes),
        ]
