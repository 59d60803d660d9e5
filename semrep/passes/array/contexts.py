"""The types with which a module's functions run: the entry as it was observed, and each function
that it calls as it calls it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from semrep.ir.effects import Facts, facts
from semrep.ir.module import Module
from semrep.ir.scopes import scopes
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.calls import arguments, is_plain
from semrep.passes.array.counted import Unproven
from semrep.passes.array.facts import ArrayFacts, array_facts

_DEEPEST = 4
_MOST = 8


def contexts(
    module: Module, unit: Unit, known: Facts, within: frozenset[str] = frozenset()
) -> list[ArrayFacts]:
    """What is known in a function, once for each call that leads to it from the observed one.
    Empty where some call or use of it is not understood. within: functions asked about."""
    own = array_facts(module, unit, known)
    if own.is_observed:
        return [own]
    name = unit.qualified_name
    is_whole = unit.kind == FUNCTION and known.function is unit.definition
    found = module.environment.names.get(name)
    if module.signature is None or not is_whole or found is None or not found.is_stable:
        return []
    if found.kind != "function" or name in within or len(within) >= _DEEPEST:
        return []
    if not is_plain(known.function):
        return []
    result: list[ArrayFacts] = []
    for caller, call in _calls(module, name):
        if call is None or caller.kind != FUNCTION:
            return []
        around = contexts(module, caller, facts(module, caller, call), within | {name})
        if not around:
            return []
        for arrays in around:
            given = arguments(known.function, call, arrays)
            if given is None or len(result) >= _MOST:
                return []
            result.append(ArrayFacts(module, unit, known, given))
    return result


def unknown_types(node: Node | None = None) -> Unproven:
    return Unproven(
        "unknown-type",
        "the types of the arguments are not known; give inputs so that they can be observed",
        node,
    )


def agreed(found: Iterable[Sequence[Edit]], node: Node | None = None) -> Sequence[Edit]:
    """The edits that are right for all calls of a function. Raises Unproven."""
    first, *rest = found
    if any(list(other) != list(first) for other in rest):
        raise Unproven("other-calls", "the calls of this function need different texts", node)
    return first


def _calls(module: Module, name: str) -> list[tuple[Unit, Node | None]]:
    """Each use of a global function with its unit: the call, or None for any other use."""
    found: list[tuple[Unit, Node | None]] = []
    for placed in module.units:
        unit = placed.unit
        for node in unit.by_kind.get("identifier", ()):
            if node.text != name or node.field == "attribute":
                continue
            parent = node.parent
            if parent is not None and parent.kind == "function_definition":
                continue
            if parent is not None and parent.kind == "keyword_argument" and node.field == "name":
                continue
            binding = scopes(unit).binding(node)
            if binding is not None and not binding.is_global:
                continue
            is_call = parent is not None and parent.kind == "call" and node.field == "function"
            found.append((unit, parent if is_call else None))
    return found
