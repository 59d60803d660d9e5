"""Times two sources against one another: the parent's side of `timing`."""

from __future__ import annotations

import os

from semrep.runtime.agreement import roughly_equal
from semrep.runtime.measurement import Measurement
from semrep.runtime.session import Session
from semrep.runtime.worker import Failed


class NotMeasured(Exception):
    """No times could be taken that mean anything; the message says why."""


def measure_pair(
    session: Session,
    original: bytes,
    candidate: bytes,
    budget_s: float,
    *,
    wall_s: float,
    threads: int | None = None,
) -> Measurement:
    """Times both on the harness's first example, in interleaved pairs, for budget_s seconds.

    threads: of the array library; None takes what its user gets, one for each processor.
    Raises NotMeasured, also where what was timed did not compute what the original computes, or
    not every time: a program that is another one under the clock has no time.
    """
    done = session.run(
        "semrep.runtime.timing:sample_pairs",
        original,
        candidate,
        session.harness,
        session.seed,
        budget_s,
        wall_s=wall_s + budget_s,
        threads=threads or len(os.sched_getaffinity(0)),
    )
    if isinstance(done, Failed):
        raise NotMeasured(done.reason)
    if "error" in done.value:
        raise NotMeasured(done.value["error"])
    before, after = done.value["results"]
    if not roughly_equal(before, after):
        raise NotMeasured("what was timed gave another result than the original")
    steady = len(set(done.value["digests"][0])) == 1
    if steady and len(set(done.value["digests"][1])) > 1:
        raise NotMeasured("the candidate's results change while it is timed")
    return Measurement(
        samples_original=tuple(done.value["original"]),
        samples_candidate=tuple(done.value["candidate"]),
        warmup=done.value["warmup"],
        inner=done.value["inner"],
        device=session.harness.device,
        seed=session.seed,
    )
