"""Original and rewritten, eager and compiled, timed in turns in one process."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from bench.kernelbench.subjects import copied, inputs_of, model_of, namespace
from bench.outcomes import Timeout, deadline
from bench.statistics import Interval, bootstrap

# A sample shorter than this is repeated: clocks and calls would be what is measured.
_LEAST_SAMPLE_S = 0.002
_LEAST_ROUNDS, _MOST_ROUNDS = 7, 200
ORIGINAL, REWRITTEN = "original", "rewritten"


@dataclass(frozen=True, slots=True)
class Timed:
    """seconds: of one forward, by variant ("original eager", "rewritten inductor"), one sample
    a round, in the order of the rounds. notes: what failed. compile_s: by text."""

    seconds: Mapping[str, Sequence[float]]
    notes: tuple[str, ...] = ()
    compile_s: Mapping[str, float] = field(default_factory=dict)

    def median(self, variant: str) -> float:
        return statistics.median(self.seconds[variant])

    def best(self, text: str) -> str:
        """The faster variant of "original" or "rewritten"."""
        return min((v for v in self.seconds if v.startswith(text)), key=self.median)

    def speedup(self, over: str | None = None, seed: int = 0) -> Interval:
        """Best original (or that variant) over best rewritten: ratio of medians, resampled by
        rounds."""
        slow = self.seconds[over or self.best(ORIGINAL)]
        fast = self.seconds[self.best(REWRITTEN)]
        return bootstrap(
            list(zip(slow, fast, strict=True)),
            lambda pairs: (
                statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)
            ),
            seed,
        )


@torch.no_grad()
def time_both(
    original: str, rewritten: str, *, seconds: float, compile_s: float, seed: int = 0
) -> Timed:
    """seconds: to spend on samples. compile_s: limit for compiling each text; at 0 nothing is
    compiled. Raises what the texts raise when run eagerly."""
    callables: dict[str, Callable[[], Any]] = {}
    notes, spent = [], {}
    for text, source in ((ORIGINAL, original), (REWRITTEN, rewritten)):
        space = namespace(source, text)
        model, inputs = model_of(space, seed), inputs_of(space, seed)
        eager = _bound(model, inputs)
        eager()
        callables[f"{text} eager"] = eager
        if not compile_s:
            continue
        started = time.perf_counter()
        try:
            with deadline(compile_s):
                compiled = _bound(torch.compile(model), [copied(x) for x in inputs])
                compiled()
                compiled()
        except Timeout:
            notes.append(f"{text}: inductor took more than {compile_s:g} s")
        except Exception as error:
            notes.append(f"{text}: inductor: {type(error).__name__}: {str(error)[:200]}")
        else:
            callables[f"{text} inductor"] = compiled
        spent[text] = time.perf_counter() - started
    return Timed(interleaved(callables, seconds, seed), tuple(notes), spent)


def interleaved(
    callables: Mapping[str, Callable[[], Any]], seconds: float, seed: int = 0
) -> dict[str, list[float]]:
    """Seconds of one call each, sampled in rounds of random order until the time is used up."""
    repeats = {}
    for name, call in callables.items():
        call()
        once = min(_sample(call, 1) for _ in range(2))
        repeats[name] = max(1, min(1000, int(_LEAST_SAMPLE_S / max(once, 1e-7)) + 1))
    rng = random.Random(seed)
    found: dict[str, list[float]] = {name: [] for name in callables}
    order = list(callables)
    deadline = time.perf_counter() + seconds
    for number in range(_MOST_ROUNDS):
        if number >= _LEAST_ROUNDS and time.perf_counter() > deadline:
            break
        rng.shuffle(order)
        for name in order:
            found[name].append(_sample(callables[name], repeats[name]))
    return found


def _sample(call: Callable[[], Any], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def _bound(model: Any, inputs: Sequence[Any]) -> Callable[[], Any]:
    return lambda: model(*inputs)
