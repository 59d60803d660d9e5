"""What a search asks about a candidate, and what it is told."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

from semrep.ir.module import Module
from semrep.passes.contract import Contract
from semrep.passes.manager import Step
from semrep.search.moves import Move


class Decision(enum.Enum):
    """What became of a candidate."""

    ACCEPTED = "accepted"
    DIFFERENT = "different"
    INCONCLUSIVE = "inconclusive"
    SLOWER = "slower"
    NO_GAIN = "no gain"

    def __str__(self) -> str:
        return self.value


class Cost(Protocol):
    """A candidate against what it would replace; `Measurement` and `Estimate` are costs."""

    @property
    def ratio(self) -> float:
        """Above 1 the candidate is better."""
        ...

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def faster(self) -> bool: ...
    @property
    def slower(self) -> bool: ...
    def describe(self) -> str: ...
    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """decision with its reason in words; verdict and cost where it came that far."""

    decision: Decision
    reason: str
    verdict: Any = None
    cost: Cost | None = None


class Evaluator(Protocol):
    """Verifies and costs candidates. Knows the original."""

    def judge(self, base: Module, move: Move, contract: Contract) -> Judgement:
        """Whether `move.after` may replace `base`. contract: what all steps from the
        original to `move.after` together promise."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of a search's log. before: steps that were judged together with the move."""

    move: Move
    judgement: Judgement
    depth: int
    before: tuple[Step, ...] = ()

    @property
    def passes(self) -> str:
        """What was tried, by pass: "add-to-bias + sum-of-product"."""
        return " + ".join(s.site.pass_spec for s in (*self.before, self.move.step))

    def __str__(self) -> str:
        return f"{self.passes}: {self.judgement.decision}: {self.judgement.reason}"
