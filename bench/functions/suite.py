"""`python -m bench functions`: function after function, until there are enough of each kind."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench import journal
from bench.child import Row, ask
from bench.environment import version_of
from bench.functions.candidates import Candidate, candidates
from bench.records import Record
from bench.statistics import Interval, bootstrap
from bench.trust.program import JAX, NUMPY

SUITE = "functions"
KINDS = (JAX, NUMPY)
_WORKER = "bench.functions.worker"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """wanted: functions of each kind. budget_s: of a search, by kind. limit_s: how much longer
    than that a process may take in all. begin_s: no function is begun after so many."""

    wanted: int
    budget_s: Mapping[str, float]
    timing_s: float
    limit_s: float
    begin_s: float = math.inf


# A few more than the bar asks for. JAX compiles each operation for each shape, which is most of
# what a search spends.
_FULL = Plan(105, {JAX: 60.0, NUMPY: 20.0}, 2.0, 120.0)
_QUICK = Plan(2, {JAX: 15.0, NUMPY: 3.0}, 0.5, 8.0, begin_s=30.0)


def run(
    quick: bool, seed: int, say: Say, resume: str | None = None, only: Sequence[str] = ()
) -> Iterator[Record]:
    """quick: a few functions with a small budget. resume: a file of rows, read first and added
    to. only: functions with one of these in their names, all of them."""
    chosen = {kind: candidates(kind, seed) for kind in KINDS}
    plan = _QUICK if quick else _FULL
    if only:
        chosen = {
            kind: [c for c in found if any(part in c.name for part in only)]
            for kind, found in chosen.items()
        }
        plan = replace(plan, wanted=max(map(len, chosen.values())))
    file = Path(resume) if resume and not quick else None
    yield from records(list(_rows(chosen, plan, seed, file, say)), seed)


def is_whole(given: Mapping[str, Any], found: Sequence[Record]) -> bool:
    """Whether these are figures of the suite: what was named, or cut short, is not stored."""
    counts = {r.name: r.value for r in found}
    return not given.get("only") and all(counts[f"functions_{k}"] >= _FULL.wanted for k in KINDS)


def _rows(
    chosen: Mapping[str, Sequence[Candidate]], plan: Plan, seed: int, file: Path | None, say: Say
) -> Iterator[Row]:
    """Rows of as many functions of each kind as are wanted, the kinds in turns, and of the
    candidates that turned out to be none. Ends early, and without an error, on Ctrl-C."""
    known = {row["name"]: row for row in journal.read(file) if row["seed"] == seed}
    waiting = {kind: iter(found) for kind, found in chosen.items()}
    counts = dict.fromkeys(chosen, 0)
    started = time.monotonic()
    while waiting and time.monotonic() - started < plan.begin_s:
        # The kind of which there are fewest, so that a run cut short has both.
        kind = min(waiting, key=counts.__getitem__)
        candidate = next(waiting[kind], None) if counts[kind] < plan.wanted else None
        if candidate is None:
            del waiting[kind]
            continue
        row = known.get(candidate.name)
        if row is None:
            try:
                row = _row(candidate, plan, seed)
            except KeyboardInterrupt:
                say("interrupted")
                return
            journal.add(file, row)
        counts[kind] += not row.get("skipped")
        so_far = ", ".join(f"{k} {n}/{plan.wanted}" for k, n in counts.items())
        say(f"[{so_far}] {told(row)}")
        yield row


def _row(candidate: Candidate, plan: Plan, seed: int) -> Row:
    """skipped: why it does not count as a function; cut: what ended its process early."""
    budget_s = plan.budget_s[candidate.kind]
    job = {**asdict(candidate), "budget_s": budget_s, "timing_s": plan.timing_s, "seed": seed}
    found, cut = ask(_WORKER, job, budget_s + plan.limit_s)
    package = candidate.name.partition(".")[0]
    row: Row = {
        "name": candidate.name, "kind": candidate.kind, "seed": seed,
        "package": f"{package} {version_of(package)}", **found,
    }  # fmt: skip
    if cut:
        row["cut"] = cut
        if "status" not in row:
            row.setdefault("skipped", cut)
    return row


def told(row: Row) -> str:
    """The row in a few words; a difference in full."""
    if row.get("skipped"):
        return f"{row['name']}: left out, {row['skipped']}"
    words = f"{row['name']}{row['inputs']}: {row['status']}"
    if not row.get("changed"):
        return f"{words}, {str(row.get('reason') or row.get('crash'))[:100]}"
    words += f" {'+'.join(row['passes'])}"
    if "speedup" in row:
        words += f" {row['speedup'][0]:.2f}x"
    if row.get("difference"):
        words += f"\nWRONG {row['difference']}\n{row['original']}\nbecame\n{row['source']}"
    return words + (f", {row['cut']}" if row.get("cut") else "")


def records(rows: Sequence[Row], seed: int) -> Iterator[Record]:
    tried = [row for row in rows if not row.get("skipped")]
    changed = [row for row in tried if row.get("changed")]
    yield _wrong(changed)
    for kind in KINDS:
        yield _count_of(kind, [row for row in rows if row["kind"] == kind])
    yield _refusals([row for row in tried if not row.get("changed")])
    yield _fired(tried, changed)
    if tried:
        yield _speedup(tried, seed)


def _wrong(changed: Sequence[Row]) -> Record:
    checked = [row for row in changed if "difference" in row]
    wrong = [f"{r['name']}: {r['difference']}" for r in checked if r["difference"]]
    unchecked = [r["name"] for r in changed if "difference" not in r]
    note = "; ".join(wrong) or "none"
    note += f". Not checked to the end: {', '.join(unchecked)}" if unchecked else ""
    return Record(SUITE, "wrong", len(wrong), "rewritten functions", len(checked), note=note)


def _count_of(kind: str, rows: Sequence[Row]) -> Record:
    """Those with arguments and time for a search, whatever came of it."""
    answered = [row for row in rows if not row.get("skipped")]
    left_out = Counter(row["skipped"].partition(":")[0] for row in rows if row.get("skipped"))
    packages = Counter(row["package"] for row in answered)
    statuses = Counter(row["status"] for row in answered)
    note = ", ".join(f"{name}: {n}" for name, n in packages.most_common())
    note += "; " + ", ".join(f"{status}: {n}" for status, n in statuses.most_common())
    if left_out:
        note += "; left out: " + ", ".join(f"{why}: {n}" for why, n in left_out.most_common())
    return Record(SUITE, f"functions_{kind}", len(answered), "functions", len(rows), note=note)


def _refusals(unchanged: Sequence[Row]) -> Record:
    silent = [
        f"{row['name']}: {row.get('crash', row['status'])}"
        for row in unchanged
        if not row.get("reason")
    ]
    return Record(
        SUITE, "refusals_without_reason", len(silent), "functions", len(unchanged),
        note="; ".join(silent) or "none",
    )  # fmt: skip


def _fired(tried: Sequence[Row], changed: Sequence[Row]) -> Record:
    passes = Counter(name.partition("{")[0] for row in changed for name in row["passes"])
    listed = ", ".join(f"{name} {n}" for name, n in passes.most_common()) or "none"
    note = f"passes: {listed}"
    return Record(SUITE, "rewritten", len(changed), "functions", len(tried), note=note)


def _speedup(tried: Sequence[Row], seed: int) -> Record:
    """Of all functions: what was left alone counts as 1."""
    values = [row["speedup"][0] if row.get("speedup") else 1.0 for row in tried]
    mean = bootstrap([math.log(v) for v in values], statistics.fmean, seed)
    interval = Interval(*(math.exp(v) for v in mean))
    faster = sorted((row["speedup"][0], row["name"]) for row in tried if row.get("speedup"))
    listed = ", ".join(f"{name.rpartition('.')[2]} {v:.3g}" for v, name in reversed(faster))
    return Record(
        SUITE, "speedup", interval.value, "times as fast, geometric mean", len(values),
        interval.low, interval.high,
        note=f"median {statistics.median(values):.3g}; "
        f"{sum(row['speedup'][1] > 1 for row in tried if row.get('speedup'))} with the whole "
        f"interval above 1, {sum(row['speedup'][2] < 1 for row in tried if row.get('speedup'))} "
        f"below; what was left alone counts as 1; rewritten: {listed or 'none'}",
    )  # fmt: skip
