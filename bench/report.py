"""Writes docs/benchmarks.md and its pictures from the stored results. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import figure
from bench.picture import Bar, bars
from bench.records import RESULTS, Record, Run, number

DOCS = Path(__file__).parent.parent / "docs"
ORDER = ("frontend", "trust", "main", "npbench", "functions")

_INTRODUCTION = """\
# Benchmarks

Made by `python -m bench report` from the files in `bench/results/`; do not edit. Each figure says
what it means, its bar where it has one, and whether it holds. Intervals are 95%, by the bootstrap.
`python -m bench --help` says how to measure them yourself; `--quick` takes under a minute.
"""


def write(results: Path = RESULTS, docs: Path = DOCS) -> Path:
    """The page's path. The same results give the same bytes."""
    docs.mkdir(exist_ok=True)
    for name, text in pages(results).items():
        (docs / name).write_text(text, encoding="utf-8")
    return docs / "benchmarks.md"


def pages(results: Path = RESULTS) -> dict[str, str]:
    """File name in docs/ → text."""
    runs = [Run.load(p) for s in ORDER if (p := results / f"{s}.json").is_file()]
    pictures: dict[str, str] = {}
    parts = [_INTRODUCTION]
    for run in runs:
        parts.append(_section(run, pictures))
    return {"benchmarks.md": "\n".join(parts), **pictures}


def _section(run: Run, pictures: dict[str, str]) -> str:
    lines = [f"## {run.suite}\n", f"`{run.command}`  ", f"{_environment(run.environment)}\n"]
    own = _pictures(run)
    for name, svg in own.items():
        pictures[name] = svg
        lines.append(f"![{name.removesuffix('.svg').replace('-', ' ')}]({name})\n")
    judged = [r for r in run.records if not r.name.startswith("pass_")]
    lines += _table(judged)
    if missed := [r for r in judged if (bar := figure(r).bar) and not bar.holds(r.value)]:
        lines.append("\n### Bars that are missed\n")
        for record in missed:
            bar = figure(record).bar
            lines.append(f"- `{record.name}`: {number(record.value)} {record.unit}, bar {bar}. "
                         f"{_sentence(record.note)}")  # fmt: skip
    lines.append("\n### What the figures mean\n")
    for record in judged:
        lines.append(
            f"- `{record.name}`: {figure(record).meaning} {_sentence(record.note)}".rstrip()
        )
    if passes := [r for r in run.records if r.name.startswith("pass_")]:
        lines.append("\n### Passes over the corpus\n")
        lines.append("Sites listed and rewritten, trees and names being known; one process.\n")
        lines.append("| pass | MB/s | |\n|---|---:|---|")
        for record in passes:
            name = record.name.removeprefix("pass_")
            lines.append(f"| `{name}` | {number(record.value)} | {record.note} |")
    return "\n".join(lines) + "\n"


def _table(records: Sequence[Record]) -> list[str]:
    lines = [
        "| figure | value | 95% interval | unit | n | bar | |",
        "|---|---:|---|---|---:|---|---|",
    ]
    for r in records:
        bar = figure(r).bar
        interval = "" if r.low is None else f"{number(r.low)} – {number(r.high or 0)}"
        verdict = "" if bar is None else ("holds" if bar.holds(r.value) else "**missed**")
        lines.append(
            f"| `{r.name}` | {number(r.value)} | {interval} | {r.unit} | {r.n} "
            f"| {bar or ''} | {verdict} |"
        )
    return lines


def _pictures(run: Run) -> dict[str, str]:
    by_name = {r.name: r for r in run.records}
    found: dict[str, str] = {}
    if run.suite == "frontend":
        for suffix, title in (("", "Merging negations"), ("_split", "Splitting negations")):
            record = by_name.get(f"throughput_vs_libcst{suffix}")
            if record is not None:
                rows = [Bar(n, v, strong=n.startswith("semrep")) for n, v in record.peers.items()]
                name = f"benchmarks-throughput{suffix.replace('_', '-')}.svg"
                found[name] = bars(f"{title}, one process", "MB/s", rows)
    if run.suite == "main":
        chosen = [r for r in run.records if r.name.startswith("speedup_")]
        rows = [
            Bar(_example(r), r.value, r.low, r.high, r.unit.endswith("measured")) for r in chosen
        ]
        if rows:
            found["benchmarks-examples.svg"] = bars("Examples", "times as fast", rows, 1.0)
    return found


def _example(record: Record) -> str:
    name = record.name.removeprefix("speedup_")
    return name if record.unit.endswith("measured") else f"{name} (modelled)"


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}." if note else ""


def _environment(found: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return (
        f"Python {found['python']}, {packages}; {found['system']}, {found['processor']}, "
        f"{found['cores']} cores; load {found['load']} when it began"
    )
