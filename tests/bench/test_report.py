"""The page is made of the stored results and of nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench import report
from bench.figures import FIGURES
from bench.picture import Bar, bars
from bench.records import RESULTS, Record, Run


def test_the_committed_page_is_what_the_stored_results_give() -> None:
    for name, text in report.pages().items():
        stored = (report.DOCS / name).read_text(encoding="utf-8")
        assert stored == text, f"{name} is stale: run `python -m bench report`"


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    report.write(docs=tmp_path)
    first = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    report.write(docs=tmp_path)
    assert first == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_a_missed_bar_is_said(tmp_path: Path) -> None:
    records = [Record("frontend", "step_ms", 80.0, "ms", 9, 70.0, 90.0, {}, "the cause")]
    environment = {
        "python": "3", "packages": {}, "system": "", "processor": "", "cores": 2, "load": 0,
    }  # fmt: skip
    Run("frontend", "python -m bench frontend", environment, records).save(tmp_path)
    page = report.pages(tmp_path)["benchmarks.md"]
    assert "**missed**" in page
    assert "bar ≤ 50. The cause." in page


def test_stored_results_name_no_places() -> None:
    for path in RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "/home/" not in text and "/root" not in text and "/work" not in text


def test_every_figure_with_a_bar_is_stored() -> None:
    """Of each suite that was run in full."""
    stored = {(r.suite, r.name) for p in RESULTS.glob("*.json") for r in Run.load(p).records}
    suites = {suite for suite, _ in stored}
    barred = {key for key, figure in FIGURES.items() if figure.bar and key[0] in suites}
    assert barred and not barred - stored


@pytest.mark.parametrize("limit", [None, 2.0])
def test_pictures_are_well_formed(limit: float | None) -> None:
    text = bars("a < b & c", "MB/s", [Bar("x", 1.0, 0.5, 1.5), Bar("y", 3.0, strong=True)], limit)
    assert ElementTree.fromstring(text).tag.endswith("svg")
