"""Take the first move that is worth it, look again, until nothing is."""

from __future__ import annotations

from semrep.ir.module import Module
from semrep.search.evaluation import Decision, Judgement
from semrep.search.leap import leap
from semrep.search.strategy import NOTHING_LEFT, Outcome, Search, State

# A gain from here on changes what else is worth doing.
_REAL_GAIN = 1.1


def greedy(search: Search, module: Module) -> Outcome:
    """First-improvement hill climbing over legal moves, in the proposer's order. What the model
    finds best in several steps is tried first, and again once a step of it turned out wrong."""
    state = State(module)
    search.budget.start()
    planned: frozenset[object] | None = None
    try:
        while True:
            if planned is None and not search.budget.exhausted:
                path = leap(search, state)
                planned = frozenset(m.step.key for m in path)
                if path:
                    judgement = search.judge(state, state, *path)
                    if judgement.decision is Decision.ACCEPTED:
                        state = state.after(judgement.cost, *path)
                        continue
            moved = False
            for move in search.moves(state):
                if search.is_known_bad(move):
                    continue
                if search.budget.exhausted:
                    return search.outcome(state, "budget")
                judgement = search.judge(state, state, move)
                if judgement.decision is Decision.ACCEPTED:
                    state = state.after(judgement.cost, move)
                    if judgement.cost is not None and judgement.cost.ratio > _REAL_GAIN:
                        search.forgive()
                        planned = None
                    moved = True
                    break
                if planned and move.step.key in planned and _is_wrong(judgement):
                    planned, moved = None, True
                    break
            if not moved:
                return search.outcome(state, NOTHING_LEFT)
    except KeyboardInterrupt:
        return search.outcome(state, "interrupted")


def _is_wrong(judgement: Judgement) -> bool:
    return judgement.decision in (Decision.DIFFERENT, Decision.INCONCLUSIVE)
