"""The suite `npbench` on a checkout made here: one kernel, its sizes, and the records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.npbench import suite, worker
from bench.npbench.kernels import halved, kernels

_KERNEL = """\
import numpy as np


def kernel(alpha, x, y):
    for i in range(x.shape[0]):
        y[i] += alpha * x[i]
"""
_INITIALISER = """\
import numpy as np


def initialize(N, datatype=np.float64):
    rng = np.random.default_rng(0)
    return datatype(1.5), rng.random(N), rng.random(N)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "bench_info").mkdir()
    folder = tmp_path / "npbench" / "benchmarks" / "axpy"
    folder.mkdir(parents=True)
    information = {
        "short_name": "axpy", "relative_path": "axpy", "module_name": "axpy",
        "func_name": "kernel", "input_args": ["alpha", "x", "y"],
        "parameters": {"S": {"N": 40}, "M": {"N": 4000}, "L": {"N": 8000}},
        "init": {
            "func_name": "initialize", "input_args": ["N"], "output_args": ["alpha", "x", "y"],
        },
    }  # fmt: skip
    text = json.dumps({"benchmark": information})
    (tmp_path / "bench_info" / "axpy.json").write_text(text, encoding="utf-8")
    (folder / "axpy_numpy.py").write_text(_KERNEL, encoding="utf-8")
    (folder / "axpy.py").write_text(_INITIALISER, encoding="utf-8")
    return tmp_path


def test_a_source_has_its_inputs(root: Path) -> None:
    (kernel,) = kernels(root)
    namespace: dict[str, object] = {}
    exec(kernel.source({"N": 5}), namespace)
    alpha, x, y = namespace["semrep_inputs"]()  # type: ignore[operator]
    assert float(alpha) == 1.5 and x.shape == y.shape == (5,)
    assert kernel.variant("jax") is None


def test_a_size_is_found_in_which_a_call_can_be_timed(root: Path) -> None:
    (kernel,) = kernels(root)
    parameters, spent = worker.sized(kernel)
    assert parameters["N"] in (4000, 8000) and spent > 0
    assert halved({"N": 50, "K": 4, "x": 0.5}) == {"N": 24, "K": 4, "x": 0.5}


def test_what_differs_is_seen() -> None:
    def right(x: np.ndarray) -> np.ndarray:
        return x * 2

    def wrong(x: np.ndarray) -> np.ndarray:
        return x * 2.001

    def make() -> tuple[np.ndarray]:
        return (np.ones(4),)

    assert worker.disagreement(right, right, make, 0) == ""
    assert "scale" in worker.disagreement(right, wrong, make, 0)


def test_records() -> None:
    rows = [
        {"name": "a", "semrep_over_numpy": [4.0, 3, 5], "numba_over_numpy": [2.0, 1, 3]},
        {"name": "b", "numba_over_numpy": [2.0, 1, 3], "verified": True, "wrong": ""},
        {"name": "c", "error": "not done in 240 s"},
    ]
    found = {record.name: record for record in suite.records(rows, 0)}
    assert found["speedup_over_numpy"].value == pytest.approx(2.0)
    assert found["share_at_least_numba"].value == 0.5
    assert found["wrong"].value == 0 and found["kernels_done"].value == 2


def test_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bench_info"):
        kernels(tmp_path)
