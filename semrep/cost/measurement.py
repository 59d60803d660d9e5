"""Measured cost: wall-clock times of both sources in the same kind of worker."""

from __future__ import annotations

from semrep.runtime.harness import Harness
from semrep.runtime.limits import Limits
from semrep.runtime.measurement import Measurement
from semrep.runtime.measuring import NotMeasured, measure_pair
from semrep.runtime.session import Session

__all__ = ["Measurement", "NotMeasured", "measure"]


def measure(
    original: bytes,
    candidate: bytes,
    harness: Harness,
    *,
    budget_s: float = 2.0,
    seed: int = 0,
    timeout_s: float = 60.0,
    threads: int | None = None,
    session: Session | None = None,
) -> Measurement:
    """Times both sources on the harness's first example, in interleaved pairs.

    threads: of the array library; None takes one for each processor, as its users get.
    session: a warm one to use (it is left open). Raises NotMeasured.
    """
    if session is None:
        with Session(original, harness, seed=seed, limits=Limits(wall_s=timeout_s)) as own:
            return measure(
                original,
                candidate,
                harness,
                budget_s=budget_s,
                seed=seed,
                timeout_s=timeout_s,
                threads=threads,
                session=own,
            )
    return measure_pair(session, original, candidate, budget_s, wall_s=timeout_s, threads=threads)
