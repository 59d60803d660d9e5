"""Keep the best few states and walk on from each: finds what pays only together."""

from __future__ import annotations

from semrep.ir.module import Module
from semrep.search.evaluation import Decision
from semrep.search.strategy import NOTHING_LEFT, Outcome, Search, State, Strategy


def beam(width: int = 3, depth: int = 8) -> Strategy:
    """Beam search. A step that makes no difference stays in the beam, behind those that gain;
    it is in the result only where later steps made it worth while.

    width: states kept a level; depth: steps at most. Raises ValueError below 1.
    """
    if width < 1 or depth < 1:
        raise ValueError("a beam has a width and a depth of at least 1")

    def run(search: Search, module: Module) -> Outcome:
        best = State(module)
        level = [best]
        seen = {module.digest}
        search.budget.start()
        try:
            for _ in range(depth):
                following: list[State] = []
                for state in level:
                    for move in search.moves(state):
                        if move.after.digest in seen:
                            continue
                        if search.budget.exhausted:
                            return search.outcome(best, "budget")
                        seen.add(move.after.digest)
                        judgement = search.judge(state, best, move)
                        if judgement.decision in (Decision.ACCEPTED, Decision.NO_GAIN):
                            reached = state.after(judgement.cost, move)
                            following.append(reached)
                            if judgement.decision is Decision.ACCEPTED and _beats(reached, best):
                                best = reached
                following.sort(key=lambda s: (-s.gain, len(s.steps), s.module.digest))
                level = following[:width]
                if not level:
                    return search.outcome(best, NOTHING_LEFT)
        except KeyboardInterrupt:
            return search.outcome(best, "interrupted")
        return search.outcome(best, "depth")

    return run


def _beats(new: State, old: State) -> bool:
    return new.gain > old.gain
