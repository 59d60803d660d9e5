"""Interpreted kernels with each operation off by one rounding of the terms that it adds up.

Off until `rounded()` is entered. For the method see `semrep.verify.roundings`, which does the
same to torch's own operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.arrays import ROUNDOFF

_ROUNDING = (
    "create_fadd", "create_fsub", "create_fmul", "create_fdiv", "create_precise_divf",
    "create_approx_divf", "create_fma", "create_exp", "create_exp2", "create_log",
    "create_log2", "create_sin", "create_cos", "create_sqrt", "create_precise_sqrt",
    "create_rsqrt", "create_erf",
)  # fmt: skip
# Twice the roundoff of a number's own type is the least that surely changes it.
_LEAST = {name: 2 * ROUNDOFF[name] for name in ("float16", "float32", "float64")}

_active: _Rounding | None = None


class _Rounding:
    def __init__(self, roundoff: float, seed: int) -> None:
        self.roundoff = roundoff
        self.generator = np.random.default_rng(seed)

    def moved(self, values: NDArray[Any], size: NDArray[Any]) -> NDArray[Any]:
        """The values, each moved up or down relative to its size."""
        least = _LEAST.get(values.dtype.name)
        if least is None:
            return values
        step = max(self.roundoff, least)
        signs = self.generator.integers(0, 2, size=values.shape, dtype=np.int8) * 2.0 - 1.0
        with np.errstate(all="ignore"):
            change = np.abs(size) * step * signs
            change = np.where(np.isfinite(change), change, 0)
            return np.asarray(values + change, dtype=values.dtype)


@contextmanager
def rounded(roundoff: float, seed: int) -> Iterator[None]:
    """Moves the results of all rounding operations of kernels that are launched within."""
    global _active
    _active = _Rounding(roundoff, seed)
    try:
        yield
    finally:
        _active = None


def install(interpreter: Any) -> None:
    """Hooks the interpreter's arithmetic, sums and products of tiles."""
    builder = interpreter.InterpreterBuilder
    for name in _ROUNDING:
        setattr(builder, name, _moving(getattr(builder, name)))
    dot, total = builder.create_dot, interpreter.ReduceOps.sum

    def create_dot(self: Any, a: Any, b: Any, c: Any, *rest: Any) -> Any:
        result = dot(self, a, b, c, *rest)
        if _active is not None and result.data.dtype.name in _LEAST:
            terms = [np.abs(x.data.astype(np.float64)) for x in (a, b) if x.data.dtype.kind == "f"]
            if len(terms) == 2:
                result.data = _active.moved(result.data, np.matmul(*terms))
        return result

    def sum_(self: Any, input: Any) -> Any:
        result = total(self, input)
        if _active is not None:
            terms = np.abs(input.handle.data)
            size = np.sum(terms, axis=self.axis, keepdims=self.keep_dims)
            result.handle.data = _active.moved(np.asarray(result.handle.data), size)
        return result

    builder.create_dot = create_dot
    interpreter.ReduceOps.sum = sum_


def _moving(method: Any) -> Any:
    def call(self: Any, *operands: Any, **named: Any) -> Any:
        result = method(self, *operands, **named)
        if _active is not None:
            result.data = _active.moved(result.data, result.data)
        return result

    return call
