"""The suite `functions`: what it takes, how it finds arguments, and what it sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.functions import arguments, candidates, suite
from bench.functions.candidates import Candidate
from bench.functions.check import difference
from bench.trust.calling import load
from bench.trust.installed import standalone
from bench.trust.program import JAX, NUMPY, Program

_MODULE = """\
import numpy as np

def scaled(x, by=2.0):
    return np.asarray(x) * by

def quotient(a, b):
    total = np.sum(a) + np.sum(b)
    return a / total

def keyed(x, key):
    return np.sum(x) * np.sum(key)

def named(x, *, axis):
    return np.sum(x, axis) * np.sum(x)

def stream(x):
    yield np.sum(x) * np.max(x)

def silent(x):
    x[:] = np.sum(x) * np.max(x)

def plain(x):
    return len(x)

def bare():
    return np.zeros(3) + np.ones(3)
"""


def test_functions_that_compute_with_arrays_are_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken_from_here.py").write_text(_MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(candidates, "_MODULES", {NUMPY: "taken_from_here no_such_package."})
    found = candidates.candidates(NUMPY, 0)
    assert {c.function: c.parameters for c in found} == {"scaled": ("x",), "quotient": ("a", "b")}
    assert found == candidates.candidates(NUMPY, 0)


def test_there_are_enough_candidates_installed() -> None:
    pytest.importorskip("scipy")
    assert len(candidates.candidates(NUMPY, 0)) > 300
    pytest.importorskip("jax")
    assert len(candidates.candidates(JAX, 0)) > 300


def _found(function: Any, *parameters: str) -> str | None:
    rng = np.random.default_rng(0)
    names = {"f64": lambda *s: rng.standard_normal(s), "rand": lambda *s: rng.random(s)}
    return arguments.found(parameters, NUMPY, lambda text: function(*eval(text, names)))


def test_arguments_are_found_by_trying() -> None:
    assert _found(np.sin, "x") == "(f64(48, 40),)"
    assert _found(np.linalg.inv, "a") == "(f64(40, 40),)"
    assert _found(np.linalg.solve, "a", "b") == "(f64(40, 40), f64(40, 40),)"
    assert _found(np.convolve, "x", "y") == "(f64(64), f64(64),)"
    assert _found(lambda x, order: x**order, "x", "order") == "(f64(48, 40), 3,)"
    assert _found(lambda pair: pair[0] + pair[1][:, :1], "arrays") is not None


def test_what_raises_is_constant_or_no_number_has_no_arguments() -> None:
    assert _found(lambda x: 1.0, "x") is None
    assert _found(lambda x: "text", "x") is None
    assert _found(lambda x: (x, "text"), "x") is None
    assert _found(lambda x: np.full(3, np.nan), "x") is None
    assert _found(lambda x: x.no_such, "x") is None


_ORIGINAL = "import numpy as np\n\ndef f(x):\n    return np.maximum(x, 0) / 2 + x.sum()\n"


def _difference(body: str, kind: str = NUMPY, original: str = _ORIGINAL) -> str:
    inputs = "(f64(12, 10),)" if kind == NUMPY else "(f32(12, 10),)"
    program = Program("f", kind, original, "f", inputs, "here", ("f",))
    head = original.partition("    return")[0]
    return difference(program, load(original), load(f"{head}    return {body}\n"), 0)


def test_differences_are_seen_wherever_they_are() -> None:
    assert _difference("np.maximum(x, 0) / 2 + x.sum()") == ""
    assert _difference("np.maximum(x, 0) * 0.5 + x.sum(1).sum()") == ""
    assert "as given" in _difference("np.maximum(x, 0) / 2.0001 + x.sum()")
    assert "as given" in _difference("np.maximum(x, 0) / 2 + x.sum(0)[:10].sum()")
    assert "specials" in _difference("np.where(x > 0, x, 0) / 2 + np.nansum(x)")
    assert "float32" in _difference("np.maximum(x, 0) / np.ones(1) / 2 + x.sum()")
    assert "whole numbers" in _difference("(np.maximum(x, 0) / 2).astype(x.dtype) + x.sum()")


@pytest.mark.slow
def test_jax_is_compared_in_both_precisions() -> None:
    pytest.importorskip("jax")
    original = "import jax\nimport jax.numpy as jnp\n\ndef f(x):\n    return jnp.exp(x) + 1\n"
    assert _difference("1 + jnp.exp(x)", JAX, original) == ""
    found = _difference("(jnp.exp(x) + 1).astype(jnp.float32)", JAX, original)
    assert "float64" in found or "whole numbers" in found


def test_public_names_are_imported_from_where_they_are_public() -> None:
    module, name = "numpy.linalg._linalg", "_multi_dot_three"
    assert f"from {module} import dot" in standalone(module, name)
    assert "from numpy import dot" in standalone(module, name, public=("numpy",))
    # Another object of the same name is not the public one.
    other = standalone("numpy.linalg._linalg", "norm", public=("numpy",))
    assert "from numpy.linalg._linalg import" in other


_ROW: dict[str, Any] = {
    "kind": NUMPY, "package": "a 1.0", "seed": 0, "inputs": "(f64(3),)", "status": "verified",
    "changed": True, "passes": ["merge-scales{x=1}"], "speedup": [2.0, 1.5, 2.5], "difference": "",
    "reason": "", "original": "was", "source": "is",
}  # fmt: skip
_LEFT = {
    "kind": JAX, "package": "b 2.0", "seed": 0, "inputs": "(f32(3),)", "status": "unchanged",
    "changed": False,
}  # fmt: skip


def test_figures() -> None:
    rows = [
        {**_ROW, "name": "a.f"},
        {**_ROW, "name": "a.g", "difference": "as given, sizes: result", "speedup": [8.0, 7, 9]},
        {**_LEFT, "name": "b.f", "reason": "no pass applies here"},
        {**_LEFT, "name": "b.g", "status": "crashed", "crash": "KeyError: 'x'"},
        {"name": "b.h", "kind": JAX, "seed": 0, "skipped": "no arguments found by trying"},
    ]
    found = {r.name: r for r in suite.records(rows, 0)}
    assert found["wrong"].value == 1 and "a.g: as given, sizes" in found["wrong"].note
    assert found["functions_numpy"].value == found["functions_jax"].value == 2
    assert found["functions_jax"].n == 3 and "b 2.0: 2" in found["functions_jax"].note
    silent = found["refusals_without_reason"]
    assert silent.value == 1 and silent.n == 2 and silent.note == "b.g: KeyError: 'x'"
    assert found["rewritten"].value == 2 and "merge-scales 2" in found["rewritten"].note
    assert found["speedup"].value == pytest.approx(2.0) and "median 1.5" in found["speedup"].note
    assert "WRONG" in suite.told(rows[1]) and "became" in suite.told(rows[1])
    assert list(suite.records([], 0))


def test_what_was_not_checked_to_the_end_is_named() -> None:
    row = {k: v for k, v in {**_ROW, "name": "a.f", "cut": "killed"}.items() if k != "difference"}
    wrong = next(iter(suite.records([row], 0)))
    assert wrong.n == 0 and "a.f" in wrong.note


def _candidate(kind: str, name: str) -> Candidate:
    return Candidate(kind, "m", name, ("x",))


def test_rows_are_kept_not_made_twice_and_end_when_there_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {kind: [_candidate(kind, f"{kind}{i}") for i in range(4)] for kind in (JAX, NUMPY)}
    monkeypatch.setattr(suite, "candidates", lambda kind, seed: chosen[kind])
    monkeypatch.setattr(suite, "_FULL", replace(suite._FULL, wanted=2))
    asked: list[str] = []

    def ask(module: str, job: dict[str, Any], limit_s: float) -> tuple[dict[str, Any], str]:
        asked.append(job["function"])
        if len(asked) == 3:
            raise KeyboardInterrupt
        if job["function"] == "jax0":
            return {}, "killed after 9 s"
        return {"inputs": "(f32(3),)", "status": "unchanged", "reason": "so"}, ""

    monkeypatch.setattr(suite, "ask", ask)
    file, said = tmp_path / "rows.jsonl", []
    part = list(suite.run(False, 0, said.append, str(file)))
    assert said[-1] == "interrupted" and not suite.is_whole({}, part)
    assert len(file.read_text().splitlines()) == 2
    whole = list(suite.run(False, 0, said.append, str(file)))
    assert suite.is_whole({}, whole) and not suite.is_whole({"only": ["jax"]}, whole)
    assert sorted(set(asked)) == ["jax0", "jax1", "jax2", "numpy0", "numpy1"]
    assert len(asked) == len(set(asked)) + 1  # the interrupted one again
    assert json.loads(file.read_text().splitlines()[0])["skipped"] == "killed after 9 s"


@pytest.mark.slow
def test_one_function_from_start_to_end() -> None:
    candidate = Candidate(NUMPY, "numpy.lib._function_base_impl", "sinc", ("x",))
    plan = suite.Plan(1, {NUMPY: 10.0}, 0.2, 60.0)
    row = suite._row(candidate, plan, 0)
    assert row["inputs"] == "(f64(48, 40),)" and row["reason"] and not row.get("cut")
    missing = suite._row(replace(candidate, function="no_such"), plan, 0)
    assert "no text of its own" in missing["skipped"]
