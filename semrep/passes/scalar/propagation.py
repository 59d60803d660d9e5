"""Which loads of a local variable may be replaced by what was stored in it."""

from __future__ import annotations

from semrep.ir.effects import Facts
from semrep.ir.scopes import Binding
from semrep.ir.tree import Node
from semrep.ir.types import SCALARS
from semrep.passes.base import Refusal, refuse

INERT = SCALARS | {"range"}
"""Types of values of which nobody notices when they are let go."""


def is_inert_before(
    facts: Facts, statement: Node, binding: Binding, besides: Node | None = None
) -> bool:
    """Whether nobody notices how long the value lives that a variable has before a statement.
    besides: a store that does not count."""
    for definition in facts.flow.definitions_at(statement, binding):
        if isinstance(definition, Node) and definition is not besides:
            found = facts.types.of_store(definition)
            if found is None or not found <= INERT:
                return False
    return True


def stored_binding(facts: Facts, target: Node) -> Binding | Refusal:
    """The variable that an assignment stores, where nothing but this function's own
    statements can load or store it."""
    binding = facts.scopes.binding(target)
    if binding is None or binding.scope is None or not binding.scope.is_function:
        return refuse("not-local", "other code can see or change this variable", target)
    if binding.scope.node is not facts.function:
        return refuse("not-local", "other code can see or change this variable", target)
    if binding.is_captured:
        return refuse("captured", "a nested function uses this variable", target)
    if binding.scope.is_dynamic:
        return refuse("dynamic-scope", "the function reads its variables by name", target)
    return binding


def sole_uses(facts: Facts, store: Node, binding: Binding) -> list[Node]:
    """Loads that can see the value of this store and of no other, and may be rewritten."""
    return [
        load
        for load in facts.flow.uses(store)
        if facts.flow.reaching(load) == {store}
        and id(load) not in facts.scopes.stores
        and not _is_printed(load)
    ]


def _is_printed(load: Node) -> bool:
    """True inside `{x=}` of an f-string, which shows the source text."""
    for ancestor in load.ancestors():
        if ancestor.kind == "interpolation" and any(c.kind == "=" for c in ancestor.children):
            return True
    return False
