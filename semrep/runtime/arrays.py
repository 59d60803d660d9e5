"""One view of torch, numpy and jax arrays: what they are, how to make them, how to read them.

Imports none of the three by itself: an array at hand proves that its library is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.harness import Framework
from semrep.runtime.specs import Spec
from semrep.runtime.values import ArrayValue

FLOATING = ("float16", "bfloat16", "float32", "float64")
# Unit roundoff: half the distance from 1 to the next number.
ROUNDOFF = {
    "bfloat16": 2.0**-8,
    "float16": 2.0**-11,
    "float32": 2.0**-24,
    "float64": 2.0**-53,
    "complex64": 2.0**-24,
    "complex128": 2.0**-53,
}
SMALLEST = {
    "bfloat16": 2.0**-133,
    "float16": 2.0**-24,
    "float32": 2.0**-149,
    "float64": 2.0**-1074,
    "complex64": 2.0**-149,
    "complex128": 2.0**-1074,
}
LARGEST = {
    "bfloat16": 3.3895313892515355e38,
    "float16": 65504.0,
    "float32": float(np.finfo(np.float32).max),
    "float64": float(np.finfo(np.float64).max),
    "complex64": float(np.finfo(np.float32).max),
    "complex128": float(np.finfo(np.float64).max),
}


def framework_of(value: object) -> Framework | None:
    """The library an array belongs to; None for anything that is not a dense array."""
    if isinstance(value, np.ndarray):
        return "numpy" if value.dtype != object else None
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return "torch"
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(value, jax.Array):
        return "jax"
    return None


def dtype_of(value: Any) -> str:
    """The long dtype name ("float32") of an array of any of the libraries."""
    return str(value.dtype).removeprefix("torch.")


def to_numpy(value: Any) -> NDArray[Any]:
    """The elements; narrow floats that numpy lacks come as float32."""
    kind = framework_of(value)
    if kind == "torch":
        torch = sys.modules["torch"]
        value = value.detach().resolve_conj().resolve_neg().cpu()
        if value.dtype == torch.bfloat16:
            value = value.float()
        return cast(NDArray[Any], value.numpy())
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def from_numpy(values: NDArray[Any], framework: Framework, dtype: str, device: str) -> Any:
    """An array of this library, dtype and device with these values."""
    if framework == "torch":
        import torch

        target = getattr(torch, dtype)
        # ascontiguousarray makes a 0-d array 1-d; reshape puts it back.
        tensor = torch.from_numpy(np.array(values, order="C", copy=True).reshape(values.shape))
        return tensor.to(target).to(device)
    if framework == "jax":
        import jax.numpy as jnp

        return jnp.asarray(values, dtype=dtype)
    if dtype == "bfloat16":
        import ml_dtypes

        return values.astype(ml_dtypes.bfloat16)
    return values.astype(dtype)


def draw(spec: Spec, generator: np.random.Generator) -> NDArray[Any]:
    """Values for a spec: normal floats, integers in range, fair truth values."""
    if spec.dtype in FLOATING:
        return generator.standard_normal(spec.shape)
    if spec.dtype == "bool":
        return generator.integers(0, 2, spec.shape).astype(bool)
    low = -8 if spec.low is None else spec.low
    high = 8 if spec.high is None else spec.high
    return generator.integers(low, high, spec.shape)


def map_arrays(tree: Any, function: Callable[[Any, str], Any], path: str = "") -> Any:
    """Replaces every array leaf in lists, tuples and dicts; the rest stays the same object.

    An array met twice is mapped once, so arguments that are one object remain one object.
    """
    seen: dict[int, Any] = {}

    def walk(value: Any, path: str) -> Any:
        if framework_of(value) is not None:
            if id(value) not in seen:
                seen[id(value)] = function(value, path)
            return seen[id(value)]
        if type(value) in (list, tuple):
            return type(value)(walk(item, f"{path}[{i}]") for i, item in enumerate(value))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(walk(getattr(value, f), f"{path}.{f}") for f in value._fields))
        if type(value) is dict:
            return {key: walk(item, f"{path}[{key!r}]") for key, item in value.items()}
        return value

    return walk(tree, path)


def array_leaves(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every distinct array leaf with its path."""
    found: list[tuple[str, Any]] = []

    def note(value: Any, path: str) -> Any:
        found.append((path, value))
        return value

    map_arrays(tree, note, path)
    return found


def storage_key(value: Any) -> int | None:
    """Identifies the memory under an array; None where the library hides it."""
    kind = framework_of(value)
    if kind == "torch":
        try:
            return cast(int, value.untyped_storage().data_ptr()) or None
        except (RuntimeError, NotImplementedError):
            return None
    if kind == "numpy":
        while isinstance(value.base, np.ndarray):
            value = value.base
        return int(value.__array_interface__["data"][0]) if value.size else None
    return None


def capture_array(value: Any, memory: str = "") -> ArrayValue | None:
    """The neutral record of an array; None for layouts that have no dense bytes (sparse, ...)."""
    cls = type(value)
    kind = f"{cls.__module__}.{cls.__qualname__}"
    framework = framework_of(value)
    if framework == "torch":
        torch = sys.modules["torch"]
        if cls is torch.nn.Parameter:
            kind = "torch.nn.Parameter"
        elif cls is torch.Tensor:
            kind = "torch.Tensor"
        else:
            return None
        if value.layout is not torch.strided or value.is_quantized:
            return None
        dense = value.detach().resolve_conj().resolve_neg().contiguous().cpu()
        return ArrayValue(
            kind=kind,
            dtype=dtype_of(value),
            shape=tuple(value.shape),
            data=_torch_bytes(dense),
            strides=tuple(value.stride()),
            device=value.device.type,
            requires_grad=bool(value.requires_grad),
            memory=memory,
        )
    array = np.asarray(value)
    if array.dtype.hasobject:
        return None
    strides = None
    if framework == "numpy" and array.itemsize:
        strides = tuple(step // array.itemsize for step in array.strides)
    return ArrayValue(
        kind="jax.Array" if framework == "jax" else kind,
        dtype=array.dtype.name if _has_name(array.dtype) else array.dtype.str,
        shape=tuple(array.shape),
        data=array.tobytes(),
        strides=strides,
        memory=memory,
    )


def _has_name(dtype: np.dtype[Any]) -> bool:
    """Texts and records are known by their layout; bfloat16 and its like pose as records."""
    return dtype.kind not in "USV" or (dtype.kind == "V" and not dtype.name.startswith("void"))


def _torch_bytes(dense: Any) -> bytes:
    torch = sys.modules["torch"]
    if dense.numel() == 0:
        return b""
    # A single element is contiguous whatever its stride, which a view of bytes may not have.
    flat = dense.as_strided((dense.numel(),), (1,))
    return cast(bytes, flat.view(torch.uint8).numpy().tobytes())
