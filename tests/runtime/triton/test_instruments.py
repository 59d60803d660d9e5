"""Kernels with known faults, each found by the instrument meant for it and by no other; and
liger-kernel's clean ones, in which none finds anything."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
import triton
import triton.language as tl

from semrep.runtime.guarded import guarded, intact
from semrep.runtime.poison import PATTERNS, poisoned
from semrep.runtime.triton.bounds import OutOfBounds
from semrep.runtime.triton.watch import Reversed, Shuffled, watching
from tests.runtime.triton.interpreted import interpreted


@triton.jit
def double(x, y, n, B: tl.constexpr, LATE: tl.constexpr, EARLY: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, tl.load(x + i, mask=i < n + LATE) * 2, mask=i < n - EARLY)


@triton.jit
def total(x, y, n, B: tl.constexpr, ATOMIC: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    part = tl.sum(tl.load(x + i, mask=i < n, other=0.0))
    if ATOMIC:
        tl.atomic_add(y, part)
    else:
        tl.store(y, tl.load(y) + part)


@triton.jit
def last_wins(x, y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y, tl.max(tl.load(x + i, mask=i < n, other=0.0)))


def doubled(x: torch.Tensor, late: int = 0, early: int = 0, programs: int = 4) -> torch.Tensor:
    y = torch.empty_like(x)
    double[(programs,)](x, y, x.numel(), B=16, LATE=late, EARLY=early)
    return y


def summed(x: torch.Tensor, atomic: bool = True) -> torch.Tensor:
    y = torch.zeros(1)
    total[(4,)](x, y, x.numel(), B=16, ATOMIC=atomic)
    return y


def overwritten(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty(1)
    last_wins[(4,)](x, y, x.numel(), B=16)
    return y


# Small whole numbers: sums are exact in any order.
X = torch.arange(60.0)
FAULTS: dict[str, tuple[Callable[[], torch.Tensor], set[str]]] = {
    "clean": (lambda: doubled(X), set()),
    "clean atomics": (lambda: summed(X), set()),
    "a load masked one too late": (lambda: doubled(X, late=1), {"bounds"}),
    "an output's last element unwritten": (lambda: doubled(X, early=1), {"poison"}),
    "a program too few": (lambda: doubled(X, programs=3), {"poison"}),
    "a missing atomic": (lambda: summed(X, atomic=False), {"races"}),
    "the order decides": (lambda: overwritten(X), {"races", "order"}),
}


def found(run: Callable[[], Any]) -> set[str]:
    """Which instruments find something in what `run` does."""

    def outputs() -> list[torch.Tensor]:
        result = run()
        return list(result) if isinstance(result, tuple) else [result]

    def differ(ones: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
        return not all(
            bool((a.view(torch.uint8) == b.view(torch.uint8)).all())
            for a, b in zip(map(_flat, ones), map(_flat, others), strict=True)
        )

    seen = set()
    try:
        with watching() as report:
            plain = outputs()
    except OutOfBounds:
        return {"bounds"}
    seen |= {"races"} if report.races else set()
    poisons = []
    for pattern in PATTERNS:
        with poisoned(pattern):
            poisons.append(outputs())
    seen |= {"poison"} if differ(*poisons) else set()
    for order in (Reversed(), Shuffled(3)):
        with watching(races=False, order=order) as report:
            again = outputs()
        # Floating sums by atomics are rounded in whatever order they come.
        if differ(again, plain) and not (seen & {"poison"}) and not report.atomics:
            seen.add("order")
    return seen


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().reshape(-1).contiguous()


@pytest.mark.parametrize("name", FAULTS)
@interpreted
def test_each_fault_is_found_by_its_instrument(name: str) -> None:
    run, instruments = FAULTS[name]
    assert found(run) == instruments


@interpreted
def test_guarded_arguments_go_through_kernels() -> None:
    x = guarded(X)
    y = guarded(torch.zeros(60))
    double[(4,)](x, y, 60, B=16, LATE=0, EARLY=0)
    assert y.equal(X * 2) and intact(x) and intact(y)


LIGER = ("rms_norm", "cross_entropy", "layer_norm", "geglu", "softmax", "fused_linear_jsd", "rope")


@pytest.mark.skipif(
    importlib.util.find_spec("liger_kernel") is None, reason="liger-kernel is not installed"
)
@pytest.mark.parametrize("name", LIGER)
@interpreted
def test_nothing_is_found_in_kernels_that_are_right(name: str) -> None:
    from tests.runtime.triton.liger_operations import OPERATIONS, call

    torch.manual_seed(0)
    tensors = OPERATIONS[name].inputs()
    assert found(lambda: call(name, tensors)) == set()
