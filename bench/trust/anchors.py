"""Checkers that other people use, on inputs drawn as they draw them.

Each takes what the original and the candidate gave for one draw, as lists of leaves, and says
whether it accepts. Their rules, not their code:

- kernelbench_rand, kernelbench_randn: ScalingIntelligence/KernelBench, src/kernelbench/eval.py,
  run_and_check_correctness with get_tolerance_for_precision, at 423217d (March 2026): five
  trials, equal shapes, torch.allclose with rtol = atol = 1e-4 for float32 and 1e-2 for half
  precision, an exception fails. Its problems draw uniformly; `randn` shows what a normal
  distribution changes. It has no entry for float64, which is held to 1e-4 here.
- torch_assert_close: torch.testing.assert_close with its defaults.
- dynamo_same: torch._dynamo.utils.same with its defaults (tol=1e-4), NaN equal as in its runner.
- numpy_allclose: numpy.testing.assert_allclose with rtol=1e-5 (its own default 1e-7 is below
  what float32 sums can hold).
- gpuemu: Skelf-Research/gpuemu, gpuemu-py/gpuemu/tolerances.py DEFAULT_TOLERANCES, and its
  validator's refusal of NaN and infinities.
- liger: assert_verbose_allclose of linkedin/Liger-Kernel, test/utils.py, with its defaults
  (rtol=1e-5, atol=1e-8) and its comparison of NaN and infinities by place.
- flaggems: gems_assert_close of FlagOpen/FlagGems, flag_gems/testing: atol=1e-4 and a relative
  resolution for each element type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from bench.trust.drawing import NORMAL, UNIFORM

TRIALS = 5
Leaves = Sequence[Any]
Compare = Callable[[torch.Tensor, torch.Tensor], bool]

_KERNELBENCH = {torch.float16: 1e-2, torch.bfloat16: 1e-2}
_GPUEMU = {
    torch.float16: (1e-3, 1e-2), torch.bfloat16: (1e-2, 1e-1), torch.float32: (1e-5, 1e-4),
    torch.float64: (1e-10, 1e-9),
}  # fmt: skip
_GEMS = {
    torch.float16: 1e-3, torch.bfloat16: 0.016, torch.float32: 1.3e-6, torch.float64: 1e-7,
    torch.complex64: 1.3e-6,
}  # fmt: skip


def _kernelbench(old: torch.Tensor, new: torch.Tensor) -> bool:
    tolerance = _KERNELBENCH.get(old.dtype, 1e-4)
    return old.shape == new.shape and torch.allclose(old, new, atol=tolerance, rtol=tolerance)


def _assert_close(old: torch.Tensor, new: torch.Tensor) -> bool:
    torch.testing.assert_close(new, old)
    return True


def _dynamo(old: torch.Tensor, new: torch.Tensor) -> bool:
    from torch._dynamo.utils import same

    return bool(same(old, new, equal_nan=True, log_error=lambda *_: None))


def _numpy(old: torch.Tensor, new: torch.Tensor) -> bool:
    np.testing.assert_allclose(_array(new), _array(old), rtol=1e-5)
    return True


def _gpuemu(old: torch.Tensor, new: torch.Tensor) -> bool:
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    if not old.is_floating_point():
        return bool(torch.equal(old, new))
    if not bool(torch.isfinite(new).all()):
        return False
    atol, rtol = _GPUEMU.get(old.dtype, (1e-5, 1e-5))
    return torch.allclose(new, old, atol=atol, rtol=rtol)


def _liger(old: torch.Tensor, new: torch.Tensor) -> bool:
    if old.shape != new.shape:
        return False
    wrong = torch.abs(new - old) > 1e-8 + 1e-5 * torch.abs(old)
    wrong |= torch.isnan(new) != torch.isnan(old)
    infinite = torch.isinf(new) | torch.isinf(old)
    wrong |= infinite & (new != old)
    return not bool(wrong.any())


def _gems(old: torch.Tensor, new: torch.Tensor) -> bool:
    if old.dtype != new.dtype:
        return False
    torch.testing.assert_close(new, old, atol=1e-4, rtol=_GEMS.get(old.dtype, 0.0))
    return True


def _array(value: torch.Tensor) -> np.ndarray:
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


# name: how its inputs are drawn, how two arrays are compared
ANCHORS: dict[str, tuple[str, Compare]] = {
    "kernelbench_rand": (UNIFORM, _kernelbench),
    "kernelbench_randn": (NORMAL, _kernelbench),
    "torch_assert_close": (NORMAL, _assert_close),
    "dynamo_same": (NORMAL, _dynamo),
    "numpy_allclose": (NORMAL, _numpy),
    "gpuemu": (NORMAL, _gpuemu),
    "liger": (NORMAL, _liger),
    "flaggems": (NORMAL, _gems),
}


def accepts(anchor: str, old: Leaves, new: Leaves) -> bool:
    """Whether the anchor takes the candidate's result of one draw for the original's."""
    compare = ANCHORS[anchor][1]
    if len(old) != len(new):
        return False
    for a, b in zip(old, new, strict=True):
        if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
            if type(a) is not type(b) or a != b:
                return False
            continue
        try:
            if not compare(a, b):
                return False
        except Exception:  # an anchor that cannot compare has failed the candidate
            return False
    return True
