"""Guarded copies are equal to what they copy, and nothing beside them can be touched unseen."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import multiprocessing
import signal
from collections.abc import Callable

import numpy as np
import pytest
import torch

from semrep.runtime import guarded as module
from semrep.runtime.guarded import NotGuarded, guarded, intact

TENSORS: dict[str, Callable[[], torch.Tensor]] = {
    "plain": lambda: torch.randn(3, 5),
    "empty": lambda: torch.empty(0, 4),
    "scalar": lambda: torch.tensor(2.5),
    "transposed": lambda: torch.randn(3, 5).t(),
    "offset": lambda: torch.randn(10, 10)[2:5, 1::3],
    "expanded": lambda: torch.randn(3, 1).expand(3, 4),
    "bfloat16": lambda: torch.randn(7).bfloat16(),
    "bool": lambda: torch.randn(9) > 0,
    "integers": lambda: torch.randint(-9, 9, (2000,)),
    "gradient": lambda: torch.randn(3, requires_grad=True),
    "conjugate": lambda: torch.randn(3, dtype=torch.complex64).conj(),
}
ARRAYS: dict[str, Callable[[], np.ndarray]] = {
    "plain": lambda: np.arange(15.0).reshape(3, 5),
    "empty": lambda: np.empty((0, 3)),
    "backwards": lambda: np.arange(15)[::-2],
    "transposed": lambda: np.arange(12, dtype=np.int8).reshape(3, 4).T,
    "window": lambda: np.lib.stride_tricks.sliding_window_view(np.arange(9), 3),
    "record": lambda: np.zeros(3, dtype=[("a", "i4"), ("b", "f8")]),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", TENSORS)
def test_tensors(name: str, side: module.Side) -> None:
    given = TENSORS[name]()
    copy = guarded(given, side=side)
    assert copy.equal(given) and copy.dtype == given.dtype and intact(copy)
    assert copy.requires_grad == given.requires_grad
    if not given.is_conj():
        assert (copy.stride(), copy.storage_offset()) == (given.stride(), given.storage_offset())
    if copy.numel() and not given.requires_grad:
        storage = copy.untyped_storage()
        start, size = storage.data_ptr(), storage.nbytes()
        ctypes.memset(start + size if side == "left" else start - 1, 0, 1)
        assert not intact(copy)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    given = ARRAYS[name]()
    copy = guarded(given)
    assert np.array_equal(copy, given) and copy.dtype == given.dtype
    assert copy.strides == given.strides and intact(copy)


def test_what_shares_memory_shares_it_still() -> None:
    base, shared = torch.zeros(10), {}
    one, two = guarded(base[:5], shared=shared), guarded(base[3:], shared=shared)
    one[4] = 7
    assert two[1].item() == 7
    flat, again = np.zeros(10), {}
    left, right = guarded(flat[:5], shared=again), guarded(flat[3:], shared=again)
    left[4] = 7
    assert right[1] == 7 and intact(left) and intact(right[1:])


def test_alignment_and_flushness() -> None:
    for count in (1, 3, 1000, 1024, 5000):
        copy = guarded(torch.zeros(count))
        start = copy.data_ptr()
        assert start % 16 == 0
        assert -(start + 4 * count) % 4096 < 16
        exact = guarded(torch.zeros(count), alignment=4)
        assert (exact.data_ptr() + 4 * count) % 4096 == 0
        assert guarded(torch.zeros(count), side="left").data_ptr() % 4096 == 0


def test_the_mapping_goes_with_the_last_reference() -> None:
    gc.collect()
    before = len(module._guards)
    copy = guarded(torch.zeros(9))
    view = copy[3:]
    del copy
    gc.collect()
    assert len(module._guards) == before + 1 and view.sum() == 0 and intact(view)
    del view
    gc.collect()
    assert len(module._guards) == before


def test_what_cannot_be_guarded() -> None:
    with pytest.raises(NotGuarded):
        guarded(np.array([object()]))
    with pytest.raises(NotGuarded):
        guarded(torch.zeros(3, device="meta"))
    with pytest.raises(NotGuarded):
        guarded([1.0])


def _touch(side: module.Side, offset: int, write: bool) -> None:
    faulthandler.disable()
    copy = guarded(torch.zeros(64, dtype=torch.uint8), side=side)
    address = copy.data_ptr() + offset
    if write:
        ctypes.memset(address, 1, 1)
    else:
        ctypes.string_at(address, 1)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(("side", "offset"), [("right", 64), ("left", -1), ("right", -4096)])
def test_an_access_outside_crashes(side: module.Side, offset: int, write: bool) -> None:
    child = multiprocessing.get_context("fork").Process(target=_touch, args=(side, offset, write))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGSEGV


def test_torch_runs_on_guarded_memory() -> None:
    x, w = torch.randn(33, 17), torch.randn(17, 9)
    assert torch.allclose(guarded(x) @ guarded(w), x @ w)
    copy = guarded(x)
    copy.mul_(2)
    assert copy.equal(x * 2) and intact(copy)
