"""The same protocol on a GPU: only the harness's device differs."""

from __future__ import annotations

import shutil

import pytest

from semrep.passes.contract import WITHIN_TOLERANCE
from semrep.verify import Different, Equivalent, Harness, Verifier, discover
from semrep.verify.pair import verify

pytestmark = pytest.mark.gpu

TORCH = """
import torch

def f(x, w):
    return torch.softmax(x @ w, -1)

def semrep_inputs():
    return (torch.randn(8, 64), torch.randn(64, 100))
"""

KERNEL = """
import torch, triton
import triton.language as tl

@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i, mask=i < n, other=0.0)
    tl.store(y_ptr + i, x * 2, mask=i < n)

def f(x):
    y = torch.empty_like(x)
    n = x.numel()
    kernel[(triton.cdiv(n, 128),)](x, y, n, BLOCK=128)
    return y

def semrep_inputs():
    return (torch.randn(1000, device="cuda"),)
"""


def on_device(source: str) -> Verifier:
    harness = discover(source.encode())
    assert isinstance(harness, Harness)
    import dataclasses

    return Verifier(source.encode(), dataclasses.replace(harness, device="cuda"))


def test_right_and_wrong_on_tensors() -> None:
    with on_device(TORCH) as verifier:
        right = TORCH.replace("torch.softmax(x @ w, -1)", "(x @ w).softmax(dim=-1)")
        verdict = verifier.check(right.encode(), WITHIN_TOLERANCE)
        assert isinstance(verdict, Equivalent) and verdict.grade == "gpu", str(verdict)
        wrong = TORCH.replace("torch.softmax(x @ w, -1)", "torch.softmax(1.001 * (x @ w), -1)")
        assert isinstance(verifier.check(wrong.encode(), WITHIN_TOLERANCE), Different)


@pytest.mark.parametrize(
    ("before", "after", "right"),
    [
        ("x * 2", "x + x", True),
        ("x * 2, mask=i < n", "x * 2, mask=i < n - 1", False),
        ("triton.cdiv(n, 128)", "n // 128", False),
        ("y_ptr + i, x", "y_ptr + i * 100000000, x", False),
    ],
)
def test_compiled_kernels(before: str, after: str, right: bool) -> None:
    with on_device(KERNEL) as verifier:
        assert before in KERNEL
        verdict = verifier.check(KERNEL.replace(before, after).encode(), WITHIN_TOLERANCE)
        assert isinstance(verdict, Equivalent if right else Different), str(verdict)
        # A fault on the device ends its own process, and no other.
        again = verifier.check(KERNEL.encode())
        assert isinstance(again, Equivalent), str(again)


@pytest.mark.skipif(shutil.which("compute-sanitizer") is None, reason="no compute-sanitizer here")
def test_memcheck_sees_a_read_beyond_the_end() -> None:
    wrong = KERNEL.replace("mask=i < n, other", "mask=i < n + 64, other")
    verdict = verify(KERNEL, wrong, device="cuda", sanitizer="memcheck")
    assert isinstance(verdict, Different), str(verdict)


def test_measured_on_the_device() -> None:
    from semrep.runtime.measurement import Measurement

    with on_device(TORCH) as verifier:
        measured = verifier.measure(TORCH.encode(), 0.5)
        assert isinstance(measured, Measurement) and measured.device == "cuda"
