from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import semrep
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import NodePass, Refusal
from semrep.passes.pipeline import PipelineError

PLAIN = """\
def f(x, y):
    if not (5 < x and not y in [x]):
        return x + 1
    else:
        return y


def semrep_inputs():
    return [(1, 2), (7, 7), (9, 1)]
"""

NUMPY = """\
import numpy as np


def f(a, b):
    c = np.matmul(a, b)
    return c.sum(axis=1)


def semrep_inputs():
    g = np.random.default_rng(0)
    return [(g.standard_normal((256, 256)), g.standard_normal((256, 512)))]
"""


@dataclass(frozen=True, slots=True)
class _OffByOne(NodePass):
    """Adds one to every literal 1: wrong, and it says it is bitwise."""

    name: ClassVar[str] = "off-by-one"
    summary: ClassVar[str] = "for tests"
    anchors: ClassVar[frozenset[str]] = frozenset({"integer"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return node.text == "1" and unit.name == "f"

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        return [Edit(node.span, b"2")]


def test_passes_are_applied_and_verified() -> None:
    result = semrep.apply_passes(PLAIN)
    assert result.status is semrep.Status.VERIFIED, result
    assert "x > 5" in result.src and result.changed and result.pipeline
    assert result.verdict is not None and result.verdict.to_json()["verdict"] == "equivalent"


def test_without_inputs_nothing_is_claimed() -> None:
    source = PLAIN[: PLAIN.index("def semrep_inputs")]
    result = semrep.apply_passes(source)
    assert result.status is semrep.Status.NOT_EXECUTED
    assert result.verdict is None and "--entry" in result.note or "inputs" in result.note
    with pytest.raises(ValueError, match="cannot verify"):
        semrep.apply_passes(source, verify=True)
    tensor = semrep.apply_passes(NUMPY[: NUMPY.index("def semrep_inputs")], "tensor.*")
    assert not tensor.changed


def test_without_a_run_no_assumption_is_made() -> None:
    assuming = [p for p in semrep.all_passes() if p.contract.assumes]
    assert {"load-row-once", "spell-operators"} <= {p.name for p in assuming}
    source = (Path(__file__).parents[1] / "examples" / "triton_softmax.py").read_text()
    result = semrep.optimize(source[: source.index("def semrep_inputs")])
    assert result.status in (semrep.Status.UNCHANGED, semrep.Status.NOT_EXECUTED)
    taken = {s.site.pass_spec.partition("{")[0] for s in result.trace.steps}
    assert not taken & {p.name for p in assuming}


def test_a_wrong_step_is_taken_back_and_the_right_ones_stay() -> None:
    result = semrep.apply_passes(PLAIN, ["order-comparison", _OffByOne()])
    assert result.status is semrep.Status.VERIFIED, result
    assert "x > 5" in result.src and "x + 1" in result.src
    assert [r.step.site.pass_spec for r in result.rejected] == ["off-by-one"]
    assert "different" in result.rejected[0].reason


def test_only_wrong_steps_leave_the_original() -> None:
    result = semrep.apply_passes(PLAIN, [_OffByOne()])
    assert result.status is semrep.Status.REJECTED
    assert result.src == PLAIN and not result.changed


def test_an_original_that_fails_is_no_baseline() -> None:
    result = semrep.apply_passes(PLAIN.replace("    if not", "    x = x / 0\n    if not"))
    assert result.status is semrep.Status.NO_BASELINE
    assert "ZeroDivisionError" in result.note and not result.changed


def test_unfit_texts_are_not_touched() -> None:
    result = semrep.apply_passes(b"print 'x'\ny = 5 < x\n")
    assert result.status is semrep.Status.NOT_REWRITABLE and not result.changed
    assert semrep.optimize(b"x = 1\0").status is semrep.Status.NOT_REWRITABLE


def test_optimize_finds_and_confirms(tmp_path: Path) -> None:
    file = tmp_path / "f.py"
    file.write_text(NUMPY)
    result = semrep.optimize(file, passes="tensor.*", budget="30s")
    assert result.status is semrep.Status.VERIFIED, result
    assert result.cost is not None and result.cost.ratio > 1
    assert "matmul" not in result.src
    assert file.read_text() == NUMPY
    again = semrep.apply_passes(NUMPY, result.pipeline)
    assert again.src == result.src


def test_optimize_keeps_the_original_where_nothing_gains() -> None:
    result = semrep.optimize(PLAIN, passes="canonical", budget=2)
    assert result.status is semrep.Status.UNCHANGED, result
    assert result.src == PLAIN and len(result.attempts) == 2


def test_a_search_that_never_began_says_so() -> None:
    result = semrep.optimize(NUMPY, passes="tensor.*", budget="0.01s")
    assert result.status is semrep.Status.UNCHANGED and not result.attempts
    assert result.note.startswith("stopped before the first attempt (budget)")


def test_optimize_for_size() -> None:
    result = semrep.optimize(PLAIN, goal="size", passes="canonical")
    assert result.status is semrep.Status.VERIFIED, result
    assert len(result.src) < len(PLAIN)


def test_bad_arguments_say_why() -> None:
    with pytest.raises(ValueError, match="no goal is named 'speed'"):
        semrep.optimize(PLAIN, goal="speed")
    with pytest.raises(ValueError, match="no strategy is named"):
        semrep.optimize(PLAIN, strategy="magic")
    with pytest.raises(ValueError, match="is no budget"):
        semrep.optimize(PLAIN, budget="soon")
    with pytest.raises(PipelineError):
        semrep.apply_passes(PLAIN, "no-such-pass")
    with pytest.raises(AttributeError):
        _ = semrep.no_such_name  # type: ignore[attr-defined]


def test_inputs_given_by_the_caller() -> None:
    source = PLAIN[: PLAIN.index("def semrep_inputs")]
    result = semrep.apply_passes(source, entry="f", inputs="[(1, 2), (7, 7), (9, 1)]")
    assert result.status is semrep.Status.VERIFIED, result


@pytest.mark.parametrize("deep", ["-" * 3000 + "a", "-" * 20_000 + "a"])
def test_what_is_too_deep_for_python_comes_back(deep: str) -> None:
    text = f"def f(a):\n    x = {deep}\n    return not (not x)\n"
    for verify in (False, None):
        result = semrep.apply_passes(text, verify=verify)
        assert result.source == text.encode() or result.changed
