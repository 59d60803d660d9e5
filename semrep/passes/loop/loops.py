"""Facts about one loop that several loop passes ask for."""

from __future__ import annotations

from semrep.ir.effects import Facts
from semrep.ir.scopes import scopes
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import Refusal, refuse
from semrep.passes.scalar.literals import NotLiteral, value_of

LOOPS = ("for_statement", "while_statement")


def repeated(loop: Node) -> list[Node]:
    """The parts of a loop that run once an iteration."""
    parts = [loop["body"]]
    if loop.kind == "for_statement":
        parts.append(loop["left"])
    else:
        parts.append(loop["condition"])
    return parts


def enclosing_loop(node: Node) -> Node | None:
    """The nearest loop of the same function that evaluates a node once an iteration."""
    child, current = node, node.parent
    while current is not None and current.kind not in ("function_definition", "lambda"):
        if current.kind in LOOPS:
            part = child.field
            if part == "body" or part == "condition" and current.kind == "while_statement":
                return current
        child, current = current, current.parent
    return None


def stored_names(unit: Unit, loop: Node) -> frozenset[str]:
    """Names that are stored or deleted by a loop, its iterable included, by spelling."""
    return unit.fact(("stored-names", id(loop)), lambda: _stored_names(unit, loop))


def _stored_names(unit: Unit, loop: Node) -> frozenset[str]:
    tree = scopes(unit)
    return frozenset(
        n.text
        for part in (*repeated(loop), *loop.fields("right"))
        for n in part.find("identifier")
        if id(n) in tree.stores or id(n) in tree.deletes
    )


def counted(facts: Facts, loop: Node) -> range | None:
    """The values that `for i in range(…)` with literal bounds goes through."""
    if not facts.environment.is_builtin_call(facts.unit, loop["right"].unparenthesized, "range"):
        return None
    arguments = loop["right"].unparenthesized["arguments"]
    if arguments.kind != "argument_list" or not 1 <= len(arguments.operands) <= 3:
        return None
    bounds: list[int] = []
    for a in arguments.operands:
        value = value_of(a)
        if isinstance(value, NotLiteral) or type(value) is not int:
            return None
        bounds.append(value)
    if len(bounds) == 3 and not bounds[2]:
        return None
    return range(*bounds)


def why_not_plain(loop: Node, *, keeps_header: bool = False) -> Refusal | None:
    """Why a loop's text cannot be taken apart: `else`, comments between header and body,
    `async`, declarations, or a body on the header's line. keeps_header: it stays where it is,
    with its comments."""
    if loop.child("alternative") is not None:
        return refuse("loop-else", "the loop has an `else`", loop.child("alternative"))
    for c in loop.children:
        if c.kind == "comment" and not keeps_header:
            return refuse("comment-lost", "a comment stands in the loop's header", c)
        if c.kind == "async":
            return refuse("async-loop", "other code runs between the iterations", c)
    body = loop["body"]
    if declared := next(body.find("global_statement", "nonlocal_statement"), None):
        return refuse("declares-scope", "a declaration cannot be written twice", declared)
    header = loop.source[loop.start : body.start]
    if b"\n" not in header and b"\r" not in header:
        return refuse("shared-line", "the body stands on the header's line", body)
    return None


def jumps_out(loop: Node) -> Node | None:
    """A `break` or `continue` of this very loop."""
    stack = [loop["body"]]
    while stack:
        node = stack.pop()
        if node.kind in ("break_statement", "continue_statement"):
            return node
        if node.kind in LOOPS:
            # Only the `else` of an inner loop jumps for the outer one.
            alternative = node.child("alternative")
            stack.extend([alternative] if alternative is not None else [])
        elif node.kind not in ("function_definition", "class_definition", "lambda"):
            stack.extend(node.children)
    return None
