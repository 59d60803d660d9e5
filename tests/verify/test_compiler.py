"""Kernels that run in Triton's interpreter and that its compiler refuses."""

from __future__ import annotations

import pytest

pytest.importorskip("triton")

from semrep.passes.contract import BITWISE
from semrep.verify import Different, Equivalent, Harness, Verdict, Verifier, discover

KERNEL = b"""
import torch
import triton
import triton.language as tl


@triton.jit
def row_sums(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, 64, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row * n + columns, mask=columns < n, other=0.0)
        total += x
    tl.store(out_ptr + row, tl.sum(total, axis=0))


def f(x):
    out = torch.empty(x.shape[0], dtype=x.dtype, device=x.device)
    row_sums[(x.shape[0],)](x, out, x.shape[1], BLOCK=16)
    return out


def semrep_inputs():
    return (torch.randn(5, 40),)
"""

REFUSED = {
    "a loop's own name after the loop": (
        b"tl.store(out_ptr + row, tl.sum(total, axis=0))",
        b"tl.store(out_ptr + row, tl.sum(total + 0 * tl.sum(columns), axis=0))",
    ),
    "another type in the next turn": (
        b"    total = tl.zeros((BLOCK,), dtype=tl.float32)\n",
        b"    total = 0.0\n",
    ),
    "a method of Python's": (
        b"        total += x\n",
        b"        total += x\n        [n].copy()\n",
    ),
    "a block that is no power of two": (b"BLOCK=16", b"BLOCK=24"),
}


def _verdict(candidate: bytes) -> Verdict:
    harness = discover(KERNEL)
    assert isinstance(harness, Harness)
    with Verifier(KERNEL, harness) as verifier:
        return verifier.check(candidate, BITWISE)


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_the_compiler_refuses_is_no_rewrite(name: str) -> None:
    before, after = REFUSED[name]
    assert before in KERNEL
    verdict = _verdict(KERNEL.replace(before, after))
    assert isinstance(verdict, Different)


def test_a_name_of_the_loop_is_told_by_the_compiler() -> None:
    verdict = _verdict(KERNEL.replace(*REFUSED["a loop's own name after the loop"]))
    assert "row_sums does not compile" in str(verdict) and "columns" in str(verdict)


def test_a_kernel_that_compiles_is_accepted() -> None:
    verdict = _verdict(KERNEL.replace(b"total += x", b"total = total + x"))
    assert isinstance(verdict, Equivalent) and not any("compiled" in n for n in verdict.notes)


def test_an_original_that_does_not_compile_is_said_so() -> None:
    original = KERNEL.replace(*REFUSED["a loop's own name after the loop"])
    harness = discover(original)
    assert isinstance(harness, Harness)
    with Verifier(original, harness) as verifier:
        verdict = verifier.check(original.replace(b"total += x", b"total = total + x"), BITWISE)
    assert isinstance(verdict, Equivalent)
    assert any("row_sums does not compile" in note for note in verdict.notes)
