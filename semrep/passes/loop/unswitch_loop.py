"""Ask a question once, before a loop, that every iteration asks again.

Rewrite:     for x in xs:            -->   if flag:
                 if flag: a(x)                 for x in xs: a(x)
                 else: b(x)                else:
                                               for x in xs: b(x)
Legal when:  the condition is pure (also asking whether it is true), no iteration stores any of
             its names, and the `if` is all there is in the loop.
Numerics:    bitwise.
Refuses:     has-effects, loop-else, has-elif, async-loop, shared-line, comment-lost,
             multi-line-string, declares-scope, triton-kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import NONE
from semrep.ir.emit import block_lines, encode, indent_of, stands_alone
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.loop.hoist_loop_invariant import is_foreign, varies_never
from semrep.passes.loop.loops import LOOPS, why_not_plain
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class UnswitchLoop(NodePass):
    """Move a condition that no iteration changes out of a loop."""

    name: ClassVar[str] = "unswitch-loop"
    anchors: ClassVar[frozenset[str]] = frozenset(LOOPS)

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        body = node["body"].operands
        return (
            unit.kind == FUNCTION
            and len(body) == 1
            and body[0].kind == "if_statement"
            and varies_never(unit, node, body[0]["condition"])
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        branch = node["body"].operands[0]
        condition = branch["condition"]
        if facts.is_triton:
            return refuse("triton-kernel", "kernels choose between whole blocks at compile time")
        if facts.test(condition) is not NONE or is_foreign(facts, condition):
            return refuse("has-effects", "asking may do more than give an answer", condition)
        if refusal := why_not_plain(node):
            return refusal
        alternatives = branch.fields("alternative")
        if len(alternatives) > 1 or any(a.kind == "elif_clause" for a in alternatives):
            return refuse("has-elif", "the condition has more than two branches", branch)
        blocks = [branch["consequence"], *(a["body"] for a in alternatives)]
        comments = sum(n.kind == "comment" for n in node.walk())
        kept = sum(n.kind == "comment" for b in blocks for n in b.walk())
        if comments != kept:
            return refuse("comment-lost", "a comment stands between the parts", branch)
        if not stands_alone(node) or "\n" in condition.text or "\r" in condition.text:
            return refuse("shared-line", "other text stands on these lines", node)
        header = node.source[node.start : node["body"].start].decode("utf-8", "surrogateescape")
        header = header.rstrip()
        if "\n" in header or "\r" in header:
            return refuse("shared-line", "the loop's header spans lines", node)
        bodies = [block_lines(b) for b in blocks]
        if any(b is None or "\f" in b or "\v" in b for b in bodies):
            return refuse("multi-line-string", "a string or a backslash spans lines", branch)
        step = indent_of(unit, branch).removeprefix(indent_of(unit, node)) or "    "
        lines = [f"if {condition.text}:"]
        for number, body in enumerate([*bodies, "pass"][:2]):
            if number:
                lines.append("else:")
            lines.append(step + header)
            lines += [step * 2 + line if line else "" for line in (body or "pass").split("\n")]
        indent = indent_of(unit, node)
        text = unit.newline.join(indent + line if line else line for line in lines)
        return [Edit(node.span, encode(text.removeprefix(indent)))]
