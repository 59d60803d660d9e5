"""Whether two pointers of a kernel may lead to the same memory.

Every pointer of a kernel comes from its parameters, and two parameters may be one tensor. They
are not where each launch of the kernel in this file hands one of them a tensor that the
launcher has just allocated and shown to nobody else. Launches elsewhere are out of sight:
passes that rely on this state it in their contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semrep.ir.effects import Facts, facts
from semrep.ir.module import Module
from semrep.ir.scopes import Binding, scopes
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.triton.kernels import is_kernel, is_own, language_name

LAUNCHES_IN_SIGHT = "kernels are launched by the functions of their own file"

_ALLOCATES = frozenset(
    f"torch.{name}{like}"
    for name in ("empty", "zeros", "ones", "full", "rand", "randn")
    for like in ("", "_like")
)
# A tensor's attributes and methods that give away no alias of it.
_TELLS = frozenset(
    {"shape", "dtype", "device", "ndim", "stride", "size", "numel", "dim", "element_size",
     "is_contiguous", "is_cuda", "requires_grad"}
)  # fmt: skip
# Of Triton's language: what makes no pointer, whatever it is given.
_NO_POINTERS = frozenset(
    {"arange", "program_id", "num_programs", "cdiv", "zeros", "load", "dot", "sum", "max", "min",
     "argmax", "argmin", "maximum", "minimum", "exp", "log", "sqrt", "rsqrt", "abs", "rand",
     "atomic_add"}
)  # fmt: skip
_POINTER_SUMS = ("+", "-")
_CASTS = frozenset({"pointer_type", "bitcast"})


# -- inside the kernel ----------------------------------------------------------------------


def roots(module: Module, found: Facts, node: Node) -> frozenset[str] | None:
    """The parameters that a pointer may come from, by name; None where that is unknown."""
    if any(n.text in _CASTS for n in found.function.find("identifier")):
        return None  # numbers become pointers here
    names: set[str] = set()
    return frozenset(names) if _collect(module, found, node, names, set()) else None


def _collect(module: Module, found: Facts, node: Node, names: set[str], seen: set[int]) -> bool:
    node = node.unparenthesized
    kind = node.kind
    if kind == "identifier":
        return _collect_name(module, found, node, names, seen)
    if kind == "binary_operator":
        if node.operator not in _POINTER_SUMS:
            return True
        parts = [node["left"], node["right"]]
    elif kind in ("integer", "float", "true", "false", "none", "string", "unary_operator",
                  "comparison_operator", "not_operator"):  # fmt: skip
        return True
    elif kind == "subscript":
        parts = [node["value"]]
    elif kind == "attribute":
        parts = [node["object"]]
    elif kind == "conditional_expression":
        yes, _, no = node.operands
        parts = [yes, no]
    elif kind == "call":
        return _collect_call(module, found, node, names, seen)
    else:
        return False
    return all(_collect(module, found, p, names, seen) for p in parts)


def _collect_call(
    module: Module, found: Facts, call: Node, names: set[str], seen: set[int]
) -> bool:
    function = call["function"]
    name = language_name(module, found.unit, call)
    parts = [a["value"] if a.kind == "keyword_argument" else a for a in call["arguments"].operands]
    if name is None:
        path = found.path_of(function)
        if path is not None and path.startswith("builtins."):
            return path.removeprefix("builtins.") in ("min", "max", "int", "abs", "range", "len")
        if function.kind != "attribute" or function["attribute"].text != "to":
            return False
        parts = [function["object"]]
    elif name in _NO_POINTERS:
        return True
    return all(_collect(module, found, p, names, seen) for p in parts)


def _collect_name(
    module: Module, found: Facts, name: Node, names: set[str], seen: set[int]
) -> bool:
    binding = found.scopes.binding(name)
    if binding is not None and binding.is_global:
        return True  # a kernel's globals are constants
    if not is_own(found, binding):
        return False
    assert binding is not None
    for store in found.flow.reaching(name):
        if not isinstance(store, Node) or id(store) in seen:
            continue
        seen.add(id(store))
        parameters = found.function["parameters"]
        holder = store.parent
        if store.is_inside(parameters):
            names.add(binding.name)
        elif holder is None:
            return False
        elif holder.kind == "assignment" and (value := holder.child("right")) is not None:
            if not _collect(module, found, value, names, seen):
                return False
        elif holder.kind == "augmented_assignment":
            # The name itself, as it was before, and what is added to it.
            if not _collect_name(module, found, store, names, seen):
                return False
            if not _collect(module, found, holder["right"], names, seen):
                return False
        elif holder.kind != "for_statement" or not is_counter(module, found, holder):
            return False
    return True


def is_counter(module: Module, found: Facts, loop: Node) -> bool:
    """Whether a loop goes through a range of integers."""
    source = loop["right"].unparenthesized
    return source.kind == "call" and (
        found.path_of(source["function"]) == "builtins.range"
        or language_name(module, found.unit, source) in ("range", "static_range")
    )


def is_integer(found: Facts, name: str) -> bool:
    """Whether a parameter must be a number: the kernel multiplies or counts with it."""
    binding = found.scopes.scope_for(found.function).names.get(name)
    if binding is None:
        return False
    for load in binding.loads:
        if any(
            not isinstance(d, Node) or not d.is_inside(found.function["parameters"])
            for d in found.flow.reaching(load)
        ):
            continue  # the name stands for something else by now
        holder = load.parent
        if holder is not None and holder.kind == "binary_operator":
            if holder.operator in ("*", "//", "%", "/"):
                return True
        call = holder.parent if holder is not None and holder.kind == "argument_list" else None
        if call is not None and found.path_of(call["function"]) == "builtins.range":
            return True
    return False


# -- at the launches ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch of a kernel. given: its arguments by the kernel's parameters."""

    unit: Unit
    facts: Facts
    call: Node
    given: dict[str, Node]


