"""A live line while a search runs: only on a terminal, and only on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from semrep.search.budget import Budget
from semrep.search.evaluation import Attempt, Decision
from semrep.search.strategy import State


class SearchProgress:
    """Use as a context manager and hand `update` to the search as its observer."""

    def __init__(self, budget: Budget, enabled: bool | None = None) -> None:
        self.budget = budget
        self.enabled = sys.stderr.isatty() if enabled is None else enabled
        self.tried = self.verified = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self.enabled:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TimeElapsedColumn(),
                TextColumn("{task.fields[state]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("searching", total=1.0, state="running the original")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, attempt: Attempt, best: State) -> None:
        self.tried += 1
        decision = attempt.judgement.decision
        self.verified += decision not in (Decision.DIFFERENT, Decision.INCONCLUSIVE)
        gain = best.gain
        if decision is Decision.ACCEPTED and attempt.judgement.cost is not None:
            gain *= attempt.judgement.cost.ratio
        if self._bar is not None:
            state = f"{self.tried} tried, {self.verified} verified, best {gain:.2f}x"
            self._bar.update(self._task, completed=self.budget.share, state=state)
