"""Compute for all at once what a loop collects in a list and stacks.

Rewrite:     outs = []                             -->   outs = np.maximum(x @ w, 0.0)
             for i in range(x.shape[0]):                 return outs
                 outs.append(np.maximum(x[i] @ w, 0.0))
             return np.stack(outs)
Legal when:  as for `vectorize-elementwise-loop`; the list is made right before the loop, gets
             one array or element in each iteration, and is used once, by np.stack, np.array or
             torch.stack along the first dimension.
Numerics:    within tolerance: products and functions of batches.
Refuses:     not-stacked, unknown-type, unknown-range, unknown-subscript, unknown-operation,
             carried, weak-number, may-wrap, and as vectorize-elementwise-loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import delete_statement, replace, with_brackets
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.array_pass import ASSUMPTIONS, ArrayPass
from semrep.passes.array.bodies import appended, assignments_in
from semrep.passes.array.counted import Counted, Unproven, counted, own_variable, replaced
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.array.vectorize_elementwise_loop import temporary
from semrep.passes.array.vectors import Vectors
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register

_STACKS = {"numpy.stack": "numpy", "numpy.array": "numpy", "torch.stack": "torch"}


@register
@dataclass(frozen=True, slots=True)
class BatchLoop(ArrayPass):
    """Compute the whole batch instead of a list of its rows."""

    name: ClassVar[str] = "batch-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(
        *ASSUMPTIONS, "what is stacked is not an empty list"
    )

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION or not node["body"].operands:
            return False
        last = node["body"].operands[-1]
        return appended(last) is not None and node["left"].kind == "identifier"

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        return _batched(counted(arrays, node))


def _batched(loop: Counted) -> list[Edit]:
    found = appended(loop.node["body"].operands[-1])
    assert found is not None
    name, value = found
    first, stack, library = _uses(loop, name)
    vectors = Vectors(loop)
    lines = []
    for number, statement in enumerate(loop.node["body"].operands[:-1]):
        vectors.statement = number
        for assignment in assignments_in(statement):
            if assignment.target.kind != "identifier":
                raise Unproven("not-stacked", "the loop stores elsewhere, too", statement)
            lines.append(temporary(loop, vectors, assignment))
    result = vectors.value(value)
    array = result.array
    if array.framework != library or array.weak or array.is_mixed:
        raise Unproven("weak-number", "this is not an array of the library that stacks", value)
    if result.at is None:
        raise Unproven("not-stacked", "this is the same in every iteration", value)
    if not loop.around.is_positive(loop.resolved.end - loop.resolved.least, as_observed=True):
        raise Unproven("unknown-range", "nothing is stacked where the loop does not run", loop.node)
    if loop.step != 1:
        raise Unproven("unknown-range", "the rows are not in order", loop.node["right"])
    result = vectors.placed(result, result.rank)
    text = result.text
    if result.reference is not None or array.roots:
        text = f"{result.within(17)}.{'clone' if library == 'torch' else 'copy'}()"
    edit = replaced(loop, [*lines, f"{name.text} = {text}"], guard=False)
    return [
        delete_statement(loop.unit, first), edit, replace(with_brackets(stack), name.text),
    ]  # fmt: skip


def _uses(loop: Counted, name: Node) -> tuple[Node, Node, str]:
    """The statement that makes the list, the call that stacks it, and whose function that is."""
    facts = loop.facts
    own_variable(facts, name)
    first = loop.node.previous_sibling
    assignment = first.operands[0] if first is not None and first.operands else None
    if (
        first is None
        or assignment is None
        or assignment.kind != "assignment"
        or assignment["left"].text != name.text
        or assignment.child("right") is None
        or assignment["right"].text.replace(" ", "") != "[]"
    ):
        raise Unproven("not-stacked", "no empty list is made right before the loop", name)
    uses = [u for u in facts.flow.uses(assignment["left"]) if u is not name]
    if len(uses) != 1 or uses[0].is_inside(loop.node):
        raise Unproven("not-stacked", "the list has another use than to be stacked", name)
    call = uses[0].parent.parent if uses[0].parent is not None else None
    if call is None or call.kind != "call":
        raise Unproven("not-stacked", "the list has another use than to be stacked", uses[0])
    library = _STACKS.get(facts.path_of(call["function"]) or "")
    given = call["arguments"].operands
    rest = [g.text.replace(" ", "") for g in given[1:]]
    if library is None or given[0] is not uses[0] or rest not in ([], ["0"], ["axis=0"], ["dim=0"]):
        raise Unproven("not-stacked", "the list has another use than to be stacked", uses[0])
    if facts.flow.reaching(uses[0]) != {assignment["left"]}:
        raise Unproven("not-stacked", "the list may be another one", uses[0])
    if call.enclosing("for_statement", "while_statement") is not loop.node.enclosing(
        "for_statement", "while_statement"
    ):
        raise Unproven("not-stacked", "the list is stacked more than once", uses[0])
    return first, call, library
