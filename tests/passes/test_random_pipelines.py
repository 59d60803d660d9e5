"""Random pipelines of all passes on functions that are run before and after."""

from __future__ import annotations

import pytest

from bench import soundness
from bench.outcomes import Probe, describe, observe
from bench.random_programs import random_program


def test_random_pipelines_change_nothing() -> None:
    report = soundness.run(pipelines=120, functions=60, seed=7, seconds=20)
    assert not report.differences, str(report)
    assert report.steps > report.pipelines
    assert report.executable > report.functions // 3


@pytest.mark.slow
def test_many_random_pipelines_change_nothing() -> None:
    report = soundness.run(pipelines=1000, functions=200, seed=11)
    assert not report.differences, str(report)


def test_a_changed_function_is_found_and_traced() -> None:
    subject = soundness.Subject(
        "one", "def f(a):\n    return a + 1\n", ("f",), {"f": ((1,), (Probe("p", 1),))}
    )
    runner = soundness.Runner(subject)
    assert runner.difference(subject.source, ("f",)) is None
    found = runner.difference("def f(a):\n    return 1 + a\n", ("f",))
    assert found is not None and "Probe" in found[1]
    assert runner.difference("def f(a):\n    return a + 2\n", ("f",)) is not None
    assert runner.difference("def f(a):\n    return a +\n", ("f",)) is not None


def test_outcomes_tell_apart_what_python_calls_equal() -> None:
    distinct = [0, 0.0, -0.0, False, "", b"", (), [], None, float("nan"), {}, set()]
    assert len({repr(describe(v)) for v in distinct}) == len(distinct)


def test_outcomes_hold_the_order_of_operators() -> None:
    one = observe(lambda p, q: (p + 1, q * 2), (Probe("p", 1), Probe("q", 1)))
    two = observe(lambda p, q: (q * 2, p + 1)[::-1], (Probe("p", 1), Probe("q", 1)))
    assert one.value == two.value and one != two


def test_programs_come_from_their_seed() -> None:
    assert random_program(3) == random_program(3) != random_program(4)
