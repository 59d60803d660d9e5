"""Fresh memory holds the pattern, everything else what it would hold without."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy import empty as early_numpy_empty
from torch import empty as early_empty

from semrep.runtime.poison import LARGE, NAN, PATTERNS, poisoned

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats(dtype: torch.dtype) -> None:
    with poisoned(NAN):
        assert torch.empty(5, dtype=dtype).isnan().all()
    with poisoned(LARGE):
        held = torch.empty(5, dtype=dtype).real
        assert held.isfinite().all() and held.eq(torch.tensor(3e4, dtype=dtype).real).all()


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(dtype: torch.dtype) -> None:
    seen = []
    for pattern in PATTERNS:
        with poisoned(pattern):
            seen.append(torch.empty(5, dtype=dtype).unique().item())
    largest = torch.iinfo(dtype).max
    assert len(set(seen)) == 2 and all(largest // 2 < value <= largest for value in seen)


def test_booleans_and_small_floats() -> None:
    with poisoned(NAN):
        assert torch.empty(3, dtype=torch.bool).all()
        assert torch.empty(3, dtype=torch.float8_e4m3fn).float().isnan().all()
    with poisoned(LARGE):
        assert not torch.empty(3, dtype=torch.bool).any()
        assert torch.empty(3, dtype=torch.float8_e4m3fn).float().eq(448).all()


BASE = torch.ones(4, 6)
MAKERS: dict[str, Callable[[], torch.Tensor]] = {
    "imported before": lambda: early_empty(3, 4),
    "empty_like": lambda: torch.empty_like(BASE.t()),
    "new_empty": lambda: BASE.new_empty(3),
    "empty_strided": lambda: torch.empty_strided((3, 4), (1, 5)),
    "overlapping": lambda: torch.empty_strided((3, 4), (0, 1)),
    "empty_permuted": lambda: torch.empty_permuted((2, 3, 4), (0, 2, 1)),
    "channels_last": lambda: torch.empty(2, 3, 4, 5, memory_format=torch.channels_last),
    "requires_grad": lambda: torch.empty(3, requires_grad=True).detach(),
    "constructor": lambda: torch.Tensor(3, 4),
    "resized": lambda: torch.ones(0).resize_(5),
    "resized as": lambda: torch.ones(0).resize_as_(BASE),
    "in a module": lambda: torch.nn.utils.skip_init(torch.nn.Linear, 3, 4).weight.detach(),
    "numpy": lambda: torch.from_numpy(np.empty((3, 4), np.float32)),
    "numpy imported before": lambda: torch.from_numpy(early_numpy_empty(2000)),
    "numpy like": lambda: torch.from_numpy(np.empty_like(BASE.numpy().T)),
    "numpy constructor": lambda: torch.from_numpy(np.ndarray((3, 4))),
    "numpy where": lambda: torch.from_numpy(np.add(1.0, np.ones(3), where=np.zeros(3, bool))),
}


@pytest.mark.filterwarnings("ignore:'where' used without 'out'")
@pytest.mark.parametrize("name", MAKERS)
def test_every_way_to_uninitialised_memory(name: str) -> None:
    plain = MAKERS[name]()
    for pattern in PATTERNS:
        with poisoned(pattern):
            made = MAKERS[name]()
            made_again = made.clone()
        expected = made_again.isnan() if pattern is NAN else made_again.ge(3e4)
        assert expected.all(), made
        assert (made.shape, made.stride(), made.dtype) == (plain.shape, plain.stride(), plain.dtype)
        assert made._version == plain._version


def test_only_what_resizing_adds_is_poisoned() -> None:
    with poisoned(NAN):
        grown = torch.ones(4).resize_(8)
        assert grown[:4].eq(1).all() and grown[4:].isnan().all()
        assert torch.ones(8).resize_(4).eq(1).all()
        given = torch.ones(4)
        torch.empty(4, out=given)
        assert given.eq(1).all()


def test_values_that_are_written_stay() -> None:
    def program() -> list[torch.Tensor]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 3)
        x = torch.randn(5, 4, requires_grad=True)
        loss = torch.nn.functional.layer_norm(layer(x), (3,)).relu().sum()
        loss.backward()
        assert x.grad is not None and layer.weight.grad is not None
        numpy = torch.from_numpy(np.sort(np.random.default_rng(0).random(20)).cumsum())
        deep = copy.deepcopy(layer).weight.detach()
        return [loss.detach(), x.grad, layer.weight.grad, numpy, deep, torch.arange(9).cumsum(0)]

    plain = program()
    for pattern in PATTERNS:
        with poisoned(pattern):
            again = program()
        assert all(a.equal(b) for a, b in zip(plain, again, strict=True))


def test_meta_and_sparse_tensors_are_left_alone() -> None:
    with poisoned(NAN):
        assert torch.empty(3, device="meta").is_meta
        assert torch.empty((3, 3), layout=torch.sparse_coo).is_sparse
        assert torch.empty(0).numel() == 0 and np.empty(0).size == 0
        assert np.empty(3, dtype=object).tolist() == [None] * 3
        assert np.zeros(5).sum() == 0 and np.zeros(100_000).sum() == 0


def test_nothing_is_poisoned_afterwards() -> None:
    with poisoned(NAN):
        kept = np.empty(100)
    with pytest.raises(ZeroDivisionError), poisoned(LARGE):
        raise ZeroDivisionError
    assert not any(np.isnan(np.add(1.0, np.zeros(50))).tolist())
    assert len(torch.overrides._get_current_function_mode_stack()) == 0
    fresh = [torch.empty(64) for _ in range(50)]
    assert not all(math.isnan(t[0].item()) for t in fresh[1:]) or kept.size == 100
    del kept


def test_an_unwritten_tail_is_found() -> None:
    def sloppy(x: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        out[:-1] = x[:-1] * 2
        return out

    results = []
    for pattern in PATTERNS:
        with poisoned(pattern):
            results.append(sloppy(torch.ones(8)))
    assert not results[0].equal(results[1])
