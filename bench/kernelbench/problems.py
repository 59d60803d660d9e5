"""Where KernelBench's problems lie. None of their text is kept here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LEVELS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Problem:
    """One file with Model, get_inputs and get_init_inputs. name: "level2/14_Gemm"."""

    name: str
    level: int
    number: int
    path: Path

    @property
    def source(self) -> str:
        """Its text. Raises OSError."""
        return self.path.read_text(encoding="utf-8")


def root_folder(given: str | None = None) -> Path | None:
    """KernelBench's folder: as given, or else what KERNELBENCH_ROOT names."""
    value = given or os.environ.get("KERNELBENCH_ROOT")
    return Path(value) if value else None


def problems(root: Path, levels: Iterable[int] = LEVELS, only: Iterable[str] = ()) -> list[Problem]:
    """By level and number. only: parts of names, such as "level2/14_" or "Softmax"; an "L2-14"
    is that very problem."""
    wanted = tuple(only)
    found = [
        Problem(f"level{level}/{path.stem}", level, _number(path), path)
        for level in levels
        for path in sorted((root / f"level{level}").glob("*.py"), key=_number)
    ]
    return [p for p in found if not wanted or any(_is_named(p, name) for name in wanted)]


def _number(path: Path) -> int:
    head = path.name.partition("_")[0]
    return int(head) if head.isdigit() else 0


def _is_named(problem: Problem, name: str) -> bool:
    if name.startswith("L") and "-" in name:
        return name == f"L{problem.level}-{problem.number}"
    return name in problem.name
