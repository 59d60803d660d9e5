"""Real code to measure on: the Python files of the standard library and installed packages."""

from __future__ import annotations

import importlib.util
import random
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("numpy", "torch", "jax")


@dataclass(frozen=True, slots=True)
class File:
    """label: how the file is called in results, `torch/nn/functional.py`."""

    label: str
    path: Path

    def read(self) -> bytes:
        return self.path.read_bytes()


def files(packages: Iterable[str] = ("stdlib", *PACKAGES)) -> list[File]:
    """All `.py` files of the packages that are installed, in a fixed order."""
    found: list[File] = []
    for name in packages:
        root = _root(name)
        if root is None:
            continue
        for path in sorted(root.rglob("*.py")):
            inside = path.relative_to(root)
            if path.is_file() and "site-packages" not in inside.parts:
                found.append(File(f"{name}/{inside.as_posix()}", path))
    return found


def sample(pool: list[File], count: int, seed: int) -> list[File]:
    """A seeded sample in the pool's order; the pool itself where it is no larger."""
    if count >= len(pool):
        return pool
    chosen = set(random.Random(seed).sample(range(len(pool)), count))
    return [f for n, f in enumerate(pool) if n in chosen]


def _root(name: str) -> Path | None:
    if name == "stdlib":
        return Path(sysconfig.get_path("stdlib"))
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
