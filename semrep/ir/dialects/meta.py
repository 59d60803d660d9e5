"""Types by running an op's reference on torch meta tensors, which have no data.

No shape rule is written by hand here. Outside torch a type is only believed where the
frameworks cannot disagree: all arrays of one floating-point type, and a result of that type
or bool.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from semrep.ir.dialects.op import FREE, DType, Op
from semrep.ir.signature import TensorType

Argument = Any
"""A TensorType, a Python constant (DType included), or a tuple of arguments."""


def infer(op: Op, operands: tuple[Argument, ...], attributes: Mapping[str, Argument]) -> Any | None:
    """The type of the result: a TensorType, a Python constant (a shape, a size), or a tuple of
    these. None where the reference rejects the arguments or nothing is certain."""
    frozen = tuple(sorted((name, _frozen(value)) for name, value in attributes.items()))
    key = (op.name, operands, frozen)
    try:
        return _infer(op, key)
    except TypeError:  # an unhashable constant
        return None


@dataclass(frozen=True, slots=True)
class _Slice:
    """A slice in a cache's key: slices have no hash before Python 3.12."""

    start: Any
    stop: Any
    step: Any


def _frozen(argument: Argument) -> Argument:
    if isinstance(argument, slice):
        return _Slice(argument.start, argument.stop, argument.step)
    if isinstance(argument, tuple):
        return tuple(_frozen(a) for a in argument)
    return argument


@functools.lru_cache(maxsize=4096)
def _infer(op: Op, key: tuple[str, tuple[Argument, ...], tuple[tuple[str, Any], ...]]) -> Any:
    _, operands, attributes = key
    arrays = [t for o in (*operands, *(v for _, v in attributes)) for t in tensors_in(o)]
    frameworks = {t.framework for t in arrays}
    if len(frameworks) > 1:
        return None
    framework = next(iter(frameworks), "torch")
    if framework != "torch":
        if len({t.dtype for t in arrays}) != 1:
            return None
        if op.cost != FREE and not DType(arrays[0].dtype).is_floating:
            return None
    import torch

    function = reference_of(op)
    try:
        with torch.no_grad(), torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = function(
                *(_to_torch(o) for o in operands), **{n: _to_torch(v) for n, v in attributes}
            )
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, AttributeError,
            ZeroDivisionError, OverflowError, AssertionError):  # fmt: skip
        # Whatever is wrong with the arguments, the program finds out when it runs.
        return None
    device = arrays[0].device if arrays else "cpu"
    grad = any(t.requires_grad for t in arrays)
    found = _from_torch(result, framework, device, grad)
    if framework != "torch":
        ours = arrays[0].dtype
        if any(t.dtype not in (ours, "bool") for t in tensors_in(found)):
            return None
    return found


@functools.cache
def reference_of(op: Op) -> Any:
    """The callable behind `op.reference`."""
    path = op.reference
    if path.startswith(":"):
        from semrep.ir.dialects import references

        return getattr(references, path[1:])
    module, _, rest = path.partition(".")
    found: Any = importlib.import_module(module)
    for name in rest.split("."):
        found = getattr(found, name)
    return found


def tensors_in(argument: Argument) -> list[TensorType]:
    if isinstance(argument, TensorType):
        return [argument]
    if isinstance(argument, tuple):
        return [t for a in argument for t in tensors_in(a)]
    return []


def torch_dtype(name: str) -> Any:
    import torch

    return getattr(torch, name)


def _to_torch(argument: Argument) -> Any:
    import torch

    if isinstance(argument, TensorType):
        dtype = torch_dtype(argument.dtype)
        strides = argument.strides
        if strides is not None and all(s >= 0 for s in strides):
            return torch.empty_strided(argument.shape, strides, dtype=dtype, device="meta")
        return torch.empty(argument.shape, dtype=dtype, device="meta")
    if isinstance(argument, DType):
        return torch_dtype(argument.name)
    if isinstance(argument, _Slice):
        return slice(argument.start, argument.stop, argument.step)
    if isinstance(argument, tuple):
        return tuple(_to_torch(a) for a in argument)
    return argument


def _from_torch(result: Any, framework: str, device: str, grad: bool) -> Any:
    import torch

    if isinstance(result, torch.Tensor):
        dtype = str(result.dtype).removeprefix("torch.")
        strides = tuple(result.stride()) if framework == "torch" else None
        differentiable = grad and result.dtype.is_floating_point
        return TensorType(dtype, tuple(result.shape), strides, device, framework, differentiable)  # type: ignore[arg-type]
    if isinstance(result, (tuple, list)):
        return tuple(_from_torch(r, framework, device, grad) for r in result)
    if isinstance(result, Hashable):
        return result
    return None
