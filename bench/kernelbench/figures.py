"""Figures from rows."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from bench.kernelbench.runner import Row
from bench.records import Record
from bench.statistics import Interval, bootstrap

SUITE = "kernelbench"
_CLEARLY = 1.2


def records(rows: Sequence[Row], seed: int = 0) -> Iterator[Record]:
    """All figures of the suite. Problems that did not run are in none but `problems_not_run`."""
    ran = [row for row in rows if not row.get("why")]
    yield _wrong(ran)
    yield _kernelbench_refuses(ran)
    if ran:
        yield _speedup("speedup_over_best_original", ran, "train", seed)
        proper = [row for row in ran if not row.get("degenerate")]
        if proper:
            yield _speedup("speedup_without_degenerate", proper, "train", seed)
        yield _speedup("speedup_in_eval_mode", ran, "eval", seed)
        for level in sorted({row["level"] for row in ran}):
            of_level = [row for row in ran if row["level"] == level]
            yield _speedup(f"level{level}_speedup", of_level, "train", seed)
    yield _count("problems_above_1_2", ran, lambda m: m["low"] > 1 and m["speedup"] > _CLEARLY)
    yield _count("slower", ran, lambda m: m["high"] < 1)
    yield _degenerate(ran)
    level2 = [row for row in ran if row["level"] == 2]
    if level2:
        yield _share("level2_rewritten_share", [_mode(r, "train")["fired"] for r in level2], seed)
        spent = [_mode(r, "train")["optimise_s"] for r in level2]
        middle = bootstrap(spent, statistics.median, seed)
        yield Record(
            SUITE, "level2_optimise_seconds", middle.value, "s, median", len(spent),
            middle.low, middle.high, note=f"at most {max(spent):.0f} s",
        )  # fmt: skip
    yield from _perturbed(ran, seed)
    yield _not_run(rows)


def _mode(row: Row, mode: str) -> dict[str, Any]:
    """What was found in a mode; where both modes are one, train's."""
    found = row.get(mode) or {}
    return (
        row["train"] if mode == "eval" and ("same_as" in found or "speedup" not in found) else found
    )


def _speedup(name: str, rows: Sequence[Row], mode: str, seed: int) -> Record:
    values = [_mode(row, mode).get("speedup", 1.0) for row in rows]
    mean = bootstrap([math.log(v) for v in values], statistics.fmean, seed)
    interval = Interval(*(math.exp(v) for v in mean))
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    bounds = (0.95, 1.05, 1.2, 2.0, 10.0)
    shares = Counter(sum(v > b for b in bounds) for v in values)
    labels = ("up to 0.95", "to 1.05", "to 1.2", "to 2", "to 10", "above 10")
    spread = ", ".join(f"{labels[i]}: {shares[i]}" for i in range(len(labels)) if shares[i])
    fired = sum(bool(_mode(row, mode).get("fired")) for row in rows)
    return Record(
        SUITE, name, interval.value, "times as fast, geometric mean", len(rows),
        interval.low, interval.high,
        note=f"median {statistics.median(values):.3g}, quartiles {quartiles[0]:.3g} and "
        f"{quartiles[2]:.3g}; {spread}; {fired} rewritten, the others count as 1; {mode} mode, "
        "best of eager and inductor over the same",
    )  # fmt: skip


def _wrong(rows: Sequence[Row]) -> Record:
    found, tried = [], 0
    for row in rows:
        for mode in ("train", "eval"):
            check = row.get(mode, {}).get("check")
            if check is None:
                continue
            tried += 1
            if check["wrong"]:
                found.append(
                    f"{row['problem']} ({mode}): {check['rewritten_error']:.2g} of the scale, "
                    f"original {check['original_error']:.2g}, {check['where']}"
                )
    return Record(
        SUITE, "wrong", len(found), "rewritten problems", tried,
        note="; ".join(found) or "none: against float64, on seven draws each",
    )  # fmt: skip


def _kernelbench_refuses(rows: Sequence[Row]) -> Record:
    found, tried = [], 0
    for row in rows:
        check = row.get("train", {}).get("check")
        if check is None:
            continue
        tried += 1
        if not check["kernelbench"] and not check["wrong"]:
            found.append(
                f"{row['problem']}: {check['excess']:.3g} times its bound, against "
                f"{check['reference']} {check['rewritten_error']:.2g} of the scale and the "
                f"original {check['original_error']:.2g}"
            )
    return Record(
        SUITE, "right_but_refused_by_kernelbench", len(found), "rewritten problems", tried,
        note="; ".join(found) or "none",
    )  # fmt: skip


def _count(name: str, rows: Sequence[Row], holds: Any) -> Record:
    found = [r for r in rows if "low" in r["train"] and holds(r["train"])]
    found.sort(key=lambda r: -r["train"]["speedup"])
    listed = "; ".join(f"{r['problem']} {r['train']['speedup']:.3g}" for r in found)
    return Record(SUITE, name, len(found), "problems", len(rows), note=listed or "none")


def _degenerate(rows: Sequence[Row]) -> Record:
    found = [r for r in rows if r.get("degenerate")]
    listed = "; ".join(
        f"{r['problem']}: {r['degenerate']}, {r['train'].get('speedup', 1):.3g}x" for r in found
    )
    return Record(SUITE, "degenerate", len(found), "problems", len(rows), note=listed or "none")


def _share(name: str, flags: Sequence[bool], seed: int, note: str = "") -> Record:
    share = bootstrap([float(f) for f in flags], statistics.fmean, seed)
    return Record(SUITE, name, share.value, "share", len(flags), share.low, share.high, note=note)


def _perturbed(rows: Sequence[Row], seed: int) -> Iterator[Record]:
    variants = [
        (row["problem"], variant)
        for row in rows
        for variant in row["train"].get("perturbed", ())
        if variant["spellings"]
    ]
    if not variants:
        return
    lost = [f"{name}: {'+'.join(v['spellings'])}" for name, v in variants if not v["still_fires"]]
    yield _share(
        "perturbed_share_still_firing", [v["still_fires"] for _, v in variants], seed,
        note="lost: " + ("; ".join(lost) or "none"),
    )  # fmt: skip


def _not_run(rows: Sequence[Row]) -> Record:
    failed = [row for row in rows if row.get("why")]
    return Record(
        SUITE, "problems_not_run", len(failed), "problems", len(rows),
        note="; ".join(f"{r['problem']}: {r['why'][:160]}" for r in failed) or "none",
    )  # fmt: skip
