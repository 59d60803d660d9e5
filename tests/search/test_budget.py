from __future__ import annotations

import pytest

from semrep.search.budget import Budget


@pytest.mark.parametrize(
    ("text", "seconds", "evaluations"),
    [("30s", 30, None), ("2m", 120, None), ("200", None, 200), ("500ms,7", 0.5, 7)],
)
def test_parses(text: str, seconds: float | None, evaluations: int | None) -> None:
    budget = Budget.parse(text)
    assert (budget.seconds, budget.evaluations) == (seconds, evaluations)
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize("text", ["", "fast", "3.5", "-1s", "3d"])
def test_bad_budgets_say_why(text: str) -> None:
    with pytest.raises(ValueError):
        Budget.parse(text)


def test_time_runs_from_start() -> None:
    now = [100.0]
    budget = Budget(seconds=10, evaluations=3, clock=lambda: now[0])
    assert not budget.exhausted and budget.elapsed == 0
    budget.start()
    now[0] += 9
    assert not budget.exhausted and budget.left == 1 and budget.share == 0.9
    now[0] += 1
    assert budget.exhausted
    other = Budget(evaluations=2)
    other.spend(2)
    assert other.exhausted


def test_time_is_kept_for_confirming() -> None:
    now = [0.0]
    budget = Budget(seconds=10, clock=lambda: now[0])
    budget.start()
    budget.reserved = 4
    now[0] = 5.9
    assert not budget.exhausted
    now[0] = 6.0
    assert not budget.exhausted, "one candidate is always tried"
    budget.spend()
    assert budget.exhausted
    budget = Budget(seconds=10, clock=lambda: now[0])
    budget.start()
    now[0] = 16.0
    assert budget.exhausted
