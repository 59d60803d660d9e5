"""What a verification costs once its worker is warm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bench.records import Record
from bench.statistics import median
from semrep.passes.contract import BITWISE, WITHIN_TOLERANCE
from semrep.runtime import Harness, discover
from semrep.verify import Equivalent, Verifier

SUITE = "trust"
_ROUNDS = {True: 3, False: 15}

# original's body, candidate's body, inputs
PAIRS = (
    ("torch.relu(x) * w", "x.clamp(min=0) * w", "(f32(32, 64), f32(64))"),
    ("torch.softmax(x, -1)", "x.softmax(dim=-1)", "(f32(32, 64),)"),
    ("(x * w).sum(-1)", "torch.sum(x * w, dim=-1)", "(f32(32, 64), f32(64))"),
    ("x @ w", "torch.matmul(x, w)", "(f32(16, 32), f32(32, 8))"),
)
_SUMS = ("(x * w).sum(-1)", "torch.einsum('...i,i->...', x, w)", "(f32(32, 64), f32(64))")


def source(body: str, inputs: str) -> bytes:
    names = "x, w" if inputs.count("f32") == 2 else "x"
    return f"import torch\n\n\ndef f({names}):\n    return {body}\n".encode()


def run(quick: bool, seed: int, say: Callable[[str], None]) -> Iterator[Record]:
    """Milliseconds for one more candidate (`warm_verify_ms`), for one that a float64 reference
    decides, and for a new pair in a process that has verified before."""
    say("latency of a warm verification")
    more = [t for pair in PAIRS for t in candidates(*pair, _ROUNDS[quick], seed)]
    yield _record("warm_verify_ms", more, "one more candidate, bitwise, in a fresh process")
    decided = list(candidates(*_SUMS, _ROUNDS[quick], seed, reassociates=True))
    yield _record(
        "warm_verify_reference_ms", decided, "one more candidate, decided by float64 references"
    )
    whole = [pair_ms(*pair, seed) for _ in range(_ROUNDS[quick]) for pair in PAIRS]
    yield _record("warm_verify_pair_ms", whole, "a new original and a candidate, worker warm")


def candidates(
    before: str, after: str, inputs: str, rounds: int, seed: int, reassociates: bool = False
) -> Iterator[float]:
    """Milliseconds of checks after the first, each of another text."""
    original = source(before, inputs)
    contract = WITHIN_TOLERANCE.assuming("ranks") if reassociates else BITWISE
    with _verifier(original, inputs, seed) as verifier:
        for number in range(rounds + 1):
            text = source(after, inputs) + f"\n# {number}\n".encode()
            started = time.perf_counter()
            verdict = verifier.check(text, contract)
            elapsed = time.perf_counter() - started
            assert isinstance(verdict, Equivalent), str(verdict)
            if number:
                yield elapsed * 1e3


def pair_ms(before: str, after: str, inputs: str, seed: int) -> float:
    started = time.perf_counter()
    with _verifier(source(before, inputs), inputs, seed) as verifier:
        verdict = verifier.check(source(after, inputs))
    assert isinstance(verdict, Equivalent), str(verdict)
    return (time.perf_counter() - started) * 1e3


def _verifier(original: bytes, inputs: str, seed: int) -> Verifier:
    harness = discover(original, entry="f", inputs=inputs)
    assert isinstance(harness, Harness), str(harness)
    return Verifier(original, harness, seed=seed)


def _record(name: str, times: list[float], note: str) -> Record:
    found = median(times)
    return Record(SUITE, name, found.value, "ms", len(times), found.low, found.high, note=note)
