"""`python -m bench trust`: all parts, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.records import Record
from bench.trust import (
    containment,
    durability,
    exploits,
    latency,
    mutants,
    pass_faults,
    sources,
    trivial,
)

Say = Callable[[str], None]
# A few small programs of ours: the sample that a minute has room for.
_QUICK_PROGRAMS = "numpy_softmax,torch_layer_norm,add_vectors"

PARTS = (
    "latency", "exploits", "containment", "durability", "sources", "trivial", "pass_faults",
    "mutants",
)  # fmt: skip


def run(
    quick: bool,
    seed: int,
    say: Say,
    *,
    parts: Sequence[str] = PARTS,
    root: str | None = None,
    cache: str | None = None,
    resume: str | None = None,
) -> Iterator[Record]:
    """root: KernelBench's folder with level1 and so on. cache: a folder with checkouts of
    gpuemu's corpus and Triton's tutorials. resume: a file of rows of the mutants."""

    def of_mutants(quick: bool, seed: int, say: Say) -> Iterator[Record]:
        only = _QUICK_PROGRAMS if quick else None
        yield from mutants.run(quick, seed, say, only=only, root=root, cache=cache, resume=resume)

    def of_trivial(quick: bool, seed: int, say: Say) -> Iterator[Record]:
        yield from trivial.run(quick, seed, say, root)

    runners: dict[str, Callable[[bool, int, Say], Iterator[Record]]] = {
        "latency": latency.run,
        "exploits": exploits.run,
        "containment": containment.run,
        "durability": durability.run,
        "sources": sources.run,
        "trivial": of_trivial,
        "pass_faults": pass_faults.run,
        "mutants": of_mutants,
    }
    for name in parts:
        say(f"trust: {name}")
        yield from runners[name](quick, seed, say)