def launches(module: Module, kernel: Unit) -> tuple[Launch, ...] | None:
    """All launches of a kernel in its file; None where it may run in other ways, too, or the
    arguments of some launch cannot be told."""
    definition = kernel.definition
    if definition is None or kernel.classes or not _is_plainly_decorated(module, kernel):
        return None
    parameters = _parameter_names(definition)
    if parameters is None:
        return None
    name = kernel.name
    known = module.environment.names.get(name)
    if known is None or not known.is_stable:
        return None
    found: list[Launch] = []
    for placed in module.units:
        binding = scopes(placed.unit).globals.get(name)
        for load in binding.loads if binding is not None else ():
            launch = _launch(module, placed.unit, load, parameters)
            if launch is None:
                return None
            found.append(launch)
    return tuple(found)


def _is_plainly_decorated(module: Module, kernel: Unit) -> bool:
    for node in kernel.root.children:
        if node.kind == "decorator":
            called = node.operands[0]
            called = called["function"] if called.kind == "call" else called
            path = module.environment.path_of(kernel, called)
            if path not in ("triton.jit", "triton.autotune", "triton.heuristics"):
                return False
    return True


def _parameter_names(definition: Node) -> tuple[str, ...] | None:
    names: list[str] = []
    for parameter in definition["parameters"].operands:
        name = parameter.child("name") or next(parameter.find("identifier"), None)
        if parameter.kind not in (
            "identifier", "typed_parameter", "default_parameter", "typed_default_parameter",
        ) or name is None:  # fmt: skip
            return None
        names.append(name.text)
    return tuple(names)


def _launch(module: Module, unit: Unit, load: Node, parameters: tuple[str, ...]) -> Launch | None:
    subscript = load.parent
    if subscript is None or subscript.kind != "subscript" or load.field != "value":
        return None
    call = subscript.parent
    if call is None or call.kind != "call" or subscript.field != "function":
        return None
    given: dict[str, Node] = {}
    for position, argument in enumerate(call["arguments"].operands):
        if argument.kind == "keyword_argument":
            given[argument["name"].text] = argument["value"]
        elif argument.kind == "dictionary_splat":
            continue  # cannot give again what is given by name or position
        elif argument.kind == "list_splat" or position >= len(parameters):
            return None
        else:
            given[parameters[position]] = argument
    return Launch(unit, facts(module, unit, call), call, given)


def never_alias(module: Module, kernel: Unit, first: str, second: str) -> bool:
    """Whether two parameters of a kernel point into different tensors at every launch."""
    found = launches(module, kernel)
    return bool(found) and all(_are_apart(module, launch, first, second) for launch in found or ())


def _are_apart(module: Module, launch: Launch, first: str, second: str) -> bool:
    a, b = launch.given.get(first), launch.given.get(second)
    if a is None or b is None:
        return False
    if a.kind == "none" or b.kind == "none":
        return True
    return _is_only_here(module, launch, a, b) or _is_only_here(module, launch, b, a)


