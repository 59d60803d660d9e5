"""NPBench's kernels as sources with semrep_inputs(), made from a checkout."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZES = ("S", "M", "L")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One benchmark. name: its short name. folder: of its files. arguments: the kernel's, by
    name, each a parameter or a result of the initialiser. sizes: parameters by size."""

    name: str
    folder: Path
    module: str
    function: str
    initialiser: str | None
    init_arguments: tuple[str, ...]
    init_results: tuple[str, ...]
    arguments: tuple[str, ...]
    sizes: Mapping[str, Mapping[str, Any]]

    def variant(self, suffix: str) -> Path | None:
        """The file of another framework's version, such as `jax` or `numba_n`."""
        path = self.folder / f"{self.module}_{suffix}.py"
        return path if path.is_file() else None

    def source(self, parameters: Mapping[str, Any]) -> str:
        """The NumPy kernel's text with a semrep_inputs() that calls the initialiser."""
        kernel = (self.folder / f"{self.module}_numpy.py").read_text(encoding="utf-8")
        lines = [f"{name} = {value!r}" for name, value in parameters.items()]
        if self.initialiser is not None:
            text = (self.folder / f"{self.module}.py").read_text(encoding="utf-8")
            called = f"{self.initialiser}({', '.join(self.init_arguments)})"
            lines = [text, *lines, f"{', '.join(self.init_results)} = {called}"]
        lines.append(f"return ({''.join(f'{a}, ' for a in self.arguments)})")
        body = textwrap.indent("\n".join(lines), "    ")
        return f"{kernel}\n\ndef semrep_inputs():\n{body}\n"


def kernels(root: Path) -> list[Kernel]:
    """All kernels of a checkout, by name. Raises ValueError where there are none."""
    found = [_read(path, root) for path in sorted((root / "bench_info").glob("*.json"))]
    if not found:
        raise ValueError(f"{root} has no bench_info/*.json; give --root a checkout of NPBench")
    return found


def default_root() -> Path | None:
    given = os.environ.get("NPBENCH_ROOT")
    return Path(given) if given else None


def _read(path: Path, root: Path) -> Kernel:
    data = json.loads(path.read_text(encoding="utf-8"))["benchmark"]
    init = data.get("init") or {}
    return Kernel(
        data["short_name"],
        root / "npbench" / "benchmarks" / data["relative_path"],
        data["module_name"],
        data["func_name"],
        init.get("func_name") or None,
        tuple(init.get("input_args", ())),
        tuple(init.get("output_args", ())),
        tuple(data["input_args"]),
        data["parameters"],
    )


def halved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same with whole numbers above 8 halved: to even ones, for shapes that are pooled."""
    return {
        name: max(4, value // 4 * 2) if isinstance(value, int) and value > 8 else value
        for name, value in parameters.items()
    }
