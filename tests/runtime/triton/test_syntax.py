"""Kernels mean in the interpreter what they mean to the compiler."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from semrep.runtime.triton.bounds import OutOfBounds
from tests.runtime.triton.interpreted import interpreted


@triton.jit
def words(x, y, n, B: tl.constexpr):
    i = tl.arange(0, B)
    inside = i < n
    v = tl.load(x + i, mask=inside and i >= 0, other=0.0)
    small = v < 0.25
    large = v > 0.75
    middle = not (small or large)
    both = small or large or v == 0.5
    r = tl.where(middle, 1.0, 0.0) + tl.where(both, 2.0, 0.0)
    tl.store(y + i, r, mask=inside and not (i < 2))


@interpreted
def test_and_or_not_apply_to_each_element() -> None:
    x = torch.linspace(0, 1, 9)
    y = torch.full((9,), -1.0)
    words[(1,)](x, y, 9, B=16)
    outside = (x < 0.25) | (x > 0.75)
    want = (~outside).float() + 2.0 * (outside | (x == 0.5)).float()
    assert y[:2].eq(-1).all() and y[2:].equal(want[2:])


@triton.jit
def guarded(x, y, FIRST: tl.constexpr):
    p = tl.program_id(0)
    if FIRST and p > 0:
        tl.store(y + p, 1.0)
    if p > 0 and tl.load(x + p - 1) > 0:
        tl.store(y, 2.0)


@interpreted
def test_tensors_do_not_cut_the_evaluation_short() -> None:
    with pytest.raises(OutOfBounds, match="element -1"):
        guarded[(1,)](torch.ones(4), torch.zeros(4), False)


@triton.jit
def largest(dtype: tl.constexpr):
    return dtype.value.primitive_bitwidth


@triton.jit
def bits(x, y):
    v = tl.load(x)
    tl.store(y, largest(v.dtype))
    for k in range(2):
        tl.store(y + 1 + k, k.to(tl.int32))


@interpreted
def test_values_of_what_is_known_at_compile_time() -> None:
    y = torch.zeros(3, dtype=torch.int32)
    bits[(1,)](torch.ones(1, dtype=torch.float64), y)
    assert y.tolist() == [64, 0, 1]


@interpreted
def test_a_file_may_leave_the_language_out() -> None:
    import importlib.util
    import tempfile
    from pathlib import Path

    text = "import triton\n\n@triton.jit\ndef twice(x):\n    return x + x\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "without_language.py")
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("without_language", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        globals()["twice"] = module.twice
        x = torch.ones(4)
        uses_twice[(1,)](x, B=4)
    assert x.eq(2).all()


@triton.jit
def uses_twice(x, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(x + i, twice(tl.load(x + i)))  # noqa: F821
