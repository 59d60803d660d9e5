"""Suite `frontend`: does any file break, how fast is it, how long does one wait."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from bench import latency, soundness, throughput
from bench.corpus import PACKAGES, File, files, sample
from bench.records import Record
from bench.rewriters import MERGE, SPLIT
from bench.roundtrip import FileReport, canonical_passes, check_all
from bench.statistics import Interval, median

SUITE = "frontend"
Say = Callable[[str], None]


def run(quick: bool, seed: int, say: Say) -> Iterator[Record]:
    pool = files()
    yield from _roundtrip(pool, quick, seed, say)
    yield from _throughput(pool, quick, seed, say)
    yield from _latency(quick, seed, say)
    yield from _pipelines(quick, seed, say)


def _record(
    name: str, found: Interval, unit: str, n: int, note: str = "", **peers: float
) -> Record:
    named = {k.replace("_", "-"): v for k, v in peers.items()}
    return Record(SUITE, name, found.value, unit, n, found.low, found.high, named, note)


def _count(name: str, value: float, unit: str, n: int, note: str = "") -> Record:
    return Record(SUITE, name, value, unit, n, note=note)


# -- round trip -----------------------------------------------------------------------------


def _roundtrip(pool: list[File], quick: bool, seed: int, say: Say) -> Iterator[Record]:
    chosen = sample([f for f in pool if f.path.stat().st_size < 60_000], 60, seed)
    if not quick:
        chosen = pool
    say(f"round trip of {len(chosen)} files through {len(canonical_passes())} passes")

    def progress(done: int, all_: int) -> None:
        if done % 250 == 0:
            say(f"  {done} of {all_}")

    deadline = time.monotonic() + 12 if quick else float("inf")
    reports = check_all(chosen, deadline=deadline, progress=progress)
    fixed = [] if quick else sample([f for f in pool if f.path.stat().st_size < 20_000], 150, seed)
    if fixed:
        say(f"fixed points of {len(fixed)} files")
    settled = check_all(fixed, fixed_point=True)
    failures = [f for r in (*reports.values(), *settled.values()) for f in r.failures]
    for failure in failures:
        say(f"FAILED {failure}")
    accepted = sum(r.accepted for r in reports.values())
    rewritable = sum(r.rewritable for r in reports.values())
    edits = sum(sum(r.edits.values()) for r in (*reports.values(), *settled.values()))
    note = "; ".join(map(str, failures[:12])) or (
        f"{edits} edits; Python compiles {accepted} of the files; {len(reports) - rewritable} "
        f"are left alone for their encoding or Python 2; {len(settled)} files also run to the "
        "fixed point of each pass"
    )
    yield _count("roundtrip_failures", len(failures), "failures", len(reports), note)
    size = sum(r.size for r in reports.values()) / 1e6
    yield _count("corpus", size, "MB", len(reports), ", ".join(("standard library", *PACKAGES)))
    yield from _speeds(reports, size)


def _speeds(reports: dict[str, FileReport], size: float) -> Iterator[Record]:
    seconds: dict[str, float] = defaultdict(float)
    edits: Counter[str] = Counter()
    sites: Counter[str] = Counter()
    for report in reports.values():
        for name, spent in report.seconds.items():
            seconds[name] += spent
        edits.update(report.edits)
        sites.update(report.sites)
    whole = max(seconds["parse"] + seconds["units"], 1e-9)
    yield _count("parse_and_units", size / whole, "MB/s", len(reports))
    for pass_ in canonical_passes():
        spent = max(seconds[pass_.name], 1e-9)
        note = f"{sites[pass_.name]} sites, {edits[pass_.name]} edits"
        yield _count(f"pass_{pass_.name}", size / spent, "MB/s", len(reports), note)


# -- throughput -----------------------------------------------------------------------------


def _throughput(pool: list[File], quick: bool, seed: int, say: Say) -> Iterator[Record]:
    chosen = sample(pool, 24 if quick else 300, seed)
    for rewrite in (MERGE,) if quick else (MERGE, SPLIT):
        say(f"throughput of {rewrite} over {len(chosen)} files")
        found = throughput.compare(chosen, rewrite, 6 if quick else 20)
        speeds = {t.replace("-", "_"): found.speed(t).value for t in found.seconds}
        note = (
            f"{found.changed} files changed, {len(found.disagreements)} on which the tools disagree"
            + "".join(f"; {d}" for d in found.disagreements[:5])
        )
        suffix = "" if rewrite == MERGE else f"_{rewrite}"
        for name, tool, base in (
            ("throughput_vs_libcst", throughput.LIBCST, throughput.SEMREP),
            ("throughput_vs_ast_grep", throughput.AST_GREP, throughput.SEMREP),
            ("throughput_vs_libcst_unscreened", throughput.LIBCST, throughput.UNSCREENED),
        ):
            ratio = found.ratio(tool, base)
            yield _record(name + suffix, ratio, "times as fast", found.files, note, **speeds)


# -- latency --------------------------------------------------------------------------------


def _latency(quick: bool, seed: int, say: Say) -> Iterator[Record]:
    for suffix, package, header in (
        ("", "stdlib", latency.HEADER),
        ("_torch", "torch", latency.TORCH_HEADER),
    ):
        if not (pool := files((package,))):
            continue
        if quick and suffix:
            continue
        say(f"sites of a long file of {package}")
        source = latency.long_file(pool, seed, header)
        found = latency.measure(source, seed, 2 if quick else 7, 12 if quick else 100)
        slowest = sorted(found.by_pass_s.items(), key=lambda item: -item[1])[:3]
        note = f"{found.lines} lines, {found.sites} sites; at first " + ", ".join(
            f"{name} {spent * 1000:.0f} ms" for name, spent in slowest
        )
        cold = median(found.cold_s)
        yield _record(f"sites_10k_lines_s{suffix}", cold, "s", len(found.cold_s), note)
        step = median([s * 1000 for s in found.step_s])
        yield _record(f"step_ms{suffix}", step, "ms", len(found.step_s), note)


# -- random pipelines -----------------------------------------------------------------------


def _pipelines(quick: bool, seed: int, say: Say) -> Iterator[Record]:
    say("random pipelines")
    if quick:
        report = soundness.run(pipelines=60, functions=60, seed=seed, seconds=6)
    else:
        report = soundness.run(pipelines=2000, functions=300, seed=seed)
    for difference in report.differences:
        say(f"DIFFERS {difference}")
    by_pass = Counter(d.pass_name for d in report.differences)
    note = (
        f"{report.functions} functions, {report.executable} of which gave values; "
        f"{report.steps} steps, {report.calls} calls"
        + "".join(f"; {n} by {name}" for name, n in by_pass.most_common())
    )
    name = "random_pipeline_differences"
    yield _count(name, len(report.differences), "differences", report.pipelines, note)
