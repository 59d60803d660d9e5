"""Several steps planned by the model alone, to be judged as one.

Each evaluation of a candidate runs it for seconds; the model takes milliseconds. A step that makes
another possible often gains too little to be seen under noise, and is then worth its while
together with what follows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from semrep.cost import modelled_seconds
from semrep.ir.module import Module
from semrep.search.moves import Move, legal_moves
from semrep.search.strategy import Search, State

# Families whose steps the model can tell apart.
_MODELLED = frozenset({"tensor", "array"})
_WIDTH, _DEPTH = 2, 8
_SECONDS = 5.0
# Steps that gain less than this part of all time are tried one by one: a chain holds if all do.
_LEAST = 0.005
# A plan that the model finds no better than this is left to single steps.
_WORTH_IT = 1.05


@dataclass(frozen=True, slots=True)
class _Node:
    module: Module
    path: tuple[Move, ...]
    seconds: float


def leap(search: Search, state: State) -> tuple[Move, ...]:
    """The moves towards the module that the model finds cheapest, by beam search over modelled
    time; () where fewer than two lead to a gain. Moves that were judged and not taken are left
    out."""
    passes = [p for p in search.passes if p.family in _MODELLED]
    start = modelled_seconds(state.module)
    if start is None or not passes:
        return ()
    deadline = search.budget.clock() + _SECONDS
    beam = [_Node(state.module, (), start)]
    best, seen = beam[0], {state.module.digest}
    for _ in range(_DEPTH):
        reached: list[_Node] = []
        for node in beam:
            for move in legal_moves(node.module, passes, search.within):
                if move.after.digest in seen or search.is_known_bad(move):
                    continue
                if search.budget.clock() > deadline:
                    return _worthwhile(best, start)
                seen.add(move.after.digest)
                seconds = modelled_seconds(move.after)
                if seconds is not None and node.seconds - seconds > _LEAST * start:
                    reached.append(_Node(move.after, (*node.path, move), seconds))
        if not reached:
            break
        beam = sorted(reached, key=lambda n: (n.seconds, len(n.module.source)))[:_WIDTH]
        if beam[0].seconds < best.seconds:
            best = beam[0]
    return _worthwhile(best, start)


def _worthwhile(best: _Node, start: float) -> tuple[Move, ...]:
    return best.path if len(best.path) > 1 and start > best.seconds * _WORTH_IT else ()
