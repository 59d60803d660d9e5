"""Lists that a loop over rows fills and that jax stacks afterwards, and the types to look at the
loop with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semrep.ir.effects import Facts
from semrep.ir.emit import encode, indent_of
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.array.contexts import unknown_types
from semrep.passes.array.counted import Unproven, own_variable
from semrep.passes.array.rows import substituted
from semrep.passes.array.traced_types import Defaults
from semrep.passes.array.tracing import Tracing
from semrep.passes.contract import OBSERVED

ASSUMPTIONS = (
    OBSERVED,
    "arrays whose rows are taken together have the same number of rows, and at least one",
)
_STACKS = frozenset({"jax.numpy.stack", "jax.numpy.array", "jax.numpy.asarray"})


@dataclass(frozen=True, slots=True)
class Stacked:
    """made: the statement that makes the list. value: what each iteration appends. stack: the
    call that makes an array of it."""

    name: Node
    made: Node
    value: Node
    stack: Node


def seen(module: Module, unit: Unit, facts: Facts) -> list[Tracing]:
    """What is known of a function: for each combination of types that it was called with, with
    either of jax's two default types. Raises Unproven."""
    calls = module.signatures_of(unit)
    if facts.function is not unit.definition or not calls:
        raise unknown_types()
    return [
        Tracing(module, unit, facts, Defaults(is_wide), call)
        for call in calls
        for is_wide in (False, True)
    ]


def is_stack(facts: Facts, call: Node) -> bool:
    """Whether a call makes an array of a list of arrays along a new first dimension."""
    if call.kind != "call" or facts.path_of(call["function"]) not in _STACKS:
        return False
    given = call["arguments"].operands
    if call["arguments"].kind != "argument_list" or not given:
        return False
    rest = [g.text.replace(" ", "") for g in given[1:]]
    is_plain = call["function"].text.endswith("stack")
    return not rest or is_plain and rest in (["0"], ["axis=0"])


def stored(facts: Facts, loop: Node) -> frozenset[Binding]:
    """The variables that a loop's body stores. Raises Unproven where other code sees them."""
    found: set[Binding] = set()
    for node in loop["body"].find("identifier"):
        if id(node) in facts.scopes.stores or id(node) in facts.scopes.deletes:
            found.add(own_variable(facts, node))
    return frozenset(found)


def is_used_after(facts: Facts, loop: Node, binding: Binding) -> bool:
    """Whether code outside of a loop may see what the loop stores in a variable, or misses it
    where the loop does not store it any more."""
    if all(store.is_inside(loop) for store in binding.stores):
        return any(not load.is_inside(loop) for load in binding.loads)
    return any(
        not use.is_inside(loop)
        for store in binding.stores
        if store.is_inside(loop)
        for use in facts.flow.uses(store)
    )


def stacked(facts: Facts, loop: Node, name: Node, value: Node) -> Stacked:
    """The one list that a loop appends a value to. Raises Unproven."""
    binding = own_variable(facts, name)
    statement = binding.stores[0].parent.parent if len(binding.stores) == 1 else None  # type: ignore[union-attr]
    assignment = statement.operands[0] if statement is not None and statement.operands else None
    if (
        statement is None
        or assignment is None
        or assignment.kind != "assignment"
        or assignment.child("right") is None
        or assignment["right"].text.replace(" ", "") != "[]"
        or statement.parent is not loop.parent
        or statement.start > loop.start
        or binding.deletes
    ):
        raise Unproven("not-stacked", "no empty list is made beside the loop", name)
    uses = [load for load in binding.loads if load is not name]
    if len(uses) != 1 or uses[0].start < loop.end or uses[0].parent is None:
        raise Unproven("not-stacked", "the list has another use than to be stacked", name)
    call = uses[0].parent.parent
    if call is None or not is_stack(facts, call) or call["arguments"].operands[0] is not uses[0]:
        raise Unproven("not-stacked", "the list has another use than to be stacked", uses[0])
    loops = ("for_statement", "while_statement")
    if call.enclosing(*loops) is not loop.enclosing(*loops):
        raise Unproven("not-stacked", "the list is stacked more than once", uses[0])
    return Stacked(name, statement, value, call)


def in_place(unit: Unit, loop: Node, lines: Sequence[str]) -> Edit:
    """The edit that puts lines in a loop's place."""
    indent = indent_of(unit, loop)
    text = unit.newline.join([lines[0], *(indent + line for line in lines[1:])])
    return Edit(loop.span, encode(text))


def line_of(node: Node, replaced: dict[Node, str]) -> str:
    """A statement's or expression's text with other texts in the places of nodes in it. Raises
    Unproven where it takes more than a line."""
    text = substituted(node, replaced)
    if "\n" in text or "\r" in text:
        raise Unproven("shared-line", "this takes more than a line", node)
    return text
