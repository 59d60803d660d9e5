"""Imports run one way: from the upper floors to the lower ones, function-local ones too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "semrep"

# What each room may import of semrep, besides itself.
MAY_IMPORT = {
    "ir": set(),
    "runtime": {"ir"},
    "passes": {"ir"},
    "verify": {"ir", "runtime", "passes.contract"},
    "cost": {"ir", "runtime"},
    "store": {"runtime", "passes.contract", "verify"},
    "search": {"ir", "runtime", "passes", "verify", "cost"},
    "result": {"ir", "runtime", "passes", "verify", "cost", "search"},
    "report": {"ir", "runtime", "passes", "verify", "cost", "search", "result"},
    "api": {"ir", "runtime", "passes", "verify", "cost", "store", "search", "result"},
    "verify_command": {"runtime", "passes.contract", "verify"},
    "opt": {"ir", "passes", "report", "result", "api", "verify_command"},
    "__init__": {"ir", "runtime", "passes", "verify", "result", "api"},
}
# Imported by their own rooms only, at first use.
HEAVY = {"torch": 1, "triton": 1, "jax": 1, "ray": 1, "egglog": 1, "z3": 1}


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    relative = path.relative_to(PACKAGE).with_suffix("")
    return relative.parts[0]


def _imports(path: Path) -> list[tuple[str, int, bool]]:
    """(module, line, whether at module level and outside TYPE_CHECKING) of every import."""
    found: list[tuple[str, int, bool]] = []

    def visit(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((a.name, child.lineno, top) for a in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert not child.level, f"{path}:{child.lineno}: relative import"
                found.append((child.module or "", child.lineno, top))
            checking = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            visit(child, top and not checking and not inner)

    visit(ast.parse(path.read_text(encoding="utf-8")), True)
    return found


@pytest.mark.parametrize("path", _files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_import_runs_upward(path: Path) -> None:
    room = _room(path)
    assert room in MAY_IMPORT, f"{room} has no floor: add it to MAY_IMPORT"
    for module, line, _ in _imports(path):
        parts = module.split(".")
        if parts[0] != "semrep" or len(parts) == 1 or parts[1] == room:
            continue
        allowed = any(
            module == f"semrep.{name}" or module.startswith(f"semrep.{name}.")
            for name in MAY_IMPORT[room]
        )
        assert allowed, f"{path}:{line}: {room} may not import {module}"


@pytest.mark.parametrize("path", _files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_at_first_use(path: Path) -> None:
    if _room(path) == "runtime":
        return  # modules of the worker's side; the process test below covers the rest
    for module, line, top in _imports(path):
        assert not (top and module.split(".")[0] in HEAVY), f"{path}:{line}: imports {module}"


def test_no_room_is_named_for_nothing() -> None:
    nameless = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [p for p in _files() if p.stem in nameless] == []


@pytest.mark.parametrize(
    "code", ["import semrep", "import semrep.api, semrep.passes.registry as r; r.all_passes()"]
)
def test_importing_semrep_loads_no_heavy_library(code: str) -> None:
    check = f"import sys; {code}; print([m for m in {sorted(HEAVY)} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
