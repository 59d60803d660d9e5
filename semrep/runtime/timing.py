"""Takes interleaved timing samples. Runs inside a worker's child."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from hashlib import blake2b
from time import perf_counter
from typing import Any

from semrep.runtime.arrays import array_leaves, capture_array
from semrep.runtime.capture import Capture
from semrep.runtime.harness import Harness
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import Subject, fresh, prepare, seed_everything

# A sample shorter than this is mostly the clock and the call.
SHORTEST_SAMPLE_S = 2e-4
MOST_PAIRS = 400
WARMUP = 3
MOST_DIGESTS = 32


def sample_pairs(
    source: bytes, candidate: bytes, harness: Harness, seed: int, budget_s: float
) -> dict[str, Any]:
    """Samples of both sources on the harness's first example, as lists of seconds per call.

    Pairs are taken A B or B A at random until the budget is spent. Where one call outlasts the
    shortest sample, every call gets fresh arguments, made outside the clock; below that, calls
    repeat on the same ones. results: of the last timed call of each, captured; digests: of
    the results of some of the timed calls, one at least. {"error": ...} where either fails.
    """
    prepare(harness, source + candidate)
    try:
        calls = [
            _Call(Subject.load(text, harness, label, seed), seed, index == 0)
            for index, (text, label) in enumerate(((source, "original"), (candidate, "candidate")))
        ]
        # Both are timed on the arguments of the original's harness.
        calls[1].example = calls[0].example
        once = [call.timed(1) for call in calls for _ in range(1)]
        for call in calls:
            for _ in range(WARMUP - 1):
                call.timed(1)
        once = [min(call.timed(1) for _ in range(2)) for call in calls]
        inner = max(1, min(10_000, int(SHORTEST_SAMPLE_S / max(min(once), 1e-9))))
        generator = random.Random(seed)
        samples: tuple[list[float], list[float]] = ([], [])
        digests: tuple[list[str], list[str]] = ([], [])
        deadline = perf_counter() + budget_s
        while len(samples[0]) < MOST_PAIRS and (perf_counter() < deadline or len(samples[0]) < 2):
            order = [0, 1] if generator.random() < 0.5 else [1, 0]
            taken = {which: calls[which].timed(inner) for which in order}
            is_looked_at = len(digests[0]) < MOST_DIGESTS and generator.random() < 0.5
            for which in (0, 1):
                samples[which].append(taken[which])
                if is_looked_at:
                    digests[which].append(calls[which].digest())
        results = [Capture()(call.result) for call in calls]
        for which in (0, 1):
            digests[which].append(calls[which].digest())
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:500]}"}
    return {
        "original": samples[0],
        "candidate": samples[1],
        "results": results,
        "digests": [list(found) for found in digests],
        "inner": inner,
        "warmup": WARMUP + 2,
    }


class _Call:
    def __init__(self, subject: Subject, seed: int, makes_arguments: bool) -> None:
        self.seed = seed
        self.result: Any = None
        self.example: Arguments = subject.examples(seed)[0] if makes_arguments else Arguments()
        self.function: Callable[..., Any] = subject.bind(subject.instance(seed))
        self.wait = _waiter(subject.harness)

    def timed(self, inner: int) -> float:
        """Seconds per call over `inner` calls, without making the arguments."""
        arguments = fresh(self.example)
        positional, named = arguments.positional, dict(arguments.named)
        function = self.function
        seed_everything(self.seed)
        self.wait()
        started = perf_counter()
        for _ in range(inner):
            result = function(*positional, **named)
        _finish(result)
        self.wait()
        seconds = (perf_counter() - started) / inner
        self.result = result
        return seconds

    def digest(self) -> str:
        """Of all arrays in the last result."""
        hasher = blake2b(digest_size=16)
        for _, array in array_leaves(self.result):
            record = capture_array(array)
            hasher.update(b"" if record is None else record.data)
        return hasher.hexdigest()


def _waiter(harness: Harness) -> Callable[[], None]:
    if harness.device != "cpu" and harness.framework == "torch":
        torch = sys.modules["torch"]
        return lambda: torch.cuda.synchronize()
    return lambda: None


def _finish(result: Any) -> None:
    """Waits for results that arrive later (jax dispatches ahead)."""
    jax = sys.modules.get("jax")
    if jax is not None:
        jax.block_until_ready(result)
