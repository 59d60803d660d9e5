"""Watches interpreted kernels for what one run's outputs do not show.

    with watching(races=True, order=Shuffled(7)) as report:
        call()
    report.races

Bounds are checked always, with or without this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.triton.memory import Access, Order, observing, ordering
from semrep.runtime.triton.races import Race, RaceWatch
from semrep.runtime.triton.regions import Launch


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Programs in an order drawn from the seed, another one for every launch."""

    seed: int

    def __call__(self, programs: int, launch: int) -> NDArray[np.int64]:
        generator = np.random.default_rng((self.seed, launch))
        return generator.permutation(programs)


@dataclass(frozen=True, slots=True)
class Reversed:
    """The last program first."""

    def __call__(self, programs: int, launch: int) -> NDArray[np.int64]:
        return np.arange(programs - 1, -1, -1)


@dataclass(slots=True)
class Report:
    """What was seen; complete once the context is left.

    races: all of them, benign and ordered ones too. launches, programs: how many ran.
    atomics: whether any kernel used them; results may then depend on the order of programs by
    the rounding of sums alone.
    """

    races: tuple[Race, ...] = ()
    launches: int = 0
    programs: int = 0
    atomics: bool = False
    kernels: dict[str, int] = field(default_factory=dict)

    @property
    def harmful(self) -> tuple[Race, ...]:
        """Races on which the result may depend, and which nothing was seen to order."""
        return tuple(race for race in self.races if not race.benign and not race.ordered)


class _Tally:
    def __init__(self, report: Report) -> None:
        self.report = report

    def launched(self, launch: Launch) -> None:
        self.report.launches += 1
        self.report.kernels[launch.kernel] = self.report.kernels.get(launch.kernel, 0) + 1

    def started(self, launch: Launch) -> None:
        self.report.programs += 1

    def accessed(self, launch: Launch, access: Access) -> None:
        self.report.atomics |= access.kind == "atomic"

    def finished(self, launch: Launch) -> None:
        pass


@contextmanager
def watching(*, races: bool = True, order: Order | None = None) -> Iterator[Report]:
    """Watches all launches of this process until left.

    order: Shuffled(seed), Reversed() or None for the grid's own. Programs run one after
    another: one that waits for a later one raises spin.WaitsForever.
    """
    report = Report()
    found = RaceWatch()
    with ExitStack() as stack:
        stack.enter_context(ordering(order))
        stack.enter_context(observing(_Tally(report)))
        if races:
            stack.enter_context(observing(found))
        try:
            yield report
        finally:
            report.races = found.races
