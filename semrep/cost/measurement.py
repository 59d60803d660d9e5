"""Measured cost: wall-clock times of both sources in the same kind of worker."""

from __future__ import annotations

import os

from semrep.runtime.harness import Harness
from semrep.runtime.limits import Limits
from semrep.runtime.measurement import Measurement
from semrep.runtime.session import Session
from semrep.runtime.worker import Failed

__all__ = ["Measurement", "NotMeasured", "measure"]


class NotMeasured(Exception):
    """No times could be taken; the message says why."""


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
    done = session.run(
        "semrep.runtime.timing:sample_pairs",
        original,
        candidate,
        harness,
        seed,
        budget_s,
        wall_s=timeout_s + budget_s,
        threads=threads or len(os.sched_getaffinity(0)),
    )
    if isinstance(done, Failed):
        raise NotMeasured(done.reason)
    if "error" in done.value:
        raise NotMeasured(done.value["error"])
    return Measurement(
        samples_original=tuple(done.value["original"]),
        samples_candidate=tuple(done.value["candidate"]),
        warmup=done.value["warmup"],
        inner=done.value["inner"],
        device=harness.device,
        seed=seed,
    )
