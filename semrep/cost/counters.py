"""What Triton kernels ask of the memory and the arithmetic units, counted in the interpreter."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from semrep.runtime.harness import Harness
from semrep.runtime.limits import Limits
from semrep.runtime.session import Session
from semrep.runtime.subject import Subject, fresh, prepare, seed_everything
from semrep.runtime.worker import Failed


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals over all launches of one call.

    bytes_loaded, bytes_stored, bytes_atomic: asked for by lanes that are not masked off.
    sectors: 32-byte sectors, summed over warps of 32 lanes laid along the closest addresses.
    unique_bytes: distinct bytes touched, all launches together. arithmetic, special: elements
    through additions, products, comparisons of floats; through exp, log, roots, divisions.
    dot_flops: multiply-adds of tl.dot, times two. programs: program instances; launches.
    """

    bytes_loaded: int = 0
    bytes_stored: int = 0
    bytes_atomic: int = 0
    sectors: int = 0
    unique_bytes: int = 0
    arithmetic: int = 0
    special: int = 0
    dot_flops: int = 0
    reductions: int = 0
    atomics: int = 0
    programs: int = 0
    launches: int = 0

    @property
    def bytes_asked(self) -> int:
        return self.bytes_loaded + self.bytes_stored + self.bytes_atomic

    def __str__(self) -> str:
        return (
            f"{self.bytes_asked} bytes asked, {self.sectors} sectors, "
            f"{self.unique_bytes} unique; {self.arithmetic} arithmetic, {self.special} special, "
            f"{self.dot_flops} dot flops; {self.atomics} atomics; "
            f"{self.programs} programs in {self.launches} launches"
        )

    def to_json(self) -> dict[str, int]:
        return dataclasses.asdict(self)


class NotCounted(Exception):
    """The source could not be run in the interpreter, or launched no kernel; says why."""


def count(
    source: bytes,
    harness: Harness,
    *,
    seed: int = 0,
    timeout_s: float = 120.0,
    session: Session | None = None,
) -> Counters:
    """Runs one call of the harness's first example in the interpreter and counts.

    session: a warm one to use, of this source or of another one that imports the same
    libraries. Raises NotCounted.
    """
    if session is None:
        with Session(source, harness, seed=seed, limits=Limits(wall_s=timeout_s)) as own:
            return count(source, harness, seed=seed, timeout_s=timeout_s, session=own)
    done = session.run("semrep.cost.counters:count_call", source, harness, seed, wall_s=timeout_s)
    if isinstance(done, Failed):
        raise NotCounted(done.reason)
    if "error" in done.value:
        raise NotCounted(done.value["error"])
    counters = Counters(**done.value)
    if not counters.launches:
        raise NotCounted("the call launched no Triton kernel")
    return counters


def count_call(source: bytes, harness: Harness, seed: int) -> dict[str, Any]:
    """Runs in a worker's child."""
    prepare(harness, source)
    if not (harness.triton and harness.device == "cpu"):
        return {"error": "the source launches no Triton kernel on the CPU"}
    from semrep.runtime.triton.counters import counting

    try:
        subject = Subject.load(source, harness, "counted", seed)
        arguments = fresh(subject.examples(seed)[0])
        function = subject.bind(subject.instance(seed))
        seed_everything(seed)
        with counting() as counts:
            function(*arguments.positional, **arguments.named)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:500]}"}
    return dict(counts)
