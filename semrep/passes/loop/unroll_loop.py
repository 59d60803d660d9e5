"""Write out the iterations of a short loop.

Rewrite:     for i in range(2): f(i)   -->   i = 0; f(i); i = 1; f(i)
             with factor=2:
             for i in range(4): f(i)   -->   for i in range(0, 4, 2): f(i); i += 1; f(i)
Legal when:  the iterations are known from literals (a range, or a tuple or list of literals),
             and nothing jumps out of or on in the loop.
Numerics:    bitwise: the same statements in the same order.
Refuses:     unknown-count, too-long, jumps, loop-else, async-loop, shared-line, comment-lost,
             multi-line-string, reassigned, declares-scope, triton-kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import block_lines, encode, indent_of, stands_alone
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.loop.loops import counted, jumps_out, stored_names, why_not_plain
from semrep.passes.registry import register
from semrep.passes.scalar.literals import is_literal


@register
@dataclass(frozen=True, slots=True)
class UnrollLoop(NodePass):
    """Repeat the body of a loop whose iterations are known."""

    name: ClassVar[str] = "unroll-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})

    factor: int = 0
    """Iterations per round of the new loop; 0: no loop remains."""
    limit: int = 4
    """Most copies of the body."""
    max_lines: int = 24
    """Most lines that are written."""

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        right = node["right"].unparenthesized
        if unit.kind != FUNCTION or node["left"].kind != "identifier":
            return False
        if right.kind in ("tuple", "list"):
            return (
                self.factor == 0 and bool(right.operands) and all(map(is_literal, right.operands))
            )
        return module.environment.is_builtin_call(unit, right, "range")

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        if facts.is_triton:
            return refuse("triton-kernel", "write tl.static_range to unroll in a kernel", node)
        if refusal := why_not_plain(node):
            return refusal
        if jump := jumps_out(node):
            return refuse("jumps", "this leaves the loop or goes on early", jump)
        values = counted(facts, node)
        right = node["right"].unparenthesized
        texts: list[str] = []
        if right.kind in ("tuple", "list"):
            texts = [v.text for v in right.operands]
        elif values is None:
            return refuse("unknown-count", "how often this runs is not known here", right)
        elif len(values) > 4096:
            return refuse("too-long", f"{len(values)} iterations are too many", right)
        else:
            texts = [str(v) for v in values]
        lines = block_lines(node["body"])
        if lines is None or any(c in lines for c in "\f\v"):
            return refuse("multi-line-string", "a string or a backslash spans lines", node["body"])
        body = lines.split("\n")
        copies = self.factor or len(texts)
        if not texts or copies > self.limit or copies * (len(body) + 1) > self.max_lines:
            return refuse("too-long", f"{len(texts)} iterations of {len(body)} lines", right)
        if right.has_comment or not stands_alone(node):
            return refuse("comment-lost", "a comment or a statement shares these lines", right)
        target = node["left"].text
        if not self.factor:
            written = [line for v in texts for line in (f"{target} = {v}", *body)]
            return [_replaced(unit, node, written)]
        assert values is not None
        if self.factor < 2 or len(values) % self.factor or len(values) == self.factor:
            return refuse("unknown-count", f"{len(values)} is no multiple of {self.factor}", right)
        inner = node["body"]
        if target in {n.text for n in inner.find("identifier") if id(n) in facts.scopes.stores}:
            return refuse("reassigned", f"the loop stores {target!r}", node["left"])
        assert target in stored_names(unit, node)
        step = values.step
        header = f"for {target} in range({values.start}, {values.stop}, {step * self.factor}):"
        on = f"{target} += {step}"
        unrolled = [*body, *(line for _ in range(self.factor - 1) for line in (on, *body))]
        inside = indent_of(unit, inner.operands[0]).removeprefix(indent_of(unit, node))
        return [_replaced(unit, node, [header, *(inside + x if x else x for x in unrolled)])]


def _replaced(unit: Unit, node: Node, lines: list[str]) -> Edit:
    indent = indent_of(unit, node)
    text = unit.newline.join(f"{indent}{line}" if line else line for line in lines)
    return Edit(node.span, encode(text.removeprefix(indent)))
