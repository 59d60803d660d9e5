"""Take the first move that is worth it, look again, until nothing is."""

from __future__ import annotations

from semrep.ir.module import Module
from semrep.search.evaluation import Decision
from semrep.search.strategy import NOTHING_LEFT, Outcome, Search, State

# A gain from here on changes what else is worth doing.
_REAL_GAIN = 1.1


def greedy(search: Search, module: Module) -> Outcome:
    """First-improvement hill climbing over legal moves, in the proposer's order."""
    state = State(module)
    search.budget.start()
    try:
        while True:
            moved = False
            for move in search.moves(state):
                if search.is_known_bad(move):
                    continue
                if search.budget.exhausted:
                    return search.outcome(state, "budget")
                judgement = search.judge(state, move, state)
                if judgement.decision is Decision.ACCEPTED:
                    state = state.after(move, judgement.cost)
                    if judgement.cost is not None and judgement.cost.ratio > _REAL_GAIN:
                        search.forgive()
                    moved = True
                    break
            if not moved:
                return search.outcome(state, NOTHING_LEFT)
    except KeyboardInterrupt:
        return search.outcome(state, "interrupted")
