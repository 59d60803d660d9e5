"""The surroundings of one call: what fresh memory holds, and how a kernel's programs run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semrep.runtime import arrays, guarded, poison
from semrep.runtime.harness import Harness
from semrep.runtime.specs import Arguments
from semrep.verify.cases import Case


@dataclass(slots=True)
class Seen:
    """What the instruments saw during one call.

    races: one line for each. configurations: of the autotuner with most of them, 1 without.
    """

    races: list[str] = field(default_factory=list)
    configurations: int = 1


@contextmanager
def under(case: Case, harness: Harness) -> Iterator[Seen]:
    """Makes the call inside run as the case says, and watches it.

    What is allocated and not written holds NaN, or large numbers where the case says so;
    kernels in Triton's interpreter are watched for races. Torch records no gradients where the
    case says so.
    """
    seen = Seen()
    with ExitStack() as stack:
        stack.enter_context(poison.poisoned(poison.LARGE if case.other_memory else poison.NAN))
        torch = sys.modules.get("torch")
        if not case.recorded and torch is not None:
            stack.enter_context(torch.no_grad())
        if not harness.triton or harness.device != "cpu":
            yield seen
            return
        from semrep.runtime.triton.autotune import configuration
        from semrep.runtime.triton.watch import Shuffled, watching

        tuned = stack.enter_context(configuration(case.configuration))
        order = Shuffled(case.seed) if case.other_order else None
        with watching(order=order) as report:
            yield seen
        seen.races = [str(race) for race in report.harmful]
        seen.configurations = tuned.count


def against_pages(arguments: Arguments) -> Arguments:
    """The same arguments in memory whose neighbours may not be touched, where that can be had."""
    shared: dict[int, np.ndarray[Any, Any]] = {}

    def copied(value: Any, path: str) -> Any:
        try:
            return guarded.guarded(value, shared=shared)
        except guarded.NotGuarded:
            return value

    tree = (arguments.positional, dict(arguments.named))
    positional, named = arrays.map_arrays(tree, copied)
    return Arguments(positional, named)


def overrun(leaves: list[tuple[str, Any]]) -> list[str]:
    """Paths of guarded arrays beside which something was written."""
    found = []
    for path, value in leaves:
        try:
            if not guarded.intact(value):
                found.append(path)
        except KeyError:
            continue
    return found
