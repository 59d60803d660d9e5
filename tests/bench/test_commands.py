"""The command line, as another program would use it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {
    "roundtrip_failures", "throughput_vs_libcst", "throughput_vs_ast_grep", "sites_10k_lines_s",
    "step_ms", "random_pipeline_differences",
}  # fmt: skip


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True, text=True, cwd=ROOT, timeout=300,
    )  # fmt: skip


def test_help_teaches() -> None:
    text = _bench("--help").stdout
    for word in ("frontend", "main", "report", "--quick", "--json", "examples:"):
        assert word in text


@pytest.mark.slow
def test_quick_prints_one_list_with_the_agreed_names() -> None:
    pytest.importorskip("libcst")
    pytest.importorskip("ast_grep_py")
    done = _bench("frontend", "--quick", "--json", "-")
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    by_name = {r["name"]: r for r in records}
    assert by_name.keys() >= NAMES
    assert all(r["suite"] == "frontend" for r in records)
    assert by_name["roundtrip_failures"]["value"] == 0, done.stderr
    assert by_name["random_pipeline_differences"]["value"] == 0, done.stderr
