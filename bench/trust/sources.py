"""Hostile sources: no file may crash the front end, hang it, or come out as what it is not.

    python -m bench.trust.sources --help

Each text goes through `semrep.apply_passes(..., verify=False)` in two processes with different
hash seeds, under limits of time and memory. A failure is an exception, a hang, a death, a result
that Python no longer compiles where it compiled the original, bytes changed in a file said to be
unchanged or outside the declared edits, or another result in the other process.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.records import Record, table
from bench.trust.reduce import reduced
from bench.trust.source_check import Source
from bench.trust.source_generator import Pool, generate
from bench.trust.source_worker import verdict

SUITE = "trust"
FULL, QUICK = 10_000, 150
_ROOT = Path(__file__).parent.parent.parent
_REDUCED = 12
_DIFFERS = "two processes give different results"


@dataclass(frozen=True, slots=True)
class Failure:
    """number, source: which one. smallest: a text that fails in the same way."""

    number: int
    source: Source
    wrong: str
    smallest: bytes

    def __str__(self) -> str:
        shown = repr(self.smallest[:300])
        return f"#{self.number} ({self.source.origin}): {self.wrong}: {shown}"


def run(
    quick: bool, seed: int, say: Callable[[str], None], count: int | None = None
) -> Iterator[Record]:
    """quick: few sources, none of them from installed packages."""
    count = count or (QUICK if quick else FULL)
    pool = Pool(small=quick)
    accepted = steps = changed = 0
    failures: list[Failure] = []
    for number, (one, other) in enumerate(_answers(seed, count, quick)):
        accepted += one["accepted"]
        steps += one["steps"]
        changed += one["steps"] > 0
        wrong = one["wrong"] or other["wrong"]
        if wrong is None and one["digest"] != other["digest"]:
            wrong = _DIFFERS
        if wrong is not None:
            source = generate(seed, number, pool)
            smallest = _reduced(source, wrong) if len(failures) < _REDUCED else source.data
            failures.append(Failure(number, source, wrong, smallest))
            say(f"FAILED {failures[-1]}")
        if number % 500 == 499:
            say(f"{number + 1} of {count} sources, {len(failures)} failures")
    note = "; ".join(map(str, failures[:20])) or "none"
    yield Record(SUITE, "hostile_source_failures", len(failures), "sources", count, note=note)
    note = f"Python compiles {accepted} of them; {steps} rewrites in {changed} of them"
    yield Record(SUITE, "hostile_sources_rewritten", changed, "sources", count, note=note)


def _answers(seed: int, count: int, small: bool) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What each of two processes finds, source by source."""
    workers = [_Worker(seed, count, small, hash_seed) for hash_seed in (0, 1)]
    try:
        for _ in range(count):
            yield workers[0].answer(), workers[1].answer()
    finally:
        for worker in workers:
            worker.close()


class _Worker:
    """A process that checks all sources, read from a thread so that it need not wait."""

    def __init__(self, seed: int, count: int, small: bool, hash_seed: int) -> None:
        words = [str(seed), str(count), "small" if small else "all"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.trust.source_worker", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=_ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        )  # fmt: skip
        self._answers: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._answers.put(line)
        self._answers.put(b"")

    def answer(self) -> dict[str, Any]:
        line = self._answers.get()
        if not line:
            raise RuntimeError("the process that checks sources ended too soon")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def _reduced(source: Source, wrong: str, seconds: float = 25.0) -> bytes:
    """The smallest text found that fails in the same way; the text itself where it fails only
    now and then, or only in another process."""
    kind = _kind(wrong)

    def fails(data: bytes) -> bool:
        found = verdict(replace(source, data=data))["wrong"]
        return found is not None and _kind(found) == kind

    return reduced(source.data, fails, seconds) if fails(source.data) else source.data


def _kind(wrong: str) -> str:
    return wrong.partition(":")[0]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.trust.sources",
        description="Put hostile files through the front end and the default passes.",
        epilog=f"Without --quick: {FULL} sources, about 20 minutes on two cores.",
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} sources")
    parser.add_argument("--count", type=int, metavar="N", help="this many sources")
    parser.add_argument("--seed", type=int, default=0, help="decides every source (default 0)")
    parser.add_argument("--show", type=int, metavar="NUMBER", help="print one source, and stop")
    given = parser.parse_args(arguments)
    if given.show is not None:
        source = generate(given.seed, given.show, Pool(small=given.quick))
        sys.stdout.buffer.write(source.data)
        return 0
    records = list(run(given.quick, given.seed, _say, given.count))
    print(table(records))
    for record in records:
        print(f"{record.name}: {record.note}")
    return int(records[0].value > 0)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
