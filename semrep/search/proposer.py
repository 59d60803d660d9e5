"""Who says which move to try first. Learned proposers live above this room and are handed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from semrep.cost import modelled_seconds
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
_ORDER = {"tensor": 0, "array": 0, "triton": 1, "cuda": 1, "loop": 2, "scalar": 3, "canonical": 4}


class FixedOrder:
    """By family, then by modelled time where the value graph gives one, then by the size of
    the code that a move takes away, then by place."""

    name = "fixed-order"

    def rank(self, module: Module, moves: Sequence[Move]) -> list[Move]:
        def key(move: Move) -> tuple[object, ...]:
            return (
                _ORDER.get(move.pass_.family, 5),
                modelled_seconds(move.after) or 0.0,
                len(move.after.source) - len(module.source),
                move.step.site.span,
                str(move.pass_),
            )

        return sorted(moves, key=key)
