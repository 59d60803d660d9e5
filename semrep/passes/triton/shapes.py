"""Shapes that a kernel's text gives away."""

from __future__ import annotations

from semrep.ir.effects import Facts
from semrep.ir.module import Module
from semrep.ir.tree import Node
from semrep.passes.triton.counted_loops import names_in
from semrep.passes.triton.kernels import language_name


def is_scalar(module: Module, facts: Facts, node: Node) -> bool:
    """Whether an expression is surely one value and no block: it is made of parameters, program
    ids, loop counters and literals."""
    for call in node.find("call"):
        name = language_name(module, facts.unit, call)
        function = call["function"]
        is_cast = function.kind == "attribute" and function["attribute"].text == "to"
        if name not in ("program_id", "num_programs", "cdiv") and not is_cast:
            return False
    if any(node.find("subscript", "list", "tuple", "lambda")):
        return False
    return all(_is_scalar_name(module, facts, name) for name in names_in(facts, node))


def _is_scalar_name(module: Module, facts: Facts, name: Node) -> bool:
    binding = facts.scopes.binding(name)
    if binding is None or len(binding.stores) > 1:
        return False
    if binding.is_global:
        return True
    value = _value(facts, name)
    if value is None:
        store = binding.stores[0] if binding.stores else None
        holder = store.parent if store is not None else None
        return store is not None and (
            store.is_inside(facts.function["parameters"])
            or holder is not None
            and holder.kind == "for_statement"
        )
    return is_scalar(module, facts, value)


def _value(facts: Facts, name: Node) -> Node | None:
    """What a name that is stored once was assigned."""
    binding = facts.scopes.binding(name)
    if binding is None or len(binding.stores) != 1:
        return None
    holder = binding.stores[0].parent
    if holder is None or holder.kind != "assignment" or holder["left"] is not binding.stores[0]:
        return None
    return holder.child("right")


def length(module: Module, facts: Facts, node: Node) -> str | None:
    """The length, as text, of a row of offsets or pointers: scalars added to one
    `tl.arange(0, N)`. None for scalars and for what is not known."""
    node = node.unparenthesized
    if node.kind == "identifier":
        value = _value(facts, node)
        return length(module, facts, value) if value is not None else None
    if language_name(module, facts.unit, node) == "arange":
        given = node["arguments"].operands
        if len(given) == 2 and given[0].text == "0" and _is_constant(facts, given[1]):
            return given[1].text
        return None
    if node.kind == "binary_operator" and node.operator in ("+", "*", "-"):
        for one, other in (("left", "right"), ("right", "left")):
            found = length(module, facts, node[one])
            if found is not None:
                rest = node[other]
                alike = length(module, facts, rest) == found
                return found if alike or is_scalar(module, facts, rest) else None
    return None


def _is_constant(facts: Facts, node: Node) -> bool:
    """Whether a length means the same everywhere in the kernel."""
    if node.kind == "integer":
        return True
    binding = facts.scopes.binding(node) if node.kind == "identifier" else None
    return binding is not None and (
        binding.is_global or binding.is_parameter and len(binding.stores) == 1
    )
