"""What libraries' own caches around kernels ask of a compiled one."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from tests.runtime.triton.interpreted import interpreted


@triton.jit(do_not_specialize=["n"])
def add(x, y, n, scale, B: tl.constexpr, TWICE: tl.constexpr = False):
    i = tl.program_id(0) * B + tl.arange(0, B)
    v = tl.load(x + i, mask=i < n) * scale
    if TWICE:
        v = v * 2
    tl.store(y + i, v, mask=i < n)


@interpreted
def test_a_kernel_is_found_and_described() -> None:
    assert isinstance(add, triton.runtime.JITFunction)
    assert [p.name for p in add.params if p.is_constexpr] == ["B", "TWICE"]
    assert [p.name for p in add.params if p.do_not_specialize] == ["n"]
    assert list(add.signature.parameters)[:2] == ["x", "y"] and len(add.cache_key) > 8
    assert add.__name__ == "add" and not hasattr(add, "nothing_of_the_kind")


@interpreted
def test_what_a_launch_returns_can_be_launched_again() -> None:
    x, y = torch.randn(20), torch.zeros(20)
    kernel = add[(2,)](x, y, 20, 3.0, B=16)
    assert torch.equal(y, x * 3.0)
    other, z = torch.randn(20), torch.zeros(20)
    kernel[(2, 1, 1)](other, z, 20, 2.0)
    assert torch.equal(z, other * 2.0)
    kernel[(2,)](other, z, 20, 1.0, 16, True)
    assert torch.equal(z, other * 2.0)
    with pytest.raises(ValueError):
        kernel[(2,)](other, z)
    with pytest.raises(AttributeError, match="compiles no kernel"):
        _ = kernel.n_regs
    assert y is not None and add.warmup(x, y, 20, 1.0, B=16, grid=(1,)) is not None
