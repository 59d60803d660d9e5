"""The measuring itself: failures are seen, and the tools do the same job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from bench import roundtrip
from bench.corpus import File, files, sample
from bench.latency import HEADER, long_file, measure
from bench.rewriters import MERGE, SPLIT, with_ast_grep, with_libcst, with_semrep
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass

SOURCE = b"""\
def f(a, b):
    if not a in b:
        return not(a is b)
    x = a not in b and (a is not b)
    w = "\xc3\xa9"; v = not a in b
    return not a == b, a < b in w
"""


@pytest.mark.parametrize("rewrite", [MERGE, SPLIT])
def test_all_tools_write_the_same(rewrite: str) -> None:
    pytest.importorskip("libcst")
    pytest.importorskip("ast_grep_py")
    results = [
        with_semrep(rewrite)(SOURCE),
        with_semrep(rewrite, screen=False)(SOURCE),
        with_libcst(rewrite)(SOURCE),
        with_ast_grep(rewrite)(SOURCE),
    ]
    assert len(set(results)) == 1
    assert results[0] != SOURCE


def test_a_file_of_this_project_comes_through() -> None:
    report = roundtrip.check(File("roundtrip.py", Path(roundtrip.__file__)))
    assert report.failures == []
    assert sum(report.edits.values()) > 10


@dataclass(frozen=True, slots=True)
class Breaks(NodePass):
    """Writes a keyword where a name was."""

    name: ClassVar[str] = "breaks"
    family: ClassVar[str] = "test"
    anchors: ClassVar[frozenset[str]] = frozenset({"function_definition"})

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit]:
        return [Edit(node["name"].span, b"class")]


def test_a_pass_that_breaks_text_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(roundtrip, "canonical_passes", lambda: (Breaks(),))
    path = tmp_path / "a.py"
    path.write_bytes(b"def f():\n    pass\n")
    (failure,) = roundtrip.check(File("a.py", path)).failures
    assert failure.pass_name == "breaks"
    assert "line 1: new syntax error" in failure.what


def test_samples_are_seeded() -> None:
    pool = files(("stdlib",))
    assert sample(pool, 20, 1) == sample(pool, 20, 1) != sample(pool, 20, 2)


def test_a_long_file_is_measured() -> None:
    source = long_file(files(("stdlib",))[:60], 0, HEADER, lines=400)
    assert not Module(source).tree.root_node.has_error
    found = measure(source, 0, cold=1, edits=2, warm_up=1)
    assert found.sites > 50
    assert len(found.step_s) == 2
