"""Make one loop of two that go through the same range.

Rewrite:     for i in range(n): a += i     -->   for i in range(n):
             for i in range(n): b *= 2               a += i
                                                     b *= 2
Legal when:  both ranges are the same and pure, no iteration of one body touches what the other
             does (names, memory, exceptions), and neither jumps out.
Numerics:    bitwise: each body sees the values it saw before.
Refuses:     unknown-range, different-target, dependent, jumps, loop-else, async-loop, shared-line,
             comment-lost, multi-line-string, reassigned, declares-scope.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Effect, Facts
from semrep.ir.emit import block_lines, delete_statement, insert_after, stands_alone
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.loop.loops import jumps_out, why_not_plain
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class FuseLoops(NodePass):
    """Join two neighbouring loops over the same range."""

    name: ClassVar[str] = "fuse-loops"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    inverse: ClassVar[str] = "split-loop"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        following = node.next_sibling
        return (
            unit.kind == FUNCTION
            and following is not None
            and following.kind == "for_statement"
            and node["right"].same_as(following["right"])
            and node["right"].unparenthesized.kind == "call"
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        second = node.next_sibling
        assert second is not None
        for loop in (node, second):
            if refusal := why_not_plain(loop, keeps_header=loop is node):
                return refusal
        if not node["left"].same_as(second["left"]):
            return refuse(
                "different-target", "the loops count with different names", second["left"]
            )
        bodies = [*node["body"].operands], [*second["body"].operands]
        if refusal := why_dependent(facts, node, *bodies):
            return refusal
        lines = block_lines(second["body"])
        last = node["body"].operands[-1]
        if lines is None or any(c in lines for c in "\f\v"):
            return refuse(
                "multi-line-string", "a string or a backslash spans lines", second["body"]
            )
        added = insert_after(unit, last, *lines.split("\n"))
        if added is None or not stands_alone(second) or _comment_between(node, second):
            return refuse("shared-line", "other text stands between the two loops", second)
        return [added, delete_statement(unit, second)]


def _comment_between(first: Node, second: Node) -> bool:
    return b"#" in first.source[first["body"].operands[-1].end : second.start]


def why_dependent(
    facts: Facts, loop: Node, first: list[Node], second: list[Node]
) -> Refusal | None:
    """Why the iterations of two bodies under one header cannot be interleaved or told apart.

    Each statement of one must commute with each of the other, whatever the iteration: names
    that one stores the other neither loads nor stores.
    """
    right, target = loop["right"].unparenthesized, loop["left"]
    is_range = facts.environment.is_builtin_call(facts.unit, right, "range")
    if not is_range or not facts.is_pure(right) or target.kind != "identifier":
        return refuse("unknown-range", "this is not known to be the same twice", right)
    if jump := jumps_out(loop):
        return refuse("jumps", "this leaves the loop or goes on early", jump)
    around = facts.names(right).loads
    counter = facts.scopes.binding(target)
    for s in (*first, *second):
        names = facts.names(s)
        if names.stores & around or counter in names.stores:
            return refuse("reassigned", "this changes what the loop goes through", s)
        if any(b.is_captured for b in names.stores) or counter is None or counter.is_captured:
            return refuse("dependent", "a nested function sees this variable", s)
        if facts.effects(s) & (Effect.JUMPS | Effect.YIELDS | Effect.CALLS | Effect.DIVERGES):
            return refuse("dependent", "this may do anything", s)
    for a in first:
        for b in second:
            if not facts.commute(a, b):
                return refuse("dependent", "the order of this and the other body matters", b)
    return None