def _is_only_here(module: Module, launch: Launch, own: Node, other: Node) -> bool:
    """Whether an argument is a tensor that was allocated here, and that nothing else at the
    launch can lead to, `other` least of all."""
    found = launch.facts
    if found.function.kind != "function_definition":
        return False
    binding = found.scopes.binding(own) if own.kind == "identifier" else None
    if not is_own(found, binding) or binding is None or binding.deletes:
        return False
    allocations: list[Node] = []
    for store in found.flow.reaching(own):
        if not isinstance(store, Node) or store.parent is None:
            return False
        if store.parent.kind != "assignment" or store.parent["left"] is not store:
            return False
        value = store.parent.child("right")
        if value is None or not _is_new(module, launch.unit, value):
            return False
        allocations.append(store)
    if any(found.scopes.binding(i) is binding for i in other.find("identifier")):
        return False
    return all(
        _gives_nothing_away(module, launch.unit, load)
        or not _leads_to(found, load, launch.call, allocations)
        for load in binding.loads
    )


def _is_new(module: Module, unit: Unit, value: Node) -> bool:
    value = value.unparenthesized
    if value.kind == "none":
        return True
    if value.kind == "conditional_expression":
        yes, _, no = value.operands
        return _is_new(module, unit, yes) and _is_new(module, unit, no)
    if value.kind != "call" or value["arguments"].kind != "argument_list":
        return False
    if module.environment.path_of(unit, value["function"]) not in _ALLOCATES:
        return False
    return not any(
        a.kind == "dictionary_splat" or a.kind == "keyword_argument" and a["name"].text == "out"
        for a in value["arguments"].operands
    )


def _gives_nothing_away(module: Module, unit: Unit, load: Node) -> bool:
    """Whether a use of a tensor leaves no other way to reach it."""
    holder = load.parent
    if holder is None:
        return False
    if holder.kind == "attribute":
        return holder["attribute"].text in _TELLS
    if holder.kind == "comparison_operator":
        return {" ".join(o.text.split()) for o in holder.fields("operators")} <= {"is", "is not"}
    if holder.kind == "keyword_argument":
        holder = holder.parent
    call = holder.parent if holder is not None and holder.kind == "argument_list" else None
    if call is None or call.kind != "call":
        return False
    path = module.environment.path_of(unit, call["function"])
    return path in _ALLOCATES or _is_launch(module, unit, call)


def _is_launch(module: Module, unit: Unit, call: Node) -> bool:
    function = call["function"]
    if function.kind != "subscript" or function["value"].kind != "identifier":
        return False
    binding = scopes(unit).binding(function["value"])
    if binding is None or not binding.is_global:
        return False
    known = module.environment.names.get(binding.name)
    if known is None or not known.is_stable:
        return False
    return any(
        p.unit.kind == FUNCTION and p.unit.qualified_name == binding.name
        and is_kernel(module, p.unit) and _is_plainly_decorated(module, p.unit)
        for p in module.units
    )  # fmt: skip


def _leads_to(found: Facts, load: Node, launch: Node, allocations: list[Node]) -> bool:
    """Whether control may go from a use to the launch without a new allocation in between."""
    flow = found.flow
    start, goal = flow.point_of(load), flow.point_of(launch)
    if start is None or goal is None or start is goal:
        return True
    fresh = {p.index for a in allocations if (p := flow.point_of(a)) is not None}
    seen: set[int] = set()
    stack = list(start.successors)
    while stack:
        index = stack.pop()
        if index == goal.index:
            return True
        if index not in seen and index not in fresh:
            seen.add(index)
            stack.extend(flow.points[index].successors)
    return False


# -- the question ---------------------------------------------------------------------------


def may_alias(module: Module, found: Facts, first: Node, second: Node) -> str | None:
    """Why two pointers of a kernel may lead to one place, or None where they cannot."""
    a, b = roots(module, found, first), roots(module, found, second)
    if not a or not b:
        return "it is not known what this points to"
    for x, y in _pairs(found, a, b):
        if x == y:
            return f"both may point into {x}"
        if not never_alias(module, found.unit, x, y):
            return f"{x} and {y} are not known to be different tensors"
    return None


def _pairs(found: Facts, a: frozenset[str], b: frozenset[str]) -> Iterator[tuple[str, str]]:
    for x in sorted(a):
        for y in sorted(b):
            if not (is_integer(found, x) or is_integer(found, y)):
                yield x, y


__all__ = ["LAUNCHES_IN_SIGHT", "Binding", "is_counter", "launches", "may_alias", "roots"]
