"""Write an update of a variable as an augmented assignment, and the inverse.

Rewrite:     x = x + y   -->   x += y
Legal when:  x is proven to hold an immutable value of Python's own (for others `+=` works in
             place, which an alias can see), or the code is a Triton kernel.
Numerics:    bitwise.
Refuses:     unknown-type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import binding_strength, bracketed, operator_strength
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.types import NUMBERS
from semrep.ir.unit import Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register

_IMMUTABLE = NUMBERS | {"str", "bytes", "complex"}
_KEEPS_BRACKETS = ("generator_expression", "named_expression", "yield")


@register
@dataclass(frozen=True, slots=True)
class AugmentAssignment(NodePass):
    """Write an update of a variable as an augmented assignment."""

    name: ClassVar[str] = "augment-assignment"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"assignment"})
    inverse: ClassVar[str | None] = "expand-augmented-assignment"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        target, value = node["left"], node.child("right")
        return (
            target.kind == "identifier"
            and value is not None
            and node.child("type") is None
            and value.kind == "binary_operator"
            and value["left"].kind == "identifier"
            and value["left"].bytes == target.bytes
            and not node.has_comment
            and b"\n" not in node.bytes
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        target, value = node["left"], node["right"]
        facts = self.facts(module, unit, node)
        if not facts.is_triton and not facts.types.is_a(value["left"], _IMMUTABLE):
            message = "this may be an object that += changes in place"
            return refuse("unknown-type", message, value["left"])
        right = value["right"]
        inner = right.unparenthesized
        text = inner.text if inner.kind not in _KEEPS_BRACKETS else right.text
        return [Edit(Span(target.end, node.end), f" {value.operator}= {text}".encode())]


@register
@dataclass(frozen=True, slots=True)
class ExpandAugmentedAssignment(NodePass):
    """Write an augmented assignment out.

    Rewrite:     x += y   -->   x = x + y
    Legal when:  x is proven to hold an immutable value of Python's own, or in Triton kernels.
    Numerics:    bitwise.
    Refuses:     unknown-type.
    """

    name: ClassVar[str] = "expand-augmented-assignment"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"augmented_assignment"})
    inverse: ClassVar[str | None] = "augment-assignment"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return (
            node["left"].kind == "identifier"
            and node["right"].kind not in ("yield", "expression_list")
            and not node.has_comment
            and b"\n" not in node.bytes
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        target, value = node["left"], node["right"]
        facts = self.facts(module, unit, node)
        if not facts.is_triton and not facts.types.is_a(target, _IMMUTABLE):
            return refuse("unknown-type", "this may be an object that += changes in place", target)
        operator = node.operator.removesuffix("=")
        right = bracketed(value.text, binding_strength(value), operator_strength(operator) + 1)
        text = f"{target.text} = {target.text} {operator} {right}"
        return [Edit(node.span, text.encode())]
