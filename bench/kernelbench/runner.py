"""Problem after problem, each in a process of its own; rows go to a file as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import journal
from bench.child import Row, ask
from bench.kernelbench.problems import Problem

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How each problem is run. scale: a name in SCALES. budget_s: of one search. timing_s: of
    one interleaved measurement. compile_s: inductor's limit for one text; 0: eager alone.
    wall_s: after this many seconds the problem's process is killed. perturbed: other spellings
    that are tried where something fired. timed: False leaves out all measuring."""

    scale: str = "cpu"
    budget_s: float = 25.0
    timing_s: float = 5.0
    compile_s: float = 90.0
    wall_s: float = 600.0
    seed: int = 0
    modes: tuple[str, ...] = ("train", "eval")
    perturbed: int = 2
    timed: bool = True
    cache: str | None = None


def rows(
    problems: Sequence[Problem],
    plan: Plan,
    say: Say,
    resume: Path | None = None,
    seconds: float | None = None,
) -> Iterator[Row]:
    """A row for each problem, those in the file `resume` first; new ones are added to it at once.
    seconds: no problem is begun after so many. Ends early, and without an error, on Ctrl-C."""
    wanted = {p.name for p in problems}
    done = {
        row["problem"]: row
        for row in journal.read(resume)
        if row.get("scale") == plan.scale and row.get("seed") == plan.seed
    }
    yield from (row for name, row in done.items() if name in wanted)
    left = [p for p in problems if p.name not in done]
    if done:
        say(f"{len(problems) - len(left)} of {len(problems)} problems are in {resume}")
    deadline = time.monotonic() + (seconds or float("inf"))
    for number, problem in enumerate(left, len(problems) - len(left) + 1):
        if time.monotonic() > deadline:
            say(f"stopped after {number - 1} of {len(problems)} problems")
            return
        try:
            row = run_one(problem, plan)
        except KeyboardInterrupt:
            say(f"interrupted after {number - 1} of {len(problems)} problems")
            return
        journal.add(resume, row)
        say(f"[{number}/{len(problems)}] {problem.name}: {told(row)}")
        yield row


def run_one(problem: Problem, plan: Plan) -> Row:
    """All that was found about one problem; `why` says what kept it from more."""
    started = time.monotonic()
    row: Row = {
        "problem": problem.name, "level": problem.level, "scale": plan.scale, "seed": plan.seed
    }  # fmt: skip
    job = {**asdict(plan), "source": problem.source}
    found, cut = ask("bench.kernelbench.job", job, plan.wall_s)
    row.update(found)
    if cut:
        row["cut"] = cut
    if "train" not in row or "fired" not in row["train"]:
        row.setdefault("why", row.get("cut", "no answer"))
    elif row["train"]["fired"] and plan.timed and "speedup" not in row["train"]:
        row.setdefault("why", f"not timed: {row.get('cut', 'no answer')}")
    row["seconds"] = round(time.monotonic() - started, 2)
    return row


def told(row: Row) -> str:
    """The row in a few words."""
    if row.get("why"):
        return str(row["why"])
    parts = []
    for mode in ("train", "eval"):
        found = row.get(mode)
        if not found or "same_as" in found:
            continue
        if not found.get("fired"):
            parts.append(f"{mode} {found.get('status', 'cut')}")
            continue
        words = f"{mode} {'+'.join(found['rules'])}"
        if "speedup" in found:
            words += f" {found['speedup']:.2f}x [{found['low']:.2f}, {found['high']:.2f}]"
        if found.get("check", {}).get("wrong"):
            words += " WRONG"
        parts.append(words)
    degenerate = f" ({row['degenerate']})" if row.get("degenerate") else ""
    return "; ".join(parts) + degenerate + f" {row['seconds']:.0f} s"
