"""How much a search may spend: seconds, evaluations, or both."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_TEXT = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?$")


@dataclass(slots=True)
class Budget:
    """seconds: wall clock from the first call of `start`. evaluations: candidates verified or
    measured. None: no limit. A search stops at the first limit it meets. reserved: seconds at
    the end that are kept for confirming what the search found; one candidate is tried even
    where they are all there is."""

    seconds: float | None = None
    evaluations: int | None = None
    clock: Callable[[], float] = time.monotonic
    reserved: float = field(default=0.0, init=False)
    used: int = field(default=0, init=False)
    _started: float | None = field(default=None, init=False)

    @classmethod
    def parse(cls, text: str) -> Budget:
        """ "30s", "2m", "200" (evaluations) or "30s,200". Raises ValueError on anything else."""
        budget = cls()
        for part in text.split(","):
            match = _TEXT.match(part.strip())
            if match is None:
                raise ValueError(f"{text!r} is no budget; write 30s, 2m or a number of evaluations")
            number, unit = match.groups()
            if unit:
                budget.seconds = float(number) * _SECONDS[unit]
            elif "." in number:
                raise ValueError(f"{text!r}: a number of evaluations is whole; seconds are {part}s")
            else:
                budget.evaluations = int(number)
        return budget

    def __str__(self) -> str:
        parts = []
        if self.seconds is not None:
            parts.append(f"{self.seconds:g}s")
        if self.evaluations is not None:
            parts.append(str(self.evaluations))
        return ",".join(parts) or "unlimited"

    def start(self) -> None:
        if self._started is None:
            self._started = self.clock()

    def spend(self, evaluations: int = 1) -> None:
        self.used += evaluations

    @property
    def elapsed(self) -> float:
        return 0.0 if self._started is None else self.clock() - self._started

    @property
    def left(self) -> float | None:
        """Seconds left; None where time is no limit."""
        return None if self.seconds is None else max(0.0, self.seconds - self.elapsed)

    @property
    def share(self) -> float:
        """The part that is spent, 0 to 1: for progress bars."""
        shares = [0.0]
        if self.seconds:
            shares.append(self.elapsed / self.seconds)
        if self.evaluations:
            shares.append(self.used / self.evaluations)
        return min(1.0, max(shares))

    @property
    def exhausted(self) -> bool:
        if self.evaluations is not None and self.used >= self.evaluations:
            return True
        if self.seconds is None or self.elapsed < self.seconds - self.reserved:
            return False
        return self.used > 0 or self.elapsed >= self.seconds
