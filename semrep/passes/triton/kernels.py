"""What passes on Triton kernels ask about one kernel: its calls and its memory accesses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semrep.ir.arguments import by_parameter
from semrep.ir.effects import Effect, Facts, is_triton_kernel
from semrep.ir.module import Module
from semrep.ir.scopes import Binding, scopes
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit

_LANGUAGE = "triton.language."

# Positional order of the arguments that decide what an access does.
_PARAMETERS = {
    "load": ("pointer", "mask", "other", "boundary_check", "padding_option", "cache_modifier",
             "eviction_policy", "volatile"),
    "store": ("pointer", "value", "mask", "boundary_check", "cache_modifier", "eviction_policy"),
    "atomic_add": ("pointer", "val", "mask", "sem", "scope"),
}  # fmt: skip


def is_kernel(module: Module, unit: Unit) -> bool:
    """Whether a unit is a function decorated with `triton.jit`."""
    definition = unit.definition
    return (
        unit.kind == FUNCTION
        and definition is not None
        and is_triton_kernel(unit, definition, module.environment)
    )


def language_name(module: Module, unit: Unit, call: Node) -> str | None:
    """What a call calls in Triton's language: "load", "math.exp", "extra.libdevice.pow"."""
    if call.kind != "call":
        return None
    path = module.environment.path_of(unit, call["function"])
    if path is None or not path.startswith(_LANGUAGE):
        return None
    return path.removeprefix(_LANGUAGE)


@dataclass(frozen=True, slots=True)
class Access:
    """One tl.load, tl.store or tl.atomic_add. options: its arguments by name."""

    call: Node
    operation: str
    pointer: Node
    options: dict[str, Node]

    @property
    def mask(self) -> Node | None:
        return self._given("mask")

    @property
    def other(self) -> Node | None:
        return self._given("other")

    @property
    def is_volatile(self) -> bool:
        volatile = self._given("volatile")
        return volatile is not None and volatile.text != "False"

    @property
    def is_plain(self) -> bool:
        """Through pointers alone: no block pointer's boundary checks or padding."""
        return "boundary_check" not in self.options and "padding_option" not in self.options

    def _given(self, name: str) -> Node | None:
        found = self.options.get(name)
        return None if found is None or found.kind == "none" else found

    def reads_the_same(self, other: Access) -> bool:
        """Same address, mask and fill-in, as written. Hints to the caches do not count."""
        if not (self.is_plain and other.is_plain) or self.is_volatile or other.is_volatile:
            return False
        pairs = ((self.pointer, other.pointer), (self.mask, other.mask), (self.other, other.other))
        return all(a is b or (a is not None and b is not None and a.same_as(b)) for a, b in pairs)


def access(module: Module, unit: Unit, call: Node, *operations: str) -> Access | None:
    """The access that a call makes, where it is one of some operations."""
    name = language_name(module, unit, call)
    if name not in operations:
        return None
    given = by_parameter(call, _PARAMETERS[name])
    if given is None or "pointer" not in given:
        return None
    return Access(call, name, given["pointer"], given)


def accesses(module: Module, unit: Unit, node: Node, *operations: str) -> Iterator[Access]:
    """The accesses below a node, in source order."""
    for call in node.find("call"):
        found = access(module, unit, call, *operations)
        if found is not None:
            yield found


@dataclass(frozen=True, slots=True)
class Memory:
    """What a piece of a kernel does to memory. unknown: the first thing that cannot be told."""

    loads: tuple[Access, ...]
    stores: tuple[Access, ...]
    unknown: Node | None


def memory(module: Module, unit: Unit, facts: Facts, node: Node) -> Memory:
    """The loads and stores of a piece of code, atomics among the stores."""
    loads: list[Access] = []
    stores: list[Access] = []
    unknown = next(
        node.find("with_statement", "try_statement", "assert_statement", "await", "yield"), None
    )
    for call in node.find("call"):
        found = access(module, unit, call, *_PARAMETERS)
        if found is None:
            if unknown is None and _runs_unknown_code(module, unit, facts, call):
                unknown = call
        elif found.operation == "load":
            loads.append(found)
        else:
            stores.append(found)
    return Memory(tuple(loads), tuple(stores), unknown)


def _runs_unknown_code(module: Module, unit: Unit, facts: Facts, call: Node) -> bool:
    """Whether a call itself, rather than one inside it, is not known to be harmless."""
    if language_name(module, unit, call) in _PARAMETERS:
        return True  # an access that could not be read
    if not facts.effects(call) & Effect.CALLS or _is_always_triton(module, unit, call):
        return False
    return not any(
        inner is not call and facts.effects(inner) & Effect.CALLS for inner in call.find("call")
    )


def _is_always_triton(module: Module, unit: Unit, call: Node) -> bool:
    """Whether a name is imported from Triton's language in each of several ways, as by code
    that suits itself to Triton's version. What is taken from there one by one is arithmetic."""
    function = call["function"]
    binding = scopes(unit).binding(function) if function.kind == "identifier" else None
    if binding is None or not binding.is_global or function.text in _PARAMETERS:
        return False
    stores = [
        store
        for placed in module.units
        if (known := scopes(placed.unit).globals.get(function.text)) is not None
        for store in (*known.stores, *known.deletes)
    ]
    origins = [store.enclosing("import_from_statement") for store in stores]
    return bool(stores) and all(
        origin is not None
        and origin["module_name"].text.startswith(
            ("triton.language.extra.", "triton.language.math")
        )
        for origin in origins
    )


def assigned(statement: Node) -> Node | None:
    """The assignment that a statement is: one plain name, one value; else None."""
    inner = statement.operands[0] if statement.operands else statement
    if (
        statement.kind == "expression_statement"
        and inner.kind == "assignment"
        and inner["left"].kind == "identifier"
        and inner.child("right") is not None
        and inner.child("type") is None
        and inner["right"].kind not in ("assignment", "augmented_assignment", "yield")
    ):
        return inner
    return None


def is_own(facts: Facts, binding: Binding | None) -> bool:
    """Whether a variable is the kernel's own, so that all its stores are in sight."""
    return (
        binding is not None
        and binding.is_local
        and binding.scope is not None
        and binding.scope.node is facts.function
        and not binding.scope.is_dynamic
    )
