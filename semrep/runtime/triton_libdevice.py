"""libdevice functions for the interpreter, on numpy, in the precision of their arguments."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

_MODULES = (
    "triton.language.extra.libdevice",
    "triton.language.extra.cuda.libdevice",
    "triton.language.extra.hip.libdevice",
)


def _each(function: Callable[[float], float]) -> Callable[[Any], Any]:
    def guarded(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return math.nan if math.isnan(value) or value < 0 else math.inf

    return np.vectorize(guarded, otypes=[np.float64])


def _norm_cdf(x: Any) -> Any:
    return 0.5 * _each(math.erfc)(-np.asarray(x, np.float64) / math.sqrt(2))


UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs, "fabs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin,
    "asinh": np.arcsinh, "atan": np.arctan, "atanh": np.arctanh, "cbrt": np.cbrt,
    "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh, "cospi": lambda x: np.cos(np.pi * x),
    "erf": _each(math.erf), "erfc": _each(math.erfc), "exp": np.exp, "exp2": np.exp2,
    "exp10": lambda x: np.power(10.0, x), "expm1": np.expm1, "fast_cosf": np.cos,
    "fast_expf": np.exp, "fast_exp10f": lambda x: np.power(10.0, x), "fast_log2f": np.log2,
    "fast_logf": np.log, "fast_log10f": np.log10, "fast_sinf": np.sin, "fast_tanf": np.tan,
    "fast_tanhf": np.tanh, "floor": np.floor, "lgamma": _each(math.lgamma), "log": np.log,
    "log10": np.log10, "log1p": np.log1p, "log2": np.log2, "nearbyint": np.rint,
    "normcdf": _norm_cdf, "rcp_rn": lambda x: 1 / x, "rint": np.rint,
    "round": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
    "rsqrt": lambda x: 1 / np.sqrt(x), "rsqrt_rn": lambda x: 1 / np.sqrt(x),
    "saturatef": lambda x: np.clip(np.nan_to_num(x, nan=0.0), 0, 1), "sin": np.sin,
    "sinh": np.sinh, "sinpi": lambda x: np.sin(np.pi * x), "sqrt": np.sqrt, "sqrt_rn": np.sqrt,
    "tan": np.tan, "tanh": np.tanh, "tgamma": _each(math.gamma), "trunc": np.trunc,
}  # fmt: skip
TESTS: dict[str, Callable[[Any], Any]] = {
    "finitef": np.isfinite, "isfinited": np.isfinite, "isinf": np.isinf, "isnan": np.isnan,
    "signbit": np.signbit,
}  # fmt: skip
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add_rn": np.add, "atan2": np.arctan2, "copysign": np.copysign, "div_rn": np.divide,
    "fast_dividef": np.divide, "fast_powf": np.power, "fdim": lambda a, b: np.maximum(a - b, 0),
    "fmod": np.fmod, "hypot": np.hypot, "max": np.fmax, "min": np.fmin, "mul_rn": np.multiply,
    "nextafter": np.nextafter, "pow": np.power, "remainder": lambda a, b: a - b * np.rint(a / b),
    "sub_rn": np.subtract,
}  # fmt: skip
TERNARY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "fma": lambda a, b, c: np.asarray(a, np.float64) * b + c,
    "fma_rn": lambda a, b, c: np.asarray(a, np.float64) * b + c,
}


def install() -> None:
    """Replaces the stubs in triton's libdevice modules. Before the user's file imports them."""
    modules = [importlib.import_module(name) for name in _MODULES]
    for table in (UNARY, BINARY, TERNARY):
        for name, function in table.items():
            for module in modules:
                setattr(module, name, _elementwise(name, function))
    for name, function in TESTS.items():
        for module in modules:
            setattr(module, name, _test(name, function))


def _elementwise(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any, _semantic: Any = None) -> Any:
        import triton.language as tl
        from triton.runtime.interpreter import TensorHandle, interpreter_semantic

        from semrep.runtime import triton_bfloat16, triton_counters

        tensors = [interpreter_semantic.to_tensor(value) for value in values]
        shaped = max(tensors, key=lambda t: t.handle.data.ndim * 1000 + t.handle.data.size)
        widest = max((t.dtype.scalar for t in tensors), key=lambda d: d.primitive_bitwidth)
        with np.errstate(all="ignore"):
            data = function(*(triton_bfloat16.widened(t.handle) for t in tensors))
        triton_counters.note_special(np.size(data))
        handle = triton_bfloat16.narrowed(np.asarray(data), widest)
        return tl.tensor(TensorHandle(handle, widest), _typed(tl, shaped.type, widest))

    call.__name__ = name
    return call


def _typed(tl: Any, like: Any, scalar: Any) -> Any:
    return tl.block_type(scalar, like.shape) if like.is_block() else scalar


def _test(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(value: Any, _semantic: Any = None) -> Any:
        import triton.language as tl
        from triton.runtime.interpreter import TensorHandle, interpreter_semantic

        from semrep.runtime import triton_bfloat16

        tensor = interpreter_semantic.to_tensor(value)
        data = function(triton_bfloat16.widened(tensor.handle)).astype(np.int32)
        return tl.tensor(TensorHandle(data, tl.int32), _typed(tl, tensor.type, tl.int32))

    call.__name__ = name
    return call
