"""Who says which move to try first. Learned proposers live above this room and are handed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from semrep.ir.module import Module
from semrep.search.moves import Move


class Proposer(Protocol):
    """Ranks moves. Must be deterministic; `name` goes into reports."""

    name: str

    def rank(self, module: Module, moves: Sequence[Move]) -> list[Move]:
        """The same moves, most promising first."""
        ...


# Algebra first: it changes how much work there is. Then what changes a kernel's traffic, then
# loops, then scalar code, whose gains are small.
_ORDER = {"tensor": 0, "triton": 1, "cuda": 1, "loop": 2, "scalar": 3, "canonical": 4}


class FixedOrder:
    """By family, then by the size of the code that a move takes away, then by place."""

    name = "fixed-order"

    def rank(self, module: Module, moves: Sequence[Move]) -> list[Move]:
        return sorted(
            moves,
            key=lambda m: (
                _ORDER.get(m.pass_.family, 5),
                len(m.after.source) - len(module.source),
                m.step.site.span,
                str(m.pass_),
            ),
        )
