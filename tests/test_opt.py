"""The command line, as a person or a script would use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from semrep.opt import cli, replace_file
from tests.test_api import PLAIN


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "plain.py"
    file.write_text(PLAIN)
    monkeypatch.chdir(tmp_path)
    return file


def run(*arguments: str, input: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], input=input)


def test_shows_the_diff_and_writes_nothing(plain: Path) -> None:
    done = run("plain.py", "--passes", "canonical")
    assert done.exit_code == 0, done.output
    assert "verified" in done.output and "order-comparison" in done.output
    assert "+    if x <= 5 or" in done.output or "x > 5" in done.output
    assert "written nowhere" in done.output
    assert plain.read_text() == PLAIN


def test_writes_in_place_and_then_finds_nothing(plain: Path) -> None:
    plain.chmod(0o640)
    assert run("plain.py", "--passes", "canonical", "-i").exit_code == 0
    assert "x > 5" in plain.read_text()
    assert plain.stat().st_mode & 0o777 == 0o640
    assert run("plain.py", "--passes", "canonical", "--check").exit_code == 0


def test_check_writes_nothing_and_exits_with_1(plain: Path) -> None:
    assert run("plain.py", "--passes", "canonical", "--check").exit_code == 1
    assert plain.read_text() == PLAIN


def test_writes_to_another_file_and_to_standard_output(plain: Path) -> None:
    assert run("plain.py", "--passes", "canonical", "-o", "new.py").exit_code == 0
    text = Path("new.py").read_text()
    done = run("plain.py", "--passes", "canonical", "-q", "-o", "-")
    assert done.stdout == text


def test_the_printed_pipeline_replays(plain: Path) -> None:
    pipeline = run("plain.py", "--passes", "canonical", "--print-pipeline").stdout.strip()
    assert "@" in pipeline
    first = run("plain.py", "--passes", "canonical", "-q", "-o", "-").stdout
    assert run("plain.py", "--passes", pipeline, "-q", "-o", "-").stdout == first


def test_json_is_one_object_a_file(plain: Path) -> None:
    done = run("plain.py", "plain.py", "--passes", "canonical", "--json")
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    record = json.loads(lines[0])
    assert record["status"] == "verified" and record["changed"] and record["diff"]
    assert record["verdict"]["verdict"] == "equivalent"
    assert {"pass", "span", "contract", "edits"} <= set(record["steps"][0])


def test_standard_input(plain: Path) -> None:
    done = run("-", "--stdin-filename", "x.py", "--passes", "canonical", "-q", "-o", "-",
               input=PLAIN.encode())  # fmt: skip
    assert "x > 5" in done.stdout


def test_explains_refusals_with_a_caret(plain: Path) -> None:
    plain.write_text("def f(x):\n    return 2 * x\n\ndef semrep_inputs():\n    return (3,)\n")
    done = run("plain.py", "--passes", "order-operands", "--explain")
    assert "plain.py:2:16: unknown-type" in done.output
    assert "return 2 * x\n                             ^\n" in done.output
    none = run("plain.py", "--passes", "order-operands", "--explain", "1")
    assert "plain.py:2:16" not in none.output
    first = run("--explain", "plain.py", "--passes", "order-operands")
    assert "plain.py:2:16" in first.output


def test_a_failing_original_exits_with_3(plain: Path) -> None:
    plain.write_text(PLAIN.replace("    if not", "    x = x / 0\n    if not"))
    done = run("plain.py", "--passes", "canonical")
    assert done.exit_code == 3 and "ZeroDivisionError" in done.output


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"print 'x'\n", 3), (b"x = 1\0", 3), (b"\xff\xfea\0", 3), (b"", 0), (b"def f(:\n", 0)],
)
def test_unfit_files(plain: Path, content: bytes, code: int) -> None:
    plain.write_bytes(content)
    done = run("plain.py", "--passes", "canonical", "-i")
    assert done.exit_code == code, done.output
    assert plain.read_bytes() == content
    assert content == b"" or "plain.py:1:" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a file"),
        (["nowhere.py"], "No such file"),
        (["plain.py", "--passes", "fold-constant"], "did you mean"),
        (["plain.py", "-i", "--check"], "exclude one another"),
        (["plain.py", "plain.py", "-o", "x"], "takes one input"),
        (["-", "-i"], "in place"),
        (["plain.py", "--goal", "beauty"], "no goal is named"),
        (["plain.py", "--budget", "soon"], "is no budget"),
        (["plain.xyz"], "No such file"),
        (["."], "Is a directory"),
    ],
)
def test_usage_errors_exit_with_2(plain: Path, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2 and message in done.output, done.output


def test_pyproject_and_environment_set_defaults(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pyproject.toml").write_text("[tool.semrep]\npasses = 'order-comparison'\ncheck = true\n")
    assert run("plain.py").exit_code == 1
    Path("pyproject.toml").write_text("[tool.semrep\n")
    broken = run("plain.py")
    assert broken.exit_code == 2 and "pyproject.toml" in broken.output


def test_lists_passes_with_their_promises() -> None:
    done = run("--list-passes")
    assert done.exit_code == 0
    for word in ("canonical:", "scalar:", "tensor:", "bitwise", "reassociates", "opt-in"):
        assert word in done.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission(plain: Path) -> None:
    plain.parent.chmod(0o555)
    try:
        done = run("plain.py", "--passes", "canonical", "-i")
    finally:
        plain.parent.chmod(0o755)
    assert done.exit_code == 2 and "ermission" in done.output


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.py"
    replace_file(target, b"one")
    link = tmp_path / "link.py"
    link.symlink_to(target)
    replace_file(link, b"two")
    assert target.read_bytes() == b"two" and link.is_symlink()
    with pytest.raises(OSError):
        replace_file(tmp_path / "missing" / "a.py", b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.py", "link.py"]


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['semrep', '--help']\n"
        "from semrep.opt import cli\n"
        "try:\n    cli()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'triton', 'jax', 'numpy', 'tree_sitter') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr
    assert "Exit codes" in done.stdout
