from __future__ import annotations

import pytest

from semrep.passes import registry
from semrep.passes.pipeline import Pipeline, PipelineError


@pytest.mark.parametrize("pass_", registry.all_passes(), ids=str)
def test_each_pass_round_trips(pass_: object) -> None:
    assert str(Pipeline.parse(str(pass_))) == str(pass_)


def test_pipelines_round_trip() -> None:
    text = "fold-constants,order-comparison@10-20,push-negation"
    assert str(Pipeline.parse(text)) == text
    assert str(Pipeline.parse("")) == ""


def test_families_patterns_and_opt_in() -> None:
    family = Pipeline.parse("canonical")
    assert [str(e) for e in family] == [str(e) for e in Pipeline.parse("canonical.*")]
    names = {e.pass_.name for e in family}
    assert "order-comparison" in names and "normalize-names" not in names
    assert "normalize-names" in {e.pass_.name for e in Pipeline.parse("normalize-names")}
    assert all(e.pass_.name.startswith("fold-") for e in Pipeline.parse("fold-*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fold-constant", "did you mean fold-constants"),
        ("fold-constants{depth=3}", "no option 'depth'"),
        ("fold-constants{", "unbalanced"),
        ("scalar.*@3-4", "neither options nor a place"),
        ("fold-constants,,push-negation", "no pipeline element"),
        ("nothing-*", "names no pass"),
        ("a b", "no pipeline element"),
    ],
)
def test_bad_pipelines_say_why(text: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        Pipeline.parse(text)


def test_what_changes_special_values_must_be_asked_for() -> None:
    chosen = {e.pass_.name for e in Pipeline.parse("tensor")}
    for pass_ in registry.all_passes():
        if any("finite" in fact for fact in pass_.contract.assumes):
            assert pass_.is_opt_in and pass_.name not in chosen
