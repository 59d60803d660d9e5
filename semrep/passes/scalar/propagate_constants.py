"""Write a number in place of the variable that holds it.

Rewrite:     n = 3; return x * n   -->   n = 3; return x * 3
Legal when:  the variable is this function's own, holds a literal, and no other value can
             reach the load. The assignment itself stays, for eliminate-dead-code.
Numerics:    bitwise.
Refuses:     not-local, captured, dynamic-scope, no-use, triton-kernel (where a variable makes
             a tensor of a literal, which promotes by other rules).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRIMARY, UNARY, is_inside_fstring, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.registry import register
from semrep.passes.scalar.literals import is_literal
from semrep.passes.scalar.propagation import sole_uses, stored_binding

_LONGEST = 24


@register
@dataclass(frozen=True, slots=True)
class PropagateConstants(NodePass):
    """Replace loads of a local variable by the literal that it holds."""

    name: ClassVar[str] = "propagate-constants"
    anchors: ClassVar[frozenset[str]] = frozenset({"assignment"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        right = node.child("right")
        return (
            right is not None
            and node["left"].kind == "identifier"
            and right.end - right.start <= _LONGEST
            and is_literal(right)
            and unit.kind == FUNCTION
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        if facts.is_triton:
            return refuse("triton-kernel", "here the variable is a tensor, the literal is none")
        store, literal = node["left"], node["right"].unparenthesized
        binding = stored_binding(facts, store)
        if isinstance(binding, Refusal):
            return binding
        strength = UNARY if literal.kind == "unary_operator" else PRIMARY
        uses = [u for u in sole_uses(facts, store, binding) if _takes(u, literal)]
        if not uses:
            return refuse("no-use", "no load sees only this value", store)
        return [replace(use, literal.text, strength) for use in uses]


def _takes(use: Node, literal: Node) -> bool:
    """Whether the literal may stand where the name does."""
    parent = use.parent
    if parent is None or is_inside_fstring(use):
        return False
    if parent.kind in ("call", "subscript") and use.field in ("function", "value"):
        return False
    if parent.kind == "comparison_operator" and literal.kind not in ("true", "false", "none"):
        # `1 is x` draws a warning at compile time.
        return not any(t.text.startswith("is") for t in parent.fields("operators"))
    # A bare name as a statement may become a docstring.
    return parent.kind not in ("expression_statement", "case_pattern", "delete_statement")
