"""Strategies, judged by an evaluator that runs nothing and knows every answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from semrep.ir.module import Module
from semrep.passes.contract import Contract
from semrep.passes.pipeline import Pipeline
from semrep.search.beam import beam
from semrep.search.budget import Budget
from semrep.search.evaluation import Decision, Judgement
from semrep.search.greedy import greedy
from semrep.search.moves import Move, inside, legal_moves
from semrep.search.strategy import Search, Strategy

SOURCE = """\
def f(x, y):
    a = not (5 < x and not y in x)
    b = [*range(0, 3)]
    return a, b
"""
PASSES = Pipeline.parse("order-comparison,negate-comparison,normalize-range,push-negation").passes


@dataclass(frozen=True)
class _Cost:
    ratio: float

    @property
    def low(self) -> float:
        return self.ratio

    high = low

    @property
    def faster(self) -> bool:
        return self.ratio > 1

    @property
    def slower(self) -> bool:
        return self.ratio < 1

    def describe(self) -> str:
        return f"{self.ratio}x"

    def to_json(self) -> dict[str, Any]:
        return {}


class _Oracle:
    """Gain by pass name; 0 stands for a candidate that differs."""

    def __init__(self, gains: dict[str, float]) -> None:
        self.gains = gains
        self.judged: list[str] = []

    def judge(self, base: Module, move: Move, contract: Contract) -> Judgement:
        name = move.pass_.name
        self.judged.append(name)
        gain = self.gains.get(name, 1.0)
        if gain == 0:
            return Judgement(Decision.DIFFERENT, "differs")
        cost = _Cost(gain)
        if cost.faster:
            return Judgement(Decision.ACCEPTED, "faster", None, cost)
        return Judgement(Decision.SLOWER if cost.slower else Decision.NO_GAIN, "", None, cost)


def _search(gains: dict[str, float], budget: Budget | None = None) -> Search:
    return Search(PASSES, _Oracle(gains), budget or Budget(evaluations=100))


@pytest.mark.parametrize("strategy", [greedy, beam(2, 4)], ids=["greedy", "beam"])
def test_takes_what_gains_and_leaves_what_differs(strategy: Strategy) -> None:
    search = _search({"order-comparison": 2.0, "normalize-range": 1.5, "push-negation": 0})
    outcome = strategy(search, Module.from_text(SOURCE))
    text = outcome.best.module.text
    assert "x > 5" in text and "range(3)" in text
    assert "or" not in text and "not y in" in text
    assert outcome.best.gain == pytest.approx(3.0)
    assert {s.site.pass_spec for s in outcome.best.steps} == {"order-comparison", "normalize-range"}


def test_greedy_tries_a_refused_move_once() -> None:
    search = _search({"push-negation": 0})
    outcome = greedy(search, Module.from_text(SOURCE))
    assert search.evaluator.judged.count("push-negation") == 1  # type: ignore[attr-defined]
    assert not outcome.best.steps and outcome.stopped == "nothing left to try"


def test_a_real_gain_gives_neutral_moves_another_chance() -> None:
    search = _search({"order-comparison": 2.0, "normalize-range": 1.0})
    greedy(search, Module.from_text(SOURCE))
    assert search.evaluator.judged.count("normalize-range") == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("strategy", [greedy, beam()], ids=["greedy", "beam"])
def test_stops_at_the_budget(strategy: Strategy) -> None:
    search = _search({"order-comparison": 2.0}, Budget(evaluations=2))
    outcome = strategy(search, Module.from_text(SOURCE))
    assert outcome.stopped == "budget" and len(outcome.attempts) == 2


@pytest.mark.parametrize("strategy", [greedy, beam()], ids=["greedy", "beam"])
def test_an_interrupt_gives_the_best_so_far(strategy: Strategy) -> None:
    search = _search({p.name: 2.0 for p in PASSES})

    def interrupt(attempt: object, best: object) -> None:
        if len(search.attempts) == 3:
            raise KeyboardInterrupt

    search.observer = interrupt
    outcome = strategy(search, Module.from_text(SOURCE))
    assert outcome.stopped == "interrupted"
    assert outcome.best.steps


@pytest.mark.parametrize("strategy", [greedy, beam()], ids=["greedy", "beam"])
def test_is_deterministic(strategy: Strategy) -> None:
    gains = {"order-comparison": 2.0, "push-negation": 1.2}
    runs = [strategy(_search(gains), Module.from_text(SOURCE)) for _ in range(2)]
    assert runs[0].best.pipeline == runs[1].best.pipeline
    assert [str(a) for a in runs[0].attempts] == [str(a) for a in runs[1].attempts]


def test_moves_can_be_confined() -> None:
    module = Module.from_text(SOURCE)
    everything = list(legal_moves(module, PASSES))
    line = module.source.index(b"b =")
    from semrep.ir.text import Span

    confined = list(legal_moves(module, PASSES, inside([Span(line, line + 20)])))
    assert len(confined) == 1 < len(everything)


_PLANNED = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1024, 1024)
        self.shift = nn.Parameter(torch.zeros(1024))

    def forward(self, x):
        return torch.mean(self.linear(x) - self.shift, dim=1)
"""
_TYPES = "Model.forward(x: f32[64, 1024], self.linear: Linear(1024, 1024), self.shift: f32[1024])"
_TENSOR = Pipeline.parse("tensor.*").passes


def _planned() -> Module:
    from tests.passes.signature_text import parse_signature

    return Module.from_text(_PLANNED).with_signature(parse_signature(_TYPES))


def test_steps_that_pay_together_alone_are_judged_together() -> None:
    """Alone the first changes too little to be seen."""
    search = Search(_TENSOR, _Oracle({"sum-of-product": 20.0}), Budget(evaluations=100))
    outcome = greedy(search, _planned())
    first = outcome.attempts[0]
    assert first.passes.endswith("sum-of-product") and len(first.before) == 1
    assert [s.site.pass_spec for s in outcome.best.steps][1] == "sum-of-product"
    assert outcome.best.gain == pytest.approx(20.0)
    assert "torch.mean(self.linear(x)" not in outcome.best.module.text


def test_a_plan_with_a_wrong_step_is_made_again_without_it() -> None:
    search = Search(_TENSOR, _Oracle({"sum-of-product": 0.0}), Budget(evaluations=100))
    outcome = greedy(search, _planned())
    wrong = [a for a in outcome.attempts if a.judgement.decision is Decision.DIFFERENT]
    assert wrong and wrong[0].before
    assert "sum-of-product" not in {s.site.pass_spec for s in outcome.best.steps}
    assert outcome.stopped == "nothing left to try"


def test_the_model_plans_nothing_without_types() -> None:
    from semrep.search.leap import leap
    from semrep.search.strategy import State

    search = Search(_TENSOR, _Oracle({}), Budget(evaluations=100))
    assert leap(search, State(Module.from_text(_PLANNED))) == ()
