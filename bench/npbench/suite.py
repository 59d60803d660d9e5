"""Runs the kernels, each in a process that can be killed, and makes records of the rows."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import journal
from bench.npbench.kernels import Kernel, default_root, kernels
from bench.records import Record
from bench.statistics import bootstrap

SUITE = "npbench"
_SEARCH_S, _LIMIT_S = 45, 240
_QUICK = ("syrk", "trmm")
Row = dict[str, Any]


def run(
    quick: bool,
    seed: int,
    say: Callable[[str], None],
    root: str | None = None,
    resume: str | None = None,
    only: Sequence[str] = (),
) -> Iterator[Record]:
    """quick: two kernels with a small budget. resume: JSON lines, read first and added to."""
    folder = Path(root) if root else default_root()
    if folder is None:
        raise SystemExit("npbench needs --root DIR, a checkout of NPBench (or $NPBENCH_ROOT)")
    chosen = kernels(folder)
    if only:
        chosen = [k for k in chosen if any(part in k.name for part in only)]
    if quick:
        chosen = [k for k in chosen if k.name in _QUICK] or chosen[:2]
    file = Path(resume) if resume else None
    known = {row["name"]: row for row in journal.read(file)}
    rows: list[Row] = []
    for kernel in chosen:
        row = known.get(kernel.name)
        if row is None:
            row = _row(folder, kernel, 5 if quick else _SEARCH_S, 28 if quick else _LIMIT_S, seed)
            journal.add(file, row)
        say(told(row))
        rows.append(row)
    yield from records(rows, seed)


def _row(root: Path, kernel: Kernel, search_s: int, limit_s: int, seed: int) -> Row:
    command = [sys.executable, "-m", "bench.npbench.worker", str(root), kernel.name]
    command += [str(search_s), str(seed)]
    environment = {**os.environ, "SEMREP_STORE": ":memory:", "JAX_PLATFORMS": "cpu"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"name": kernel.name, "error": f"not done in {limit_s} s"}
    try:
        found: Row = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"name": kernel.name, "error": last[:200]}
    return found


def told(row: Row) -> str:
    if "error" in row:
        return f"{row['name']}: {row['error']}"
    parts = [f"{row['name']}: {row['call_ms']:.1f} ms, {row['status']}"]
    for tool in ("semrep", "numba", "jax"):
        if (found := row.get(f"{tool}_over_numpy")) is not None:
            parts.append(f"{tool} {found[0]:.2f}x")
    if row.get("passes"):
        counted = Counter(p.partition("{")[0] for p in row["passes"])
        parts.append(" ".join(f"{n}*{c}" if c > 1 else n for n, c in counted.items()))
    if row.get("wrong"):
        parts.append(f"WRONG {row['wrong']}")
    return ", ".join(parts)


def records(rows: Sequence[Row], seed: int) -> Iterator[Record]:
    done = [row for row in rows if "error" not in row]
    failed = [f"{row['name']}: {row['error']}" for row in rows if "error" in row]
    wrong = [f"{r['name']}: {r['wrong']}" for r in done if r.get("verified") and r.get("wrong")]
    yield Record(SUITE, "wrong", len(wrong), "kernels", len(done), note="; ".join(wrong))
    note = "; ".join(failed)
    yield Record(SUITE, "kernels_done", len(done), "kernels", len(rows), note=note)
    if not done:
        return
    ours = [_speedup(row, "semrep") or 1.0 for row in done]
    interval = bootstrap(ours, _geometric, seed)
    peers = {}
    for peer in ("numba", "jax"):
        theirs = [s for row in done if (s := _speedup(row, peer)) is not None]
        if theirs:
            peers[f"{peer} (n={len(theirs)})"] = _geometric(theirs)
    gained = sorted(
        ((s, row["name"]) for s, row in zip(ours, done, strict=True) if s > 1.05), reverse=True
    )
    spread = statistics.quantiles(ours, n=10) if len(ours) > 1 else ours
    note = (
        f"median {statistics.median(ours):.3g}, highest tenth from {spread[-1]:.3g}; "
        f"{len(gained)} of {len(ours)} above 1.05: "
        + ", ".join(f"{name} {s:.3g}" for s, name in gained)
    )
    yield Record(
        SUITE, "speedup_over_numpy", interval.value, "times as fast, geometric mean", len(ours),
        interval.low, interval.high, peers, note,
    )  # fmt: skip
    both = [
        (_speedup(row, "semrep") or 1.0, theirs)
        for row in done
        if (theirs := _speedup(row, "numba")) is not None
    ]
    if both:
        reached = [float(a >= 0.95 * b) for a, b in both]
        share = bootstrap(reached, lambda s: sum(s) / len(s), seed)
        yield Record(
            SUITE, "share_at_least_numba", share.value, "of the kernels that Numba runs",
            len(both), share.low, share.high, note="at least 0.95 of Numba's speed counts",
        )  # fmt: skip
    else:
        why = "its versions failed" if importlib.util.find_spec("numba") else "it is not installed"
        yield Record(
            SUITE, "share_at_least_numba", 0.0, "of the kernels that Numba runs", 0,
            note=f"no kernel was run with Numba: {why}",
        )  # fmt: skip


def _speedup(row: Row, tool: str) -> float | None:
    found = row.get(f"{tool}_over_numpy")
    return float(found[0]) if found is not None else None


def _geometric(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))
