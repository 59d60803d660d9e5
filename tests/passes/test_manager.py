from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal, Site
from semrep.passes.manager import BrokenEdit, PassManager, replay, step
from semrep.passes.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class _Careless(NodePass):
    """Writes what does not parse."""

    name: ClassVar[str] = "careless"
    summary: ClassVar[str] = "for tests"
    anchors: ClassVar[frozenset[str]] = frozenset({"integer"})

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        return [Edit(node.span, b"1 +")]


@dataclass(frozen=True, slots=True)
class _Restless(NodePass):
    """Never comes to an end."""

    name: ClassVar[str] = "restless"
    summary: ClassVar[str] = "for tests"
    anchors: ClassVar[frozenset[str]] = frozenset({"integer"})

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        return [Edit(node.span, str(int(node.text) + 1).encode())]


def test_a_broken_edit_is_a_bug() -> None:
    with pytest.raises(BrokenEdit, match="does not parse"):
        PassManager().run(Module.from_text("x = 3\n"), [_Careless()])


def test_a_pass_that_never_ends_is_stopped() -> None:
    trace = PassManager(max_steps=7).run(Module.from_text("x = 3\n"), [_Restless()])
    assert trace.after.text == "x = 10\n"


def test_a_foreign_site_is_refused() -> None:
    module = Module.from_text("def f(x):\n    return 5 < x\n")
    pass_ = Pipeline.parse("order-comparison").passes[0]
    site = next(iter(pass_.sites(module)))
    other = Module.from_text("def f(y):\n    return 5 < y\n")
    with pytest.raises(ValueError, match="another text"):
        step(other, pass_, site)
    with pytest.raises(ValueError, match="not a site of"):
        step(module, pass_, Site("push-negation", site.span, site.digest))


def test_the_printed_pipeline_replays_the_result() -> None:
    source = (
        "def f(x, y):\n    if not (5 < x and not y in x):\n        return 1\n"
        "    else:\n        return [*range(0, 3)]\n\n\nz = not (5 < f and 3 < f)\n"
    )
    module = Module.from_text(source)
    trace = PassManager().run(module, "canonical")
    assert len(trace.steps) >= 4
    again = PassManager().run(module, trace.pipeline)
    assert again.after.source == trace.after.source
    assert replay(module, [s.site for s in trace.steps]).source == trace.after.source


def test_a_vetoed_step_is_not_taken() -> None:
    module = Module.from_text("def f(x):\n    return 5 < x, [*range(0, x)]\n")
    first = PassManager().run(module, "canonical")
    assert len(first.steps) == 2
    second = PassManager(vetoed=[first.steps[0].key]).run(module, "canonical")
    assert [s.key for s in second.steps] == [first.steps[1].key]


def test_the_observer_sees_each_text() -> None:
    seen: list[str] = []
    module = Module.from_text("def f(x):\n    return 5 < x and 6 < x\n")
    manager = PassManager(observer=lambda step, after: seen.append(after.text))
    trace = manager.run(module, "order-comparison")
    assert len(seen) == len(trace.steps) == 2
    assert seen[-1] == trace.after.text
    assert {name for name, _ in trace.seconds} == {"order-comparison"}


def test_newlines_and_encodings_survive() -> None:
    source = "def f(x):\r\n    # é\r\n    if not x in 'é':\r\n        return 1\r\n".encode(
        "latin-1"
    )
    source = b"# coding: latin-1\r\n" + source
    trace = PassManager().run(Module.from_text(source), "canonical")
    assert b"if x not in '\xe9':\r\n" in trace.after.source
    assert b"\n" not in trace.after.source.replace(b"\r\n", b"")


def test_nothing_is_rewritten_in_unfit_files() -> None:
    for text in (b"print 'x'\nx = 5 < y\n", b"x = 5 < y\0", b"def f(:\n  return 5 < y\n"):
        assert not PassManager().run(Module.from_text(text), "*").changed


def test_code_that_nests_too_deep_is_refused() -> None:
    source = b"def f(x):\n    y = " + b"-" * 4000 + b"1\n    return 5 < x, y\n"
    trace = PassManager(max_steps=20).run(Module.from_text(source), "canonical,scalar,loop")
    assert b"x > 5" in trace.after.source
