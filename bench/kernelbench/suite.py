"""Suite `kernelbench`: how much faster its problems get, and whether they stay right.

    python -m bench kernelbench --root KernelBench/KernelBench --resume rows.jsonl

Each problem is shrunk (`shrink.py`), optimised in train mode, which is what KernelBench runs,
and in eval mode where that differs, checked (`checking.py`) and timed against itself
(`timing.py`); where something fired it is written in other ways (`perturb.py`) and optimised
again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.kernelbench.figures import records
from bench.kernelbench.problems import LEVELS, problems, root_folder
from bench.kernelbench.runner import Plan, rows
from bench.records import Record

# Where a rule is likely to fire and where it is not: under a minute with a small budget.
_QUICK_PROBLEMS = 3
_QUICK = Plan(budget_s=6.0, timing_s=1.0, compile_s=0.0, wall_s=30.0, modes=("train",), perturbed=0)
_QUICK_SECONDS = 25.0


def run(
    quick: bool,
    seed: int,
    say: Callable[[str], None],
    root: str | None = None,
    levels: Sequence[int] = LEVELS,
    scale: str = "cpu",
    resume: str | None = None,
    seconds: float | None = None,
    only: Sequence[str] = (),
    cache: str | None = None,
    timed: bool = True,
) -> Iterator[Record]:
    """Records of all problems below root (or KERNELBENCH_ROOT), or of the named ones. quick: of
    a seeded few, eagerly. resume: a file of rows, read first and added to. seconds: no problem
    is begun after so many. timed: False optimises and checks alone."""
    folder = root_folder(root)
    if folder is None or not folder.is_dir():
        say("left out; give --root, the folder with level1, level2, level3 (or KERNELBENCH_ROOT)")
        return
    chosen = problems(folder, levels, only)
    if not chosen:
        say(f"no such problems below {folder}")
        return
    plan = Plan(scale=scale, seed=seed, cache=cache, timed=timed)
    if quick:
        chosen = random.Random(seed).sample(chosen, min(_QUICK_PROBLEMS, len(chosen)))
        plan = Plan(
            scale, _QUICK.budget_s, _QUICK.timing_s, _QUICK.compile_s, _QUICK.wall_s, seed,
            _QUICK.modes, _QUICK.perturbed, timed, cache,
        )  # fmt: skip
        seconds = min(seconds or _QUICK_SECONDS, _QUICK_SECONDS)
    file = Path(resume) if resume and not quick else None
    yield from records(list(rows(chosen, plan, say, file, seconds)), seed)


def is_whole(given: Mapping[str, Any], found: Sequence[Record]) -> bool:
    """Whether these are figures of the suite: of all problems, timed, at its own scale. What
    was cut short or chosen by hand is printed and not stored. given: arguments of `run`."""
    folder = root_folder(given.get("root"))
    if folder is None or not given.get("timed", True) or given.get("scale", "cpu") != "cpu":
        return False
    seen = next((r.n for r in found if r.name == "problems_not_run"), 0)
    return seen == len(problems(folder)) > 0
