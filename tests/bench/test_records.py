"""Records survive being stored, and intervals hold what they should."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.records import Record, Run, number, table
from bench.statistics import bootstrap, median, ratio_of_sums

RECORDS = [
    Record("frontend", "step_ms", 31.5, "ms", 100, 30.25, 33.125, {"other": 2.0}, "a note"),
    Record("frontend", "roundtrip_failures", 0, "failures", 5000),
]


def test_a_run_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    run = Run("frontend", "python -m bench frontend", {"cores": 2, "packages": {}}, RECORDS)
    path = run.save(tmp_path)
    assert path.name == "frontend.json"
    assert Run.load(path) == run


def test_json_has_the_agreed_keys() -> None:
    keys = {"suite", "name", "value", "low", "high", "unit", "n", "peers"}
    assert keys <= RECORDS[0].to_json().keys()
    assert Record.from_json(RECORDS[1].to_json()) == RECORDS[1]


def test_the_table_has_a_line_a_record() -> None:
    lines = table(RECORDS).splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:2] == ["step_ms", "31.5"]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (5179, "5179"), (0.12345, "0.123"), (12345.6, "12346")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_the_interval_of_a_median_holds_the_truth_and_is_repeatable() -> None:
    rng = random.Random(0)
    held = 0
    for seed in range(40):
        samples = [rng.gauss(10, 1) for _ in range(40)]
        found = median(samples, seed)
        assert found == median(samples, seed)
        assert found.low <= found.value <= found.high
        held += found.low <= 10 <= found.high
    assert held >= 33  # 95% of 40, less four standard deviations


def test_the_interval_of_a_ratio_is_resampled_by_pairs() -> None:
    found = ratio_of_sums([(2.0 * x, x) for x in (1.0, 5.0, 9.0, 100.0)])
    assert found == (2.0, 2.0, 2.0)


def test_no_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        bootstrap([], len)
