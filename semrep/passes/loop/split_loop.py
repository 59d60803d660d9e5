"""Make two loops of one, each with a part of the body: the inverse of fuse-loops.

Rewrite:     for i in range(n): a += i; b *= 2   -->   for i in range(n): a += i
                                                       for i in range(n): b *= 2
Legal when:  as for fuse-loops: the range is pure and stays the same, no statement of one part
             touches what one of the other does, and nothing jumps out.
Numerics:    bitwise: each part sees the values it saw before.
Refuses:     unknown-range, dependent, jumps, loop-else, async-loop, shared-line, comment-lost,
             reassigned, declares-scope.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import encode, indent_of, line_start, stands_alone
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.loop.fuse_loops import why_dependent
from semrep.passes.loop.loops import why_not_plain
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class SplitLoop(NodePass):
    """Let a second loop begin at a statement of a loop's body."""

    name: ClassVar[str] = "split-loop"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"expression_statement", "for_statement"})
    inverse: ClassVar[str] = "fuse-loops"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        block = node.parent
        return (
            unit.kind == FUNCTION
            and block is not None
            and block.kind == "block"
            and block.parent is not None
            and block.parent.kind == "for_statement"
            and block.field == "body"
            and node.previous_sibling is not None
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        assert node.parent is not None and node.parent.parent is not None
        loop = node.parent.parent
        facts = self.facts(module, unit, node)
        if refusal := why_not_plain(loop):
            return refusal
        statements = loop["body"].operands
        at = statements.index(node)
        if refusal := why_dependent(facts, loop, statements[:at], statements[at:]):
            return refusal
        header = loop.source[loop.start : loop["body"].start].splitlines()[0]
        if b"\\" in header or not header.rstrip().endswith(b":"):
            return refuse("shared-line", "the loop's header spans lines", loop)
        if not stands_alone(node) or not stands_alone(loop):
            return refuse("shared-line", "this shares its lines with another statement", node)
        start = line_start(node)
        text = indent_of(unit, loop) + header.rstrip().decode("utf-8", "surrogateescape")
        return [Edit(Span(start, start), encode(text + unit.newline))]
