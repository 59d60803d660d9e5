"""Names of local variables: one name a value, and normal names.

Rewrite:     x = f(); x = g(x)   -->   x = f(); x_2 = g(x)
Legal when:  the uses of the later value see no other, and nobody else can see the variable.
Numerics:    bitwise.
Refuses:     shared-uses, captured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import encode, fresh_name
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register


def _is_private(facts: Facts, binding: Binding | None) -> bool:
    return (
        binding is not None
        and binding.is_local
        and binding.scope is not None
        and not binding.scope.is_dynamic
        and not any(_shows_its_name(n) for n in (*binding.loads, *binding.stores))
    )


def _shows_its_name(node: Node) -> bool:
    """True inside `f"{x=}"`, and where a pattern may load or store the name."""
    for outer in node.ancestors():
        if outer.kind == "interpolation":
            return any(c.kind == "=" for c in outer.children)
        if outer.kind == "case_pattern":
            return True
    return False


@register
@dataclass(frozen=True, slots=True)
class SplitLiveRange(NodePass):
    """Give a variable's later value a name of its own (single assignment)."""

    name: ClassVar[str] = "split-live-range"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"assignment"})
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return (
            unit.kind == FUNCTION
            and node["left"].kind == "identifier"
            and node.child("right") is not None
            and node.child("type") is None
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        store = node["left"]
        binding = facts.scopes.binding(store)
        if binding is None or not _is_private(facts, binding):
            return refuse("captured", "others can see this variable by its name", store)
        if binding.stores[0] is store or binding.deletes:
            return refuse("shared-uses", "this is the variable's first value", store)
        uses = facts.flow.uses(store)
        for use in uses:
            if facts.flow.reaching(use) != {store} or id(use) in facts.scopes.stores:
                return refuse("shared-uses", "this use may see another value", use)
        name = fresh_name(unit, store.text.rstrip("0123456789").rstrip("_") or "value")
        return [Edit(n.span, encode(name)) for n in (store, *uses)]


@register
@dataclass(frozen=True, slots=True)
class NormalizeNames(NodePass):
    """Name local variables by order of appearance: v0, v1, …

    Rewrite:     total = a + b; return total   -->   v0 = a + b; return v0
    Legal when:  nobody else can see the names: no closure, no `locals()`, no `f"{x=}"`.
                 Parameters keep theirs, for callers may use them.
    Numerics:    bitwise.
    Refuses:     captured.
    """

    name: ClassVar[str] = "normalize-names"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"function_definition"})
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return unit.kind == FUNCTION and node is unit.definition

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        scope = facts.scopes.scope_for(node)
        if scope.is_dynamic:
            return refuse("captured", "local names are read through strings here", node)
        private = [
            b for b in scope.names.values()
            if _is_private(facts, b) and not b.is_parameter and _is_plain(b)
        ]  # fmt: skip
        private.sort(key=lambda b: b.stores[0].start)
        taken = {b.name for b in facts.scopes.bindings()} - {b.name for b in private}
        edits: list[Edit] = []
        number = 0
        for binding in private:
            while f"v{number}" in taken:
                number += 1
            new = encode(f"v{number}")
            number += 1
            places = {id(n): n for n in (*binding.stores, *binding.loads, *binding.deletes)}
            edits.extend(Edit(n.span, new) for n in places.values() if n.bytes != new)
        return edits


def _is_plain(binding: Binding) -> bool:
    """Bound by assignments and loops alone: functions, classes and imports keep their names."""
    kinds = {"function_definition", "class_definition", "aliased_import", "dotted_name"}
    return bool(binding.stores) and not any(
        s.parent is not None and s.parent.kind in kinds for s in binding.stores
    )
