"""Straight-line kernel code without computing, or loading, a value a second time."""

from __future__ import annotations

from dataclasses import dataclass

from semrep.ir.effects import Effect, Facts
from semrep.ir.module import Module
from semrep.ir.tree import Node
from semrep.passes.triton.aliasing import may_alias
from semrep.passes.triton.counted_loops import names_in, stores_in
from semrep.passes.triton.initial_values import number
from semrep.passes.triton.kernels import Access, access, accesses, assigned, memory


def key_of(node: Node) -> str:
    """An expression's text whatever its layout."""
    node = node.unparenthesized
    if not node.children:
        return "" if node.kind in ("comment", "line_continuation") else node.text
    if node.kind in ("string", "concatenated_string"):
        return node.text
    return "(" + " ".join(filter(None, map(key_of, node.children))) + ")"


@dataclass(frozen=True, slots=True)
class _Known:
    """A value at hand: the variable that holds it, the names it was computed from, the load in
    it, and whether it is nothing but that."""

    target: str
    names: frozenset[str]
    load: Access | None
    is_load: bool


class Values:
    """Values at hand while statements run one after another.

    `note` is told each statement in turn and answers with the variable that already holds the
    statement's value, or what makes the value of one, or None.
    """

    def __init__(self, module: Module, facts: Facts) -> None:
        self._module = module
        self._facts = facts
        self._known: dict[str, _Known] = {}
        self.loads_saved = 0

    def note(self, statement: Node) -> str | None:
        assignment = assigned(statement)
        if assignment is not None:
            value = assignment["right"]
            effect = self._facts.effects(value)
            loads = list(accesses(self._module, self._facts.unit, value, "load"))
            if not effect & ~Effect.READS and len(loads) <= 1:
                return self._assigned(assignment, loads[0] if loads else None)
        self._forget(statement)
        return None

    def _assigned(self, assignment: Node, load: Access | None) -> str | None:
        target, value = assignment["left"].text, assignment["right"]
        if load is not None and load.is_volatile:
            self._forget_names({target})
            return None
        key = self._key(value, load)
        found = self._known.get(key)
        if value.kind == "identifier" or number(self._facts, value) is not None:
            found = None  # a copy, or a number that may be a tensor by now
        if found is not None and found.target == target:
            self.loads_saved += load is not None
            return target
        names = frozenset(n.text for n in names_in(self._facts, value))
        is_load = load is not None and load.call is value.unparenthesized
        refilled = self._refilled(load) if load is not None and is_load else None
        self._forget_names({target})
        if found is not None:
            self.loads_saved += load is not None
            return found.target
        if refilled is not None:
            self.loads_saved += 1
            return refilled
        if target not in names:
            self._known[key] = _Known(target, names, load, is_load)
        return None

    def _refilled(self, load: Access) -> str | None:
        """A block at hand with another fill-in, in the type that the load would give it."""
        if load.mask is None or load.other is None or not load.is_plain:
            return None
        for known in self._known.values():
            held = known.load
            if known.is_load and held is not None and held.is_plain and held.mask is not None:
                if key_of(held.pointer) == key_of(load.pointer):
                    if key_of(held.mask) == key_of(load.mask):
                        chosen = f"tl.where({load.mask.text}, {known.target}, {load.other.text})"
                        return f"{chosen}.to({known.target}.dtype)"
        return None

    def _key(self, value: Node, load: Access | None) -> str:
        """Hints to the caches do not make another value."""
        if load is None or load.call is not value.unparenthesized or not load.is_plain:
            return key_of(value)
        parts = (load.pointer, load.mask, load.other)
        return "load " + ", ".join(key_of(p) if p is not None else "-" for p in parts)

    def _forget(self, statement: Node) -> None:
        self._forget_names(set(stores_in(self._facts, statement)))
        touched = memory(self._module, self._facts.unit, self._facts, statement)
        for key, known in list(self._known.items()):
            if known.load is None:
                continue
            pointer = known.load.pointer
            if touched.unknown is not None or any(
                may_alias(self._module, self._facts, pointer, s.pointer) for s in touched.stores
            ):
                del self._known[key]

    def _forget_names(self, names: set[str]) -> None:
        for key, known in list(self._known.items()):
            if known.target in names or known.names & names:
                del self._known[key]


def loads_below(module: Module, facts: Facts, node: Node) -> set[str]:
    """Keys of the addresses that a piece of code loads from."""
    unit = facts.unit
    return {
        key_of(found.pointer)
        for call in node.find("call")
        if (found := access(module, unit, call, "load")) is not None
    }
