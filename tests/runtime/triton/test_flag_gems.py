"""flag-gems' operators through their own entry functions. Not a dependency of the tests:

pip install --no-deps flag-gems==5.0.2 sqlalchemy pyyaml --target SOMEWHERE
PYTHONPATH=SOMEWHERE pytest tests/runtime/triton/test_flag_gems.py
"""

from __future__ import annotations

import importlib.util

import pytest
import torch

from tests.runtime.triton.flag_gems_operations import NAMES, cases, copied, load
from tests.runtime.triton.interpreted import interpreted

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("flag_gems") is None, reason="flag-gems is not installed"
)


@pytest.mark.parametrize("key", NAMES)
@interpreted
def test_operator_is_torchs(key: str) -> None:
    from semrep.runtime.triton.watch import watching

    name, arguments, like = cases()[key]
    want = (like or getattr(torch, name))(*map(copied, arguments))
    with watching() as report:
        got = getattr(load(), name)(*map(copied, arguments))
    assert report.launches > 0 and report.races == ()
    if isinstance(got, tuple) and not isinstance(want, tuple):
        got = got[0]  # what the backward pass needs comes after it
    pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
    for ours, theirs in pairs:
        torch.testing.assert_close(
            ours, theirs, rtol=1e-4, atol=1e-4, equal_nan=True, check_stride=False
        )


@interpreted
def test_a_released_kernel_that_masks_nothing_is_found() -> None:
    """Its argmin over rows loads whole blocks with mask=True, whatever the shape."""
    from semrep.runtime.triton.bounds import OutOfBounds

    with pytest.raises(OutOfBounds, match="argmin_kernel_opt_k1"):
        load().argmin(torch.randn(5, 33), 1)
