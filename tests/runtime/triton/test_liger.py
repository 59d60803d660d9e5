"""liger-kernel's own files, unmodified, forward and backward in the interpreter."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from tests.runtime.triton.interpreted import interpreted
from tests.runtime.triton.liger_operations import OPERATIONS, call, expected

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("liger_kernel") is None, reason="liger-kernel is not installed"
)
CASES = [
    pytest.param(name, marks=[pytest.mark.slow] if operation.slow else [], id=name)
    for name, operation in OPERATIONS.items()
]


@pytest.mark.parametrize("name", CASES)
@interpreted
def test_values_and_gradients_are_torchs(name: str) -> None:
    operation = OPERATIONS[name]
    torch.manual_seed(0)
    tensors = operation.inputs()
    want, got = expected(name, tensors), call(name, tensors)
    assert len(got) == len(want)
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=operation.tolerance, atol=operation.tolerance)
