"""Use the original instead of its copy.

Rewrite:     y = x; return y + y   -->   y = x; return x + x
Legal when:  both are this function's own variables, the load can see no other value of `y`,
             and nothing stores or deletes `x` between the copy and the load.
Numerics:    bitwise: it is the same object.
Refuses:     not-local, captured, dynamic-scope, no-use, value-changes, name-capture,
             triton-kernel (where a copy makes a tensor of a constexpr).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.registry import register
from semrep.passes.scalar.propagation import sole_uses, stored_binding


@register
@dataclass(frozen=True, slots=True)
class PropagateCopies(NodePass):
    """Replace loads of a copy by the variable that was copied."""

    name: ClassVar[str] = "propagate-copies"
    anchors: ClassVar[frozenset[str]] = frozenset({"assignment"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        right = node.child("right")
        return (
            right is not None
            and right.kind == "identifier"
            and node["left"].kind == "identifier"
            and node["left"].bytes != right.bytes
            and node.parent is not None
            and node.parent.kind == "expression_statement"
            and unit.kind == FUNCTION
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        if facts.is_triton:
            return refuse("triton-kernel", "here a copy of a constexpr is a tensor")
        store, origin = node["left"], node["right"]
        copy, original = stored_binding(facts, store), stored_binding(facts, origin)
        if isinstance(copy, Refusal):
            return copy
        if isinstance(original, Refusal):
            return original
        uses = sole_uses(facts, store, copy)
        if not uses:
            return refuse("no-use", "no load sees only this copy", store)
        steady = [u for u in uses if facts.flow.is_unchanged(node, u, original)]
        if not steady:
            return refuse("value-changes", f"{original.name!r} may change before this", uses[0])
        kept = [
            u
            for u in steady
            if facts.scopes.visible(original.name, facts.scopes.scope_of(u)) is original
        ]
        if not kept:
            return refuse("name-capture", f"{original.name!r} is another name here", steady[0])
        return [replace(u, original.name) for u in kept]
