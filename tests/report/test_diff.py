from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from semrep.ir.module import Module
from semrep.report.diff import fragment, unified


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nb\nc\n", b"a\nB\nc\n"),
        (b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nc\r\n"),
        (b"a\nb", b"a\nB"),
        (b"a\nb\n", b"a\nb"),
        (b"x = '\x0c'\ny\n", b"x = '\x0c'\nz\n"),
        ("é\nb\n".encode(), "é\nc\n".encode()),
    ],
)
def test_the_diff_applies(before: bytes, after: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.py").write_bytes(before)
    text = unified(Module(before, path="f.py"), Module(after, path="f.py"))
    (tmp_path / "d.patch").write_bytes(text.encode("utf-8", "surrogateescape"))
    subprocess.run(["git", "apply", "d.patch"], cwd=tmp_path, check=True)
    assert (tmp_path / "f.py").read_bytes() == after


def test_no_change_is_no_diff() -> None:
    module = Module(b"a\n", path="f.py")
    assert unified(module, module) == ""


def test_fragments_fit_one_line() -> None:
    assert fragment(b"a +\n   b") == "a + b"
    assert len(fragment(b"x" * 200, 40)) == 40
