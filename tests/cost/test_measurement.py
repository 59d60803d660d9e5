"""Statistics of timing pairs, and real pairs of sleeping functions."""

from __future__ import annotations

import random

import pytest

from semrep.cost import Measurement, NotMeasured, measure
from semrep.runtime import Harness, discover


def pairs(before: float, after: float, noise: float, count: int = 40) -> Measurement:
    generator = random.Random(1)
    return Measurement(
        tuple(before * (1 + noise * generator.random()) for _ in range(count)),
        tuple(after * (1 + noise * generator.random()) for _ in range(count)),
        warmup=3,
    )


def test_ratio_above_one_is_faster() -> None:
    found = pairs(2.0, 1.0, 0.1)
    assert found.faster and not found.slower
    assert 1.8 < found.low <= found.ratio <= found.high < 2.2


def test_slower_and_tie() -> None:
    assert pairs(1.0, 2.0, 0.1).slower
    tie = pairs(1.0, 1.0, 0.5)
    assert not tie.faster and not tie.slower and tie.low < 1 < tie.high


def test_a_handful_of_pairs_proves_nothing() -> None:
    assert not pairs(2.0, 1.0, 0.0, count=3).faster


def test_interval_is_reproducible_and_serialises() -> None:
    assert pairs(2.0, 1.0, 0.3).interval == pairs(2.0, 1.0, 0.3).interval
    assert pairs(2.0, 1.0, 0.3).to_json()["pairs"] == 40


def test_unpaired_samples_are_refused() -> None:
    with pytest.raises(ValueError):
        Measurement((1.0,), (), warmup=0)


SOURCE = """
import time

def f(n):
    time.sleep(n)
    return n

def semrep_inputs():
    return (0.004,)
"""


def test_real_times_in_pairs() -> None:
    harness = discover(SOURCE.encode())
    assert isinstance(harness, Harness)
    candidate = SOURCE.replace("sleep(n)", "sleep(n / 2)").encode()
    found = measure(SOURCE.encode(), candidate, harness, budget_s=0.4)
    assert found.faster and 1.5 < found.ratio < 2.2, found.describe()
    again = measure(SOURCE.encode(), SOURCE.encode(), harness, budget_s=0.4)
    assert 0.9 < again.ratio < 1.1, again.describe()


def test_failures_are_reported() -> None:
    harness = discover(SOURCE.encode())
    assert isinstance(harness, Harness)
    with pytest.raises(NotMeasured, match="ZeroDivision"):
        measure(SOURCE.encode(), SOURCE.replace("sleep(n)", "sleep(1 / 0)").encode(), harness)


@pytest.mark.parametrize(
    "body",
    [
        "return n + 1 if 'semrep.runtime.timing' in sys.modules else n",
        "calls.append(n)\n    return n if len(calls) % 7 else n + 1",
    ],
)
def test_what_is_another_program_under_the_clock_has_no_time(body: str) -> None:
    source = SOURCE.replace("import time", "import sys, time\nimport numpy as np\ncalls = []")
    source = source.replace("(0.004,)", "(np.float64(0.001) * np.ones(3),)")
    source = source.replace("sleep(n)", "sleep(float(n[0]))")
    harness = discover(source.encode())
    assert isinstance(harness, Harness)
    assert "return n\n" in source
    candidate = source.replace("    return n\n", f"    {body}\n", 1).encode()
    with pytest.raises(NotMeasured, match="result"):
        measure(source.encode(), candidate, harness, budget_s=0.3)
