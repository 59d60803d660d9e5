"""Judges candidates by running them: equivalence first, then cost."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from semrep.cost import NotCounted, NotMeasured, estimate, measure, modelled_seconds
from semrep.ir.module import Module
from semrep.passes.contract import Contract
from semrep.search.evaluation import Cost, Decision, Judgement
from semrep.search.moves import Move
from semrep.verify import Baseline, Different, Inconclusive, Verifier

# A simplification may be kept where time cannot tell it from what it replaces.
_SIMPLIFIES = frozenset({"tensor", "triton"})
_NOT_SLOWER = 0.97
_SURELY_SLOWER = 0.8
# Less than this is no reason to touch anybody's code.
_WORTH_IT = 1.02


class Goal(enum.Enum):
    """What a search improves."""

    LATENCY = "latency"
    SIZE = "size"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class SizeCost:
    """Source text in bytes, which needs no run."""

    before: int
    after: int

    @property
    def ratio(self) -> float:
        return self.before / max(1, self.after)

    low = high = ratio

    @property
    def faster(self) -> bool:
        return self.after < self.before

    @property
    def slower(self) -> bool:
        return self.after > self.before

    def describe(self) -> str:
        return f"{self.before} bytes to {self.after} bytes"

    def to_json(self) -> dict[str, Any]:
        return {"kind": "size", "before": self.before, "after": self.after, "ratio": self.ratio}


def _is_modelled_cheaper(base: Module, candidate: Module) -> bool:
    before, after = modelled_seconds(base), modelled_seconds(candidate)
    return before is not None and after is not None and after * _WORTH_IT < before


class DifferentialEvaluator:
    """Verifies every candidate against the original, and costs it against its base.

    seconds: how long one comparison of times may take.
    """

    def __init__(
        self, verifier: Verifier, goal: Goal = Goal.LATENCY, *, seconds: float = 0.6
    ) -> None:
        self.verifier = verifier
        self.goal = goal
        self.seconds = seconds

    def judge(self, base: Module, move: Move, contract: Contract) -> Judgement:
        verdict = self.verifier.screen(move.after.source, contract)
        if isinstance(verdict, Different):
            return Judgement(Decision.DIFFERENT, str(verdict), verdict)
        if isinstance(verdict, Inconclusive):
            return Judgement(Decision.INCONCLUSIVE, verdict.reason, verdict)
        cost = self.cost(base, move.after)
        if not isinstance(cost, str) and cost.slower and cost.ratio > _SURELY_SLOWER:
            cost = self.cost(base, move.after)  # noise comes in spells: look again
        if isinstance(cost, str):
            return Judgement(Decision.INCONCLUSIVE, cost, verdict)
        if cost.faster and cost.ratio >= _WORTH_IT:
            return Judgement(Decision.ACCEPTED, cost.describe(), verdict, cost)
        if cost.slower:
            return Judgement(Decision.SLOWER, cost.describe(), verdict, cost)
        if move.pass_.family in _SIMPLIFIES and not cost.slower:
            if len(move.after.source) < len(base.source) and cost.ratio >= _NOT_SLOWER:
                return Judgement(Decision.ACCEPTED, f"simpler; {cost.describe()}", verdict, cost)
            if _is_modelled_cheaper(base, move.after):
                # Noise hides small gains, and what this step makes possible may be large.
                # The final measurement decides about all steps together.
                reason = f"modelled to be cheaper; {cost.describe()}"
                return Judgement(Decision.ACCEPTED, reason, verdict, cost)
        return Judgement(Decision.NO_GAIN, cost.describe(), verdict, cost)

    def cost(self, base: Module, candidate: Module) -> Cost | str:
        """Candidate against base under the goal, or why it cannot be had."""
        if self.goal is Goal.SIZE:
            return SizeCost(len(base.source), len(candidate.source))
        verifier = self.verifier
        baseline = verifier.baseline()
        try:
            if isinstance(baseline, Baseline) and baseline.grade == "interpreter":
                # Times of Triton's interpreter say nothing about a GPU: count instead.
                return estimate(
                    base.source,
                    candidate.source,
                    verifier.harness,
                    seed=verifier.seed,
                    session=verifier.session,
                )
            return measure(
                base.source,
                candidate.source,
                verifier.harness,
                budget_s=self.seconds,
                seed=verifier.seed,
                timeout_s=verifier.timeout_s,
                session=verifier.session,
            )
        except (NotMeasured, NotCounted) as error:
            return f"no cost: {error}"
