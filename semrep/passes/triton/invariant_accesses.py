"""Accesses that every iteration of a loop makes at the same place."""

from __future__ import annotations

from semrep.ir.effects import Facts
from semrep.ir.emit import statement_of
from semrep.ir.module import Module
from semrep.ir.scopes import scopes
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import Refusal, refuse
from semrep.passes.loop.loops import jumps_out
from semrep.passes.triton.aliasing import may_alias
from semrep.passes.triton.counted_loops import bounds, names_in, stores_in
from semrep.passes.triton.kernels import Access, assigned, is_own, memory

_SOMETIMES = (
    "if_statement", "while_statement", "for_statement", "conditional_expression",
    "boolean_operator", "with_statement", "try_statement",
)  # fmt: skip
_BLOCK_POINTERS = ("make_block_ptr", "make_tensor_descriptor", "advance")


def changing_names(unit: Unit, loop: Node) -> frozenset[str]:
    """Names that differ from one iteration to the next: counters, accumulators, and all that
    is computed from them or loaded. By spelling, so never too few."""
    return unit.fact(("changing-names", id(loop)), lambda: _closure(unit, loop))


def _closure(unit: Unit, loop: Node) -> frozenset[str]:
    tree = scopes(unit)
    changing = {
        n.text for inner in loop.find("for_statement") for n in inner["left"].find("identifier")
    }
    changing |= {n["left"].text for n in loop.find("augmented_assignment")}
    computed = list(loop.find("assignment"))
    size = -1
    while size != len(changing):
        size = len(changing)
        for assignment in computed:
            right = assignment.child("right")
            names = {n.text for n in right.find("identifier")} if right is not None else set()
            targets = {
                n.text for n in assignment["left"].find("identifier") if id(n) in tree.stores
            }
            if names & (changing | targets):
                changing |= targets
    return frozenset(changing)


def why_conditional(loop: Node, node: Node) -> Refusal | None:
    """Why not every iteration comes by a node, once."""
    jump = jumps_out(loop) or next(loop["body"].find("return_statement"), None)
    if jump is not None:
        return refuse("conditional-load", "this may leave the loop before", jump)
    child = node
    for outer in node.ancestors():
        if outer is loop:
            break
        if outer.kind in _SOMETIMES:
            return refuse("conditional-load", "not every iteration comes by here", outer)
        child = outer
    if child.field != "body":
        return refuse("conditional-load", "this belongs to the loop's header", node)
    return None


def statements_needed(
    facts: Facts, loop: Node, parts: list[Node], before: Node
) -> list[Node] | Refusal:
    """The loop's statements that must move along with some expressions, in source order.

    before: where the loop uses the expressions.
    """
    stored = stores_in(facts, loop["body"], loop["left"]) if loop.child("left") else {}
    if loop.kind == "while_statement":
        stored = stores_in(facts, loop["body"], loop["condition"])
    needed: dict[int, Node] = {}
    pending = list(parts)
    while pending:
        for name in names_in(facts, pending.pop()):
            stores = stored.get(name.text, [])
            if not stores:
                continue
            statement = statement_of(stores[0])
            assignment = assigned(statement) if statement is not None else None
            binding = facts.scopes.binding(stores[0])
            if (
                len(stores) > 1
                or assignment is None
                or statement is None
                or assignment["left"] is not stores[0]
                or statement.parent is not loop["body"]
                or statement.start > before.start
                or not is_own(facts, binding)
                or binding is None
                or not facts.is_pure(assignment["right"])
                or facts.flow.is_live_before(loop, binding)
            ):
                return refuse("variant-address", f"the loop may change {name.text!r}", name)
            if statement.start not in needed:
                needed[statement.start] = statement
                pending.append(assignment["right"])
    return [needed[start] for start in sorted(needed)]


def run_condition(module: Module, facts: Facts, loop: Node, load: Access) -> str | Refusal:
    """The condition under which the loop runs at all, "" where it always does."""
    counted = bounds(module, facts, loop)
    if isinstance(counted, Refusal):
        return Refusal("maybe-empty-loop", counted.message, counted.span)
    runs = counted.non_empty
    if runs is True:
        return ""
    if runs is False:
        return refuse("maybe-empty-loop", "this loop never runs", loop["right"])
    is_block = any(n.text in _BLOCK_POINTERS for n in facts.function.find("identifier"))
    if is_block or not load.is_plain:
        return refuse("maybe-empty-loop", "a block pointer takes no mask", load.call)
    return runs


def why_overwritten(
    module: Module, facts: Facts, load: Access, region: list[Node]
) -> Refusal | None:
    """Why some code may write what a load reads."""
    for piece in region:
        touched = memory(module, facts.unit, facts, piece)
        if touched.unknown is not None:
            return refuse("unknown-code", "this may write what the load reads", touched.unknown)
        for store in touched.stores:
            if reason := may_alias(module, facts, load.pointer, store.pointer):
                return refuse("aliased-store", reason, store.call)
    return None
