"""Suite `main`: what a user gets for each file of examples/, and how long it takes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.records import Record

SUITE = "main"
EXAMPLES = Path(__file__).parent.parent / "examples"
_LIMIT_S = 400


def run(quick: bool, seed: int, say: Callable[[str], None]) -> Iterator[Record]:
    """quick: two examples, with a smaller budget."""
    examples = sorted(EXAMPLES.glob("*.py"))
    if quick:
        examples = sorted(random.Random(seed).sample(examples, min(2, len(examples))))
    verified, slowest, failures = 0, 0.0, []
    for path in examples:
        say(f"searching {path.name}")
        found, spent = _search(path, quick, seed)
        slowest = max(slowest, spent)
        if found.get("status") == "verified":
            verified += 1
        else:
            failures.append(f"{path.name}: {found.get('status')} ({found.get('note')})")
        yield _speedup(path.stem, found, spent)
    note = "; ".join(failures)
    yield Record(SUITE, "examples_verified", verified, "examples", len(examples), note=note)
    yield Record(SUITE, "examples_seconds_worst", slowest, "s", len(examples))


def _speedup(name: str, found: dict[str, Any], spent: float) -> Record:
    cost = found.get("cost") or {}
    note = f"{found.get('pipeline') or 'unchanged'}; {found.get('note')}; {spent:.0f} s"
    modelled = cost.get("kind") == "estimate"
    unit = "times as fast, modelled" if modelled else "times as fast, measured"
    return Record(
        SUITE, f"speedup_{name}", cost.get("ratio", 1.0), unit, cost.get("pairs", 1),
        None if modelled else cost.get("low"), None if modelled else cost.get("high"), note=note,
    )  # fmt: skip


def _search(path: Path, quick: bool, seed: int) -> tuple[dict[str, Any], float]:
    """What `python -m semrep.opt` says of a file, and the seconds that it took in all."""
    command = [sys.executable, "-m", "semrep.opt", f"examples/{path.name}", "--json"]
    command += ["--seed", str(seed), *(["--budget", "15s"] if quick else [])]
    started = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT_S, cwd=EXAMPLES.parent
        )
    except subprocess.TimeoutExpired:
        return {"status": "timeout", "note": f"not done in {_LIMIT_S} s"}, float(_LIMIT_S)
    spent = time.monotonic() - started
    try:
        return json.loads(done.stdout), spent
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"status": f"exit code {done.returncode}", "note": last}, spent
