"""Accesses that leave their storage are refused before they happen, all others are not."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from semrep.runtime.triton.bounds import OutOfBounds
from semrep.runtime.triton.spin import WaitsForever
from tests.runtime.triton.interpreted import interpreted


@triton.jit
def copy(x, y, n, limit, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, tl.load(x + i, mask=i < n, other=0.0), mask=i < limit)


@interpreted
def test_lanes_that_are_masked_off_may_point_anywhere() -> None:
    x, y = torch.ones(60), torch.zeros(60)
    copy[(4,)](x, y, 60, 60, B=32)
    assert y.equal(x)


@interpreted
def test_the_message_names_kernel_program_argument_and_lane() -> None:
    x, y = torch.ones(60), torch.zeros(60)
    with pytest.raises(OutOfBounds) as caught:
        copy[(2,)](x, y, 61, 60, B=32)
    text = str(caught.value)
    assert "kernel copy, program (1, 0, 0): load of 4 bytes through argument x" in text
    assert "element 60" in text and "elements 0 to 59" in text
    assert "lane 28 is the first of 1 (of 32)" in text
    with pytest.raises(OutOfBounds, match="store of 4 bytes through argument y"):
        copy[(2,)](x, y, 60, 61, B=32)


@interpreted
def test_storage_of_another_argument_is_out_of_bounds_too() -> None:
    storage = torch.zeros(64).untyped_storage()
    both = torch.zeros(64)
    both.set_(storage, 0, (64,), (1,))
    # Neighbours in memory, but storages of their own.
    import numpy as np

    flat = both.numpy()
    x, y = torch.from_numpy(flat[:32]), torch.from_numpy(flat[32:])
    assert isinstance(flat, np.ndarray) and x.data_ptr() + 128 == y.data_ptr()
    with pytest.raises(OutOfBounds, match="lands in argument y"):
        copy[(1,)](x, y, 33, 32, B=64)
    # Views of one storage reach each other.
    copy[(1,)](both[:32], both[32:], 33, 32, B=64)


@triton.jit
def add_atomically(x, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.atomic_add(x + i, 1.0, mask=i < n)


@triton.jit
def swap_at(x, i):
    tl.atomic_cas(x + i, 0, 1)


@interpreted
def test_atomics() -> None:
    x = torch.zeros(60)
    add_atomically[(1,)](x, 60, B=64)
    assert x.eq(1).all()
    with pytest.raises(OutOfBounds, match="atomic"):
        add_atomically[(1,)](x, 61, B=64)
    flags = torch.zeros(4, dtype=torch.int32)
    swap_at[(1,)](flags, 3)
    with pytest.raises(OutOfBounds, match="atomic"):
        swap_at[(1,)](flags, -1)


@triton.jit
def tile_on_device(x, y, rows, columns, stride):
    source = tl.make_tensor_descriptor(x, [rows, columns], [stride, 1], [4, 8])
    target = tl.make_tensor_descriptor(y, [rows, columns], [stride, 1], [4, 8])
    target.store([4, 8], source.load([4, 8]))


@triton.jit
def tile(source, target):
    target.store([4, 8], source.load([4, 8]))


@interpreted
def test_tensor_descriptors() -> None:
    x, y = torch.randn(6, 12), torch.zeros(6, 12)
    tile_on_device[(1,)](x, y, 6, 12, 12)
    assert y[4:, 8:].equal(x[4:, 8:])
    with pytest.raises(OutOfBounds, match="argument x"):
        tile_on_device[(1,)](x, y, 7, 12, 12)
    y.zero_()
    tile[(1,)](TensorDescriptor.from_tensor(x, [4, 8]), TensorDescriptor.from_tensor(y, [4, 8]))
    assert y[4:, 8:].equal(x[4:, 8:])
    too_long = TensorDescriptor(x, [7, 12], [12, 1], [4, 8])
    with pytest.raises(OutOfBounds, match="argument source"):
        tile[(1,)](too_long, TensorDescriptor.from_tensor(y, [4, 8]))


@triton.jit
def first_of(pair, n, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(pair[0] + i, tl.load(pair[1] + i, mask=i < n), mask=i < n)


@interpreted
def test_tensors_in_tuples() -> None:
    x, y = torch.randn(8), torch.zeros(8)
    first_of[(1,)]((y, x), 8, B=16)
    assert y.equal(x)
    with pytest.raises(OutOfBounds, match=r"argument pair\[1\]"):
        first_of[(1,)]((y, x), 9, B=16)


@triton.jit
def gather_pointers(addresses, out, n, B: tl.constexpr):
    i = tl.arange(0, B)
    source = tl.load(addresses + tl.program_id(0)).to(tl.pointer_type(tl.float32))
    row = tl.load(source + i, mask=i < n)
    tl.store(out + tl.program_id(0) * B + i, row, mask=i < n)


@interpreted
def test_pointers_made_from_integers_may_touch_tensors_that_live() -> None:
    rows = [torch.randn(8) for _ in range(3)]
    addresses = torch.tensor([row.data_ptr() for row in rows])
    out = torch.zeros(3, 8)
    gather_pointers[(3,)](addresses, out, 8, B=8)
    assert out.equal(torch.stack(rows))
    addresses[1] = 4096
    with pytest.raises(OutOfBounds, match=r"program \(1, 0, 0\)"):
        gather_pointers[(3,)](addresses, out, 8, B=8)


@triton.jit
def wait_for_next(flags, n):
    program = tl.program_id(0)
    if program + 1 < n:
        while tl.atomic_add(flags + program + 1, 0) == 0:
            pass
    tl.atomic_add(flags + program, 1)


@interpreted
def test_waiting_for_a_program_that_has_not_run_ends() -> None:
    with pytest.raises(WaitsForever, match="wait_for_next"):
        wait_for_next[(2,)](torch.zeros(2, dtype=torch.int32), 2)


@interpreted
def test_empty_tensors_hold_nothing() -> None:
    copy[(1,)](torch.empty(0), torch.empty(0), 0, 0, B=4)
    with pytest.raises(OutOfBounds):
        copy[(1,)](torch.empty(0), torch.empty(0), 1, 0, B=4)
