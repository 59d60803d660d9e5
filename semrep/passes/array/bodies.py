"""The statements of a loop's body as assignments, each under at most one condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semrep.ir.tree import Node
from semrep.passes.array.counted import Counted, Unproven
from semrep.passes.array.references import Reference, distance
from semrep.passes.array.vectors import Vectors


@dataclass(frozen=True, slots=True)
class Assignment:
    """target operator value, where `condition` holds (None: always), else target operator
    `otherwise` (None: nothing). operator: "=" or an augmented one."""

    node: Node
    target: Node
    operator: str
    value: Node
    condition: Node | None = None
    otherwise: Node | None = None


def assignments(body: Node) -> list[Assignment]:
    """Raises Unproven for any other statement."""
    return [a for s in body.operands for a in assignments_in(s)]


def assignments_in(statement: Node) -> Iterator[Assignment]:
    if statement.kind == "pass_statement":
        return
    if statement.kind == "if_statement":
        yield _choice(statement)
        return
    if statement.kind == "for_statement":
        raise Unproven("inner-loop", "the inner loop stays", statement)
    inner = statement.operands[0] if statement.kind == "expression_statement" else statement
    if len(statement.operands) != 1:
        raise Unproven(
            "unknown-statement", "only assignments become operations on arrays", statement
        )
    if inner.kind == "augmented_assignment":
        yield Assignment(statement, inner["left"], inner.operator, inner["right"])
        return
    if inner.kind == "assignment" and inner.child("type") is None:
        right = inner.child("right")
        if right is not None and right.kind != "assignment":
            yield Assignment(statement, inner["left"], "=", right)
            return
    raise Unproven("unknown-statement", "only assignments become operations on arrays", statement)


def _choice(statement: Node) -> Assignment:
    """`if c: x = a` and `if c: x = a else: x = b`."""
    alternatives = statement.fields("alternative")
    if len(alternatives) > 1 or any(a.kind != "else_clause" for a in alternatives):
        raise Unproven("has-elif", "the condition has more than two branches", statement)
    blocks = [statement["consequence"], *(a["body"] for a in alternatives)]
    found = [a for b in blocks for a in assignments(b)]
    if len(found) != len(blocks) or any(a.condition is not None for a in found):
        raise Unproven("many-statements", "a branch is more than one assignment", statement)
    first = found[0]
    if len(found) == 1:
        return Assignment(
            statement, first.target, first.operator, first.value, statement["condition"]
        )
    second = found[1]
    if not first.target.same_as(second.target) or first.operator != second.operator:
        raise Unproven("many-statements", "the branches assign to different places", statement)
    return Assignment(
        statement, first.target, first.operator, first.value, statement["condition"], second.value
    )


def check_order(loop: Counted, vectors: Vectors) -> None:
    """Each statement may be run for all iterations before the next one is. Raises Unproven
    unless whatever touches the same memory still does so in the same order."""
    for at, write in vectors.writes:
        for other, read in vectors.reads:
            found = distance(write, read, loop.counter, loop.prover, loop.step)
            fine = found.is_never_negative if at < other else found.is_never_positive
            if not fine:
                raise Unproven(
                    "dependent", "an iteration may read what another one writes", read.node
                )
        for other, later in vectors.writes:
            if at < other:
                found = distance(write, later, loop.counter, loop.prover, loop.step)
                if not found.is_never_negative:
                    raise Unproven(
                        "dependent", "an iteration may write what another one writes", later.node
                    )


def overlaps(loop: Counted, write: Reference, read: Reference) -> bool:
    """Whether two references may touch the same memory in any two iterations."""
    return not distance(write, read, loop.counter, loop.prover, loop.step).is_empty


def appended(statement: Node) -> tuple[Node, Node] | None:
    """The list's name and the value of `name.append(value)`."""
    call = statement.operands[0] if statement.kind == "expression_statement" else statement
    if call.kind != "call" or call["function"].kind != "attribute":
        return None
    function, given = call["function"], call["arguments"].operands
    if function["attribute"].text != "append" or function["object"].kind != "identifier":
        return None
    if len(given) != 1 or given[0].kind in ("list_splat", "keyword_argument"):
        return None
    return function["object"], given[0]
