"""The one interface of every search strategy, and what a search returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from semrep.ir.module import Module
from semrep.passes.base import Pass
from semrep.passes.contract import Contract, weakest
from semrep.passes.manager import Missed, Step
from semrep.search.budget import Budget
from semrep.search.evaluation import Attempt, Cost, Decision, Evaluator, Judgement
from semrep.search.moves import Move, Within, everywhere, legal_moves
from semrep.search.proposer import FixedOrder, Proposer


@dataclass(frozen=True, slots=True)
class State:
    """A module that was reached, and how. gain: product of its steps' ratios (1: unchanged)."""

    module: Module
    steps: tuple[Step, ...] = ()
    gain: float = 1.0
    cost: Cost | None = None

    @property
    def contract(self) -> Contract:
        return weakest(s.contract for s in self.steps)

    @property
    def pipeline(self) -> str:
        return ",".join(f"{s.site.pass_spec}@{s.site.span}" for s in self.steps)

    def after(self, cost: Cost | None, *moves: Move) -> State:
        gain = self.gain * (cost.ratio if cost is not None else 1.0)
        return State(moves[-1].after, (*self.steps, *(m.step for m in moves)), gain, cost)


NOTHING_LEFT = "nothing left to try"


@dataclass(frozen=True, slots=True)
class Outcome:
    """best: the best verified state. stopped: why the search ended (NOTHING_LEFT,
    "budget", "interrupted")."""

    best: State
    attempts: tuple[Attempt, ...]
    missed: tuple[Missed, ...]
    stopped: str
    proposer: str


Observer = Callable[[Attempt, State], None]


@dataclass(slots=True)
class Search:
    """What every strategy needs. One object serves one search."""

    passes: Sequence[Pass]
    evaluator: Evaluator
    budget: Budget
    proposer: Proposer = field(default_factory=FixedOrder)
    within: Within = everywhere
    observer: Observer | None = None
    attempts: list[Attempt] = field(default_factory=list, init=False)
    _missed: dict[tuple[str, str, str], Missed] = field(default_factory=dict, init=False)
    _tried: dict[tuple[object, ...], Decision] = field(default_factory=dict, init=False)

    def moves(self, state: State) -> list[Move]:
        """Legal moves from a state, most promising first."""
        self._missed.clear()
        found = list(legal_moves(state.module, self.passes, self.within, self._note))
        return self.proposer.rank(state.module, found)

    def _note(self, missed: Missed) -> None:
        self._missed[missed.site.pass_spec, str(missed.site.span), missed.refusal.code] = missed

    def is_known_bad(self, move: Move) -> bool:
        """A move that was judged before, in another surrounding, and not taken."""
        return move.step.key in self._tried or ("text", move.after.digest) in self._tried

    def judge(self, state: State, best: State, *moves: Move) -> Judgement:
        """What becomes of a move from a state, or of several one after the other."""
        move = moves[-1]
        contract = weakest((state.contract, *(m.step.contract for m in moves)))
        self.budget.spend()
        judgement = self.evaluator.judge(state.module, move, contract)
        self._tried["text", move.after.digest] = judgement.decision
        if judgement.decision is not Decision.ACCEPTED and len(moves) == 1:
            self._tried[move.step.key] = judgement.decision
        attempt = Attempt(move, judgement, len(state.steps), tuple(m.step for m in moves[:-1]))
        self.attempts.append(attempt)
        if self.observer is not None:
            self.observer(attempt, best)
        return judgement

    def forgive(self) -> None:
        """After a real gain, what made no difference before may now: try it again."""
        for key, decision in list(self._tried.items()):
            if decision is Decision.NO_GAIN:
                del self._tried[key]

    def outcome(self, best: State, stopped: str) -> Outcome:
        return Outcome(
            best, tuple(self.attempts), tuple(self._missed.values()), stopped, self.proposer.name
        )


Strategy = Callable[[Search, Module], Outcome]
"""Walks from a module to better ones. Anytime: on KeyboardInterrupt it returns the best state
so far. Deterministic for given answers of its evaluator."""
