"""Example arguments as bytes that another process can rebuild exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.specs import Arguments
from semrep.runtime.values import ArrayValue, ContainerValue

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def pack(case: Arguments) -> ContainerValue | None:
    """The arguments as a value tree; None where one of them is more than data."""
    owners: dict[int, str] = {}
    try:
        positional = _pack(list(case.positional), owners)
        named = _pack(dict(case.named), owners)
    except TypeError:
        return None
    return ContainerValue("arguments", (0, 1), (positional, named))


def _pack(value: Any, owners: dict[int, str]) -> Any:
    if type(value) in _PLAIN:
        return value
    if arrays.framework_of(value) is not None:
        # The object's identity is kept: one array given twice stays one array.
        label = owners.setdefault(id(value), f"object:{len(owners)}")
        record = arrays.capture_array(value, label)
        if record is None or record.kind not in (
            "torch.Tensor",
            "torch.nn.Parameter",
            "numpy.ndarray",
            "jax.Array",
        ):
            raise TypeError("not a dense array")
        return record
    if type(value) in (list, tuple):
        items = tuple(_pack(item, owners) for item in value)
        return ContainerValue(type(value).__name__, tuple(range(len(items))), items)
    if type(value) is dict and all(type(key) in _PLAIN for key in value):
        items = tuple(_pack(item, owners) for item in value.values())
        return ContainerValue("dict", tuple(value), items)
    raise TypeError(f"{type(value).__qualname__} is not data")


def unpack(tree: ContainerValue, device: str) -> Arguments:
    """The arguments again, as fresh arrays with the dtypes, strides and identities they had."""
    objects: dict[str, Any] = {}
    positional, named = (_unpack(item, objects, device) for item in tree.items)
    return Arguments(tuple(positional), named)


def _unpack(value: Any, objects: dict[str, Any], device: str) -> Any:
    if isinstance(value, ArrayValue):
        if value.memory not in objects:
            objects[value.memory] = rebuild(value, device)
        return objects[value.memory]
    if isinstance(value, ContainerValue):
        items = [_unpack(item, objects, device) for item in value.items]
        if value.kind == "dict":
            return dict(zip(value.keys, items, strict=True))
        return tuple(items) if value.kind == "tuple" else items
    return value


def rebuild(value: ArrayValue, device: str = "cpu") -> Any:
    """An array of the recorded kind, dtype, strides and contents."""
    if value.kind.startswith("torch."):
        import torch

        dtype = getattr(torch, value.dtype)
        flat = torch.frombuffer(bytearray(value.data), dtype=torch.uint8) if value.data else None
        dense = torch.empty(value.shape, dtype=dtype)
        if flat is not None:
            dense.view(-1).view(torch.uint8).copy_(flat)
        if value.strides is not None and not value.contiguous:
            strided = torch.empty_strided(value.shape, value.strides, dtype=dtype)
            if 0 in value.strides:
                return dense.as_strided(value.shape, value.strides).to(device)
            dense = strided.copy_(dense)
        made = dense.to(device)
        if value.kind == "torch.nn.Parameter":
            return torch.nn.Parameter(made, requires_grad=value.requires_grad)
        return made.requires_grad_(value.requires_grad)
    if value.kind == "jax.Array":
        import jax.numpy as jnp

        return jnp.asarray(value.numpy(), dtype=value.dtype)
    dense_array = np.frombuffer(value.data, dtype=np.dtype(value.dtype)).reshape(value.shape)
    if value.strides is not None and not value.contiguous and min(value.strides, default=0) > 0:
        extent = 1 + sum((n - 1) * s for n, s in zip(value.shape, value.strides, strict=True) if n)
        buffer = np.zeros(extent, dtype=dense_array.dtype)
        steps = tuple(s * buffer.itemsize for s in value.strides)
        view = np.lib.stride_tricks.as_strided(buffer, value.shape, steps)
        view[...] = dense_array
        return view
    return dense_array.copy()
