"""Runs every case file against its pass, and fails for a pass that has none."""

from __future__ import annotations

import pytest

from semrep.ir.module import Module
from semrep.passes import registry
from semrep.passes.base import Pass, Refusal, Site
from semrep.passes.manager import PassManager, Trace, replay
from semrep.passes.pipeline import Pipeline
from tests.passes import cases, differential

CASES = [case for path in cases.files() for case in cases.read(path)]


def _module(case: cases.Case, code: str) -> Module:
    module = Module.from_text(code, "case.py")
    if "signature" in case.blocks:
        from tests.passes.signature_text import parse_signature

        module = module.with_signature(parse_signature(case.blocks["signature"]))
    assert not module.diagnostics, module.diagnostics
    return module


def _run(case: cases.Case, code: str) -> Trace:
    module = _module(case, code)
    trace = PassManager(max_steps=50).run(module, case.spec)
    assert len(trace.steps) < 50, "does not converge"
    again = PassManager().run(trace.after, case.spec)
    assert again.after.source == trace.after.source, "a second run changes the text again"
    assert not trace.after.diagnostics, trace.after.text
    assert replay(module, (s.site for s in trace.steps)).source == trace.after.source
    text = module.source
    for step in trace.steps:
        assert step.edits.inverse(text).apply(step.edits.apply(text)) == text
        assert Site.parse(str(step.site)) == step.site
        text = step.edits.apply(text)
    return trace


@pytest.mark.parametrize(
    "case", [c for c in CASES if "python before" in c.blocks], ids=lambda c: c.id
)
def test_rewrites(case: cases.Case, request: pytest.FixtureRequest) -> None:
    before, after = case.blocks["python before"], case.blocks["python after"]
    trace = _run(case, before)
    if request.config.getoption("--update-cases") and trace.after.text != after:
        cases.rewrite(case, trace.after.text)
        pytest.skip("rewritten")
    assert trace.after.text == after, "\n" + trace.after.text
    assert trace.changed
    compile(trace.after.text, "case.py", "exec")


@pytest.mark.parametrize(
    "case", [c for c in CASES if "python inputs" in c.blocks], ids=lambda c: c.id
)
def test_both_versions_agree(case: cases.Case) -> None:
    before = differential.load(case.blocks["python before"])
    after = differential.load(case.blocks["python after"])
    inputs = eval(case.blocks["python inputs"], {"nan": float("nan"), "inf": float("inf")})
    assert inputs
    for arguments in inputs:
        expected = differential.run(before, arguments)
        found = differential.run(after, arguments)
        assert differential.agree(expected, found), (arguments, expected, found)


@pytest.mark.parametrize(
    "case", [c for c in CASES if "python unchanged" in c.blocks], ids=lambda c: c.id
)
def test_leaves_alone(case: cases.Case) -> None:
    trace = _run(case, case.blocks["python unchanged"])
    assert not trace.steps, "\n" + trace.after.text


@pytest.mark.parametrize(
    "case", [c for c in CASES if "python refused" in c.blocks], ids=lambda c: c.id
)
def test_refuses(case: cases.Case) -> None:
    code, carets = case.refused()
    assert carets, "a refused block needs a caret line"
    module = _module(case, code)
    trace = PassManager().run(module, case.spec)
    assert not trace.steps, "\n" + trace.after.text
    told = {
        (*_place(module, m.site, m.refusal), m.refusal.code, m.refusal.message)
        for m in trace.missed
    }
    for caret in carets:
        assert (caret.line, caret.column, caret.code, caret.message) in told, told


def _place(module: Module, site: Site, refusal: Refusal) -> tuple[int, int]:
    location = module.location(refusal.span or site.span)
    return location.line, location.column


@pytest.mark.parametrize("pass_", registry.all_passes(), ids=str)
def test_has_cases_and_says_what_it_does(pass_: Pass) -> None:
    mine = [c for c in CASES if c.spec.partition("{")[0] == pass_.name]
    assert any("python before" in c.blocks for c in mine), "no case in which it fires"
    assert any("python unchanged" in c.blocks for c in mine), "no case that it leaves alone"
    doc = _doc(pass_)
    for part in ("Rewrite:", "Legal when:", "Numerics:", "Refuses:"):
        assert part in doc, f"the docstring lacks {part!r}"
    if "Refuses: nothing" not in " ".join(doc.split()):
        assert any("python refused" in c.blocks for c in mine), "no case in which it refuses"
    if pass_.family in ("canonical", "scalar", "loop"):
        assert any("python inputs" in c.blocks for c in mine), "no case that is run"
    assert str(Pipeline.parse(str(pass_))) == str(pass_)


def _doc(pass_: Pass) -> str:
    import sys

    own = pass_.__doc__ or ""
    module = sys.modules[type(pass_).__module__].__doc__ or ""
    return own + module + str(getattr(pass_, "doc", ""))
