"""Random loops over triangles: where interchange-triangular-loop acts, what is left in the arrays
is the same."""

from __future__ import annotations

import random

import numpy as np
import pytest

from semrep.ir.module import Module
from semrep.passes.manager import PassManager
from tests.passes import differential
from tests.passes.signature_text import parse_signature

_SIZE = 6
_SIGNATURE = parse_signature(
    f"f(A: np.f64[{_SIZE}, {_SIZE}], B: np.f64[{_SIZE}, {_SIZE}], d: np.f64[{_SIZE}])"
)
_CELLS = (
    "A[i, j]", "A[j, j]", "A[j, i]", "A[i, i]", "A[i, 0]", "A[0, j]", "A[j, 0]", "A[i - 1, j]",
    "A[i, j + 1]", "B[i, j]", "B[j, i]", "d[i]", "d[j]", "A[i, :j] @ A[j, :j]",
    "A[i, :j] @ A[:j, j]", "A[i, :i] @ d[:i]", "A[j, j:i] @ d[j:i]", "A[j, :] @ d",
)  # fmt: skip
_TARGETS = ("A[i, j]", "A[i, j]", "A[i, j]", "A[j, i]", "B[i, j]", "d[i]", "d[j]", "A[j, j]")
_ENDS = (
    "A[i, i] = {}", "A[i, i] += {}", "d[i] = {}", "A[i, 0] = {}", "A[0, i] -= {}", "B[i, i] = {}",
    "for j in range(i, n):\n            A[i, j] -= {}", "d[:] = {}", "A[i, i:] = {}",
)  # fmt: skip
_VALUES = ("A[i, i]", "d[i]", "A[i, :i] @ A[i, :i]", "A[i, :i] @ A[:i, i]", "B[i, i]", "2.0")


def _text(rng: random.Random) -> str:
    start = rng.choice((0, 0, 1))
    lines = ["import numpy as np", "", "", "def f(A, B, d):", "    n = A.shape[0]"]
    lines += [f"    for i in range({start}, n):" if start else "    for i in range(n):"]
    lines += ["        for j in range(i):"]
    for _ in range(rng.randint(1, 2)):
        operator = rng.choice(("=", "+=", "-="))
        value = " + ".join(rng.sample(_CELLS, rng.randint(1, 2)))
        lines.append(f"            {rng.choice(_TARGETS)} {operator} {value}")
    for _ in range(rng.randint(0, 2)):
        lines.append("        " + rng.choice(_ENDS).format(rng.choice(_VALUES)))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(12))
def test_same_arrays(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(8):
        text = _text(rng)
        module = Module.from_text(text).with_signature(_SIGNATURE)
        trace = PassManager().run(module, "interchange-triangular-loop")
        if not trace.steps:
            continue
        draws = np.random.default_rng(seed)
        one = [
            draws.integers(-1, 2, fact.shape).astype(np.float64)  # type: ignore[union-attr]
            for _, fact in _SIGNATURE.arguments
        ]
        other = [a.copy() for a in one]
        with np.errstate(all="ignore"):
            differential.load(text)(*one)
            differential.load(trace.after.text)(*other)
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, err_msg=f"{text}\n{trace.after.text}")


def test_some_are_rewritten() -> None:
    rng = random.Random(0)
    texts = [_text(rng) for _ in range(60)]
    modules = [Module.from_text(text).with_signature(_SIGNATURE) for text in texts]
    traces = [PassManager().run(m, "interchange-triangular-loop") for m in modules]
    assert sum(bool(trace.steps) for trace in traces) > 3
