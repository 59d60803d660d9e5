"""Arguments for a program: as its inputs say, with floats drawn anew in a given way.

This is a reading of the inputs of its own, so that checkers beside semrep run without it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch

from bench.trust.program import JAX, NUMPY, Program

Arguments = tuple[list[Any], dict[str, Any]]
UNIFORM = "rand"
NORMAL = "randn"
_TORCH_FLOATS = {
    "f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64,
}  # fmt: skip


def draw(program: Program, module: ModuleType, how: str, seed: int) -> Arguments:
    """One example. how: UNIFORM or NORMAL, the distribution of floats that may be either."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    if program.inputs is not None:
        found = eval(program.inputs, _names(program.kind, how, rng))
        return _split(found)
    if hasattr(module, "semrep_inputs"):
        args, kwargs = _split(module.semrep_inputs())
        return [redraw(a, how, rng) for a in args], kwargs
    plain = torch.rand
    try:
        if how == NORMAL:
            torch.rand = torch.randn
        return list(module.get_inputs()), {}
    finally:
        torch.rand = plain


def redraw(value: Any, how: str, rng: np.random.Generator) -> Any:
    """New floats in an array; everything else as it is."""
    if isinstance(value, torch.Tensor):
        if not value.is_floating_point() or value.dim() == 0:
            return value.clone()
        return torch.from_numpy(_values(tuple(value.shape), how, rng)).to(value.dtype)
    if isinstance(value, np.ndarray):
        if value.dtype.kind != "f":
            return value.copy()
        return _values(value.shape, how, rng).astype(value.dtype)
    if type(value).__module__.startswith("jax") and getattr(value, "dtype", None) is not None:
        if value.dtype.kind != "f":
            return value
        import jax.numpy as jnp

        return jnp.asarray(_values(value.shape, how, rng), dtype=value.dtype)
    return value


def _values(shape: tuple[int, ...], how: str, rng: np.random.Generator) -> np.ndarray:
    return rng.random(shape) if how == UNIFORM else np.asarray(rng.standard_normal(shape))


def _split(found: Any) -> Arguments:
    if isinstance(found, list):
        found = found[0]
    if isinstance(found, dict):
        return [], dict(found)
    return list(found), {}


def _names(kind: str, how: str, rng: np.random.Generator) -> dict[str, Any]:
    names: dict[str, Any] = {"torch": torch, "np": np}
    if kind == JAX:
        import jax.numpy as jnp

        names["jnp"] = jnp

    def framework(values: np.ndarray, dtype: str) -> Any:
        if kind == JAX:
            return names["jnp"].asarray(values.astype(_numpy_type(dtype)))
        if kind == NUMPY:
            return values.astype(_numpy_type(dtype))
        if dtype in _TORCH_FLOATS:
            return torch.from_numpy(np.asarray(values)).to(_TORCH_FLOATS[dtype])
        return torch.from_numpy(values.astype(_numpy_type(dtype)))

    def floats(dtype: str, distribution: str) -> Callable[..., Any]:
        return lambda *shape: framework(_values(_shape(shape), distribution, rng), dtype)

    # numpy's own default is float64; the others' is float32
    usual = "f64" if kind == NUMPY else "f32"
    for dtype in _TORCH_FLOATS:
        names[dtype] = floats(dtype, how)
    names["rand"] = floats(usual, UNIFORM)
    names["randn"] = floats(usual, NORMAL)
    names["ints"] = lambda low, high, *shape: framework(
        rng.integers(low, high, _shape(shape)), "i64"
    )
    return names


def _shape(given: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(given[0]) if given and isinstance(given[0], tuple) else given


def _numpy_type(dtype: str) -> Any:
    types = {"f16": np.float16, "f32": np.float32, "f64": np.float64, "i64": np.int64}
    return types.get(dtype, np.float32)
