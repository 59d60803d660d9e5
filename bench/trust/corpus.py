"""All programs: ours, what is installed, and what lies in folders that are given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.kernelbench.problems import root_folder
from bench.trust.program import JAX, NUMPY, TORCH, TRITON, Program
from bench.trust.third_party import (
    gpuemu_programs,
    installed_programs,
    kernelbench_programs,
    tutorial_programs,
)

OWN = Path(__file__).parent / "programs"


def own_programs() -> Iterator[Program]:
    """Written for this benchmark from textbook descriptions."""
    for path in sorted(OWN.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        beside = path.with_suffix(".md")
        alternatives = beside.read_text(encoding="utf-8") if beside.is_file() else ""
        yield Program(
            path.stem, _kind(source), source, None, None, f"bench/trust/programs/{path.name}",
            path=None, alternatives=alternatives,
        )  # fmt: skip


def _kind(source: str) -> str:
    if "import triton" in source:
        return TRITON
    if "import jax" in source:
        return JAX
    return TORCH if "import torch" in source else NUMPY


def corpus(say: Callable[[str], None], root: str | None, cache: str | None) -> list[Program]:
    """root: KernelBench's folder of levels, or KERNELBENCH_ROOT. cache: a folder that holds
    gpuemu's corpus as `gpuemu` and Triton's as `tutorials`, or SEMREP_TRUST_CACHE; each is a
    checkout, or the folder of the programs themselves."""
    programs = [*own_programs(), *installed_programs(say)]
    kernelbench = root_folder(root)
    if kernelbench:
        programs += kernelbench_programs(kernelbench, say)
    else:
        say("left out: KernelBench, for want of --root")
    if given := cache or os.environ.get("SEMREP_TRUST_CACHE"):
        folder = Path(given)
        data = folder / "gpuemu" / "gpuemu_corpus" / "data"
        programs += gpuemu_programs(data if data.is_dir() else folder / "gpuemu", say)
        tutorials = folder / "tutorials" / "python" / "tutorials"
        programs += tutorial_programs(
            tutorials if tutorials.is_dir() else folder / "tutorials", say
        )
    else:
        say("left out: gpuemu's corpus and Triton's tutorials, for want of --cache")
    return programs
