"""Eight-bit floats for the interpreter, which rounds ties up and reads NaN as a number.

Rounded to nearest even; what is too large becomes the largest finite value, as the conversion
instructions of current GPUs do it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.triton import bfloat16

# Triton's names and torch's. fp8e4b15 has no counterpart and is left to the interpreter.
_TORCH = {
    "fp8e5": "float8_e5m2", "fp8e4nv": "float8_e4m3fn", "fp8e5b16": "float8_e5m2fnuz",
    "fp8e4b8": "float8_e4m3fnuz",
}  # fmt: skip


def widen(bits: NDArray[Any], name: str) -> NDArray[np.float32]:
    import torch

    patterns = torch.from_numpy(np.array(bits, dtype=np.uint8))
    wide: NDArray[np.float32] = patterns.view(getattr(torch, _TORCH[name])).float().numpy()
    return wide


def narrow(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    import torch

    kind = getattr(torch, _TORCH[name])
    limit = float(torch.finfo(kind).max)
    single = torch.from_numpy(np.array(values, dtype=np.float32)).clamp(-limit, limit)
    bits: NDArray[np.uint8] = single.to(kind).view(torch.uint8).numpy()
    return bits


def install(interpreter: Any) -> None:
    """After bfloat16, whose conversions it comes before."""
    import triton.language as tl

    builder, handle_of = interpreter.InterpreterBuilder, interpreter.TensorHandle
    fp_to_fp, dot = builder.create_fp_to_fp, builder.create_dot
    to_zero = interpreter._ir.ROUNDING_MODE.RTZ

    def create_fp_to_fp(self: Any, src: Any, dst_type: Any, rounding: Any) -> Any:
        source, target = str(src.dtype.scalar), str(dst_type.scalar)
        if source in _TORCH:
            wide = handle_of(widen(src.data, source), tl.float32)
            if target == "fp32":
                return wide
            if target in _TORCH:
                return create_fp_to_fp(self, wide, dst_type, rounding)
            return self.cast_impl(wide, dst_type)
        if target in _TORCH and rounding != to_zero:
            return handle_of(narrow(bfloat16.widened(src), target), dst_type.scalar)
        return fp_to_fp(self, src, dst_type, rounding)

    def create_dot(self: Any, a: Any, b: Any, *rest: Any) -> Any:
        return dot(self, _half(a), _half(b), *rest)

    def _half(handle: Any) -> Any:
        name = str(handle.dtype.scalar)
        if name not in _TORCH:
            return handle
        return handle_of(widen(handle.data, name).astype(np.float16), tl.float16)

    builder.create_fp_to_fp, builder.create_dot = create_fp_to_fp, create_dot
