"""Autotuned kernels run under each of their configurations, with everything that goes along."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
import triton.language as tl

from semrep.runtime.triton.autotune import StaticAssertion, configuration
from tests.runtime.triton.interpreted import interpreted

events: list[Any] = []


def _no_small_blocks(configs: list[Any], named: dict[str, Any], **rest: Any) -> list[Any]:
    return [config for config in configs if config.kwargs["B"] >= named["n"]]


def _before(values: dict[str, Any]) -> None:
    events.append(values["B"])


@triton.autotune(
    [triton.Config({"B": b}, num_warps=w, pre_hook=_before) for b, w in ((8, 1), (16, 2), (32, 4))],
    key=["n"],
    prune_configs_by={"early_config_prune": _no_small_blocks},
    reset_to_zero=["y"],
)
@triton.heuristics({"EVEN": lambda values: values["n"] % values["B"] == 0})
@triton.jit
def note_block(x, y, n, B: tl.constexpr, EVEN: tl.constexpr):
    i = tl.arange(0, B)
    v = tl.load(x + i, mask=i < n)
    tl.store(y + i, tl.load(y + i, mask=i < n) + v + B * 1000 + EVEN * 100, mask=i < n)


def blocks(n: int, y: torch.Tensor | None = None) -> float:
    y = torch.full((n,), 5.0) if y is None else y
    note_block[(1,)](torch.zeros(n), y, n)
    assert y.eq(y[0]).all()
    return y[0].item()


@interpreted
def test_each_configuration_in_turn() -> None:
    with configuration(0) as tuned:
        assert blocks(8) == 8100.0
    assert tuned.counts == {"note_block": 3} and tuned.count == 3
    with configuration(1) as tuned:
        assert blocks(8) == 16000.0
    assert "B: 16" in tuned.chosen["note_block"] and "num_warps: 2" in tuned.chosen["note_block"]
    with configuration(2):
        assert blocks(8) == 32000.0
    with configuration(3):
        assert blocks(8) == 8100.0
    assert blocks(8) == 8100.0


@interpreted
def test_pruning_decides_what_is_counted() -> None:
    with configuration(1) as tuned:
        assert blocks(16) == 32000.0
        assert blocks(16) == 32005.0  # the key is known: nothing is tuned, or reset
    assert tuned.count == 2
    with configuration(1) as tuned:
        # With one left there is nothing to tune, and so nothing is reset either.
        assert blocks(32) == 32105.0
    assert tuned.count == 1


@interpreted
def test_reset_happens_when_a_key_is_new_and_hooks_run_at_every_call() -> None:
    with configuration(1):
        events.clear()
        y = torch.full((8,), 5.0)
        assert blocks(8, y) == 16000.0
        assert blocks(8, y) == 32000.0
        assert events == [16, 16]


@triton.autotune([triton.Config({"B": 4})], key=[])
@triton.jit
def only_one(y, B: tl.constexpr):
    tl.store(y + tl.arange(0, B), 1.0)


@triton.autotune(
    [triton.Config({"B": 4}), triton.Config({"B": 2})],
    key=[],
    restore_value=["y"],
    prune_configs_by={"perf_model": lambda B, **rest: -B, "top_k": 2},
)
@triton.jit
def by_model(y, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(y + i, tl.load(y + i) + 1.0)


@interpreted
def test_single_configurations_models_and_no_autotuner_at_all() -> None:
    with configuration(5) as tuned:
        pass
    assert tuned.count == 1
    with configuration(0) as tuned:
        y = torch.zeros(4)
        only_one[(1,)](y)
    assert tuned.counts == {"only_one": 1} and y.eq(1).all()
    for index, written in ((0, 4), (1, 2)):
        with configuration(index) as tuned:
            y = torch.zeros(4)
            by_model[(1,)](y)
        assert y.sum().item() == written and tuned.count == 2


@triton.autotune([triton.Config({"B": b}) for b in (3 * 16, 32, 16)], key=["n"])
@triton.jit
def whole_blocks(y, n, B: tl.constexpr):
    tl.static_assert(n % B == 0, "n must be divisible by B")
    tl.static_assert(B < 64)
    tl.store(y, B)


@interpreted
def test_a_configuration_that_does_not_compile_is_left_out() -> None:
    for index, want in ((0, 32), (1, 32), (2, 16)):
        y = torch.zeros(1)
        with configuration(index) as tuned:
            whole_blocks[(1,)](y, 64)
        assert y.item() == want and f"B: {want}" in tuned.chosen["whole_blocks"]
    with pytest.raises(StaticAssertion, match="divisible"):
        whole_blocks[(1,)](torch.zeros(1), 7)
