"""Join two loops that load the same row, and load it once.

Rewrite:     for k in range(0, n, B): x = tl.load(row + k + i); s += tl.sum(x)
             for k in range(0, n, B): x = tl.load(row + k + i); q += tl.sum(x * x)
             -->   for k in range(0, n, B): x = tl.load(row + k + i); s += …; q += …
Legal when:  both go through the same range, the second body needs nothing of the first one's
             but what it would compute and load again itself, neither stores what the other
             loads (semrep.passes.triton.aliasing), and what stands between them can go before
             or after both.
Numerics:    bitwise.
Refuses:     dependent, aliased-store, unknown-code, jumps, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import BITWISE, Contract
from semrep.passes.registry import register
from semrep.passes.triton.aliasing import LAUNCHES_IN_SIGHT
from semrep.passes.triton.kernels import accesses, is_kernel
from semrep.passes.triton.paired_loops import joined, own_lines, pair, partner, why_dependent


@register
@dataclass(frozen=True, slots=True)
class FuseRowLoops(NodePass):
    """Join two loops that load the same row, and load it once."""

    name: ClassVar[str] = "fuse-row-loops"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = BITWISE.assuming(LAUNCHES_IN_SIGHT)
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if not is_kernel(module, unit) or len(unit.nodes("for_statement")) < 2:
            return False
        return partner(module, self.facts(module, unit, node), node) is not None

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        second = partner(module, facts, node)
        assert second is not None
        found = pair(module, facts, node, second)
        if isinstance(found, Refusal):
            return found
        if refusal := why_dependent(facts, found):
            return refusal
        if not any(
            next(accesses(module, unit, statement, "load"), None) for statement, _ in found.shared
        ):
            return refuse("dependent", "the loads cannot be shared", second)
        lines = own_lines(unit, found)
        if isinstance(lines, Refusal):
            return lines
        return joined(unit, found, lines, node["body"].operands[-1])
