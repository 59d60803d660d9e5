"""References that no single torch function gives. Run on meta tensors only."""

from __future__ import annotations

import math
import operator
from typing import Any


def add(x: Any, y: Any, alpha: Any = 1) -> Any:
    return x + y * alpha if alpha != 1 else x + y


def sub(x: Any, y: Any, alpha: Any = 1) -> Any:
    return x - y * alpha if alpha != 1 else x - y


def div(x: Any, y: Any, rounding_mode: str | None = None) -> Any:
    import torch

    return torch.div(x, y, rounding_mode=rounding_mode) if rounding_mode else x / y


def fma(x: Any, y: Any, z: Any) -> Any:
    return x * y + z


def _extremum(name: str, x: Any, y: Any) -> Any:
    import torch

    # NumPy takes scalars; torch does not, and rejects them when it runs.
    x = x if isinstance(x, torch.Tensor) else torch.tensor(x, dtype=y.dtype, device="meta")
    y = y if isinstance(y, torch.Tensor) else torch.tensor(y, dtype=x.dtype, device="meta")
    return getattr(torch, name)(x, y)


def maximum(x: Any, y: Any) -> Any:
    return _extremum("maximum", x, y)


def minimum(x: Any, y: Any) -> Any:
    return _extremum("minimum", x, y)


def logaddexp(x: Any, y: Any) -> Any:
    return _extremum("logaddexp", x, y)


def amax(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return x.amax(() if dim is None else dim, keepdim=keepdim)


def amin(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return x.amin(() if dim is None else dim, keepdim=keepdim)


def prod(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    return x.prod(dtype=dtype) if dim is None else x.prod(dim, keepdim, dtype=dtype)


def numpy_median(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return x.mean(dim, keepdim)


def numpy_dot(x: Any, y: Any) -> Any:
    import torch

    if not (isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)) or 0 in (x.ndim, y.ndim):
        return x * y
    if y.ndim == 1:
        return x @ y
    return torch.tensordot(x, y, dims=([x.ndim - 1], [y.ndim - 2]))


def einsum(equation: str, operands: Any) -> Any:
    import torch

    return torch.einsum(equation, *operands)


def jax_gelu(x: Any, approximate: bool = True) -> Any:
    import torch

    return torch.nn.functional.gelu(x, approximate="tanh" if approximate else "none")


def view(x: Any, shape: Any) -> Any:
    return x.view(shape)


def reverse_dims(x: Any) -> Any:
    return x.permute(tuple(reversed(range(x.ndim))))


def mT(x: Any) -> Any:
    return x.mT


def squeeze(x: Any, dim: Any = None) -> Any:
    return x.squeeze() if dim is None else x.squeeze(dim)


def expand(x: Any, size: Any) -> Any:
    return x.expand(size)


def broadcast_to(x: Any, shape: Any) -> Any:
    return x.broadcast_to(shape)


def numpy_flip(x: Any, dim: Any = None) -> Any:
    return x.flip(tuple(range(x.ndim)) if dim is None else dim)


def numpy_take(x: Any, indices: Any, dim: Any = None) -> Any:
    import torch

    if not isinstance(indices, torch.Tensor):
        raise TypeError("indices of no known type")
    if dim is None:
        return x.reshape(-1)[indices]
    dim = dim % x.ndim
    return x.new_empty(x.shape[:dim] + indices.shape + x.shape[dim + 1 :])


def _joined(name: str, tensors: Any, **attributes: Any) -> Any:
    import torch

    return getattr(torch, name)(list(tensors), **attributes)


def cat(tensors: Any, dim: int = 0) -> Any:
    return _joined("cat", tensors, dim=dim)


def stack(tensors: Any, dim: int = 0) -> Any:
    return _joined("stack", tensors, dim=dim)


def hstack(tensors: Any) -> Any:
    return _joined("hstack", tensors)


def vstack(tensors: Any) -> Any:
    return _joined("vstack", tensors)


def meshgrid(tensors: Any, indexing: str = "ij") -> Any:
    import torch

    return torch.meshgrid(*tensors, indexing=indexing)


def getitem(x: Any, index: Any) -> Any:
    return operator.getitem(x, index)


def arange(
    start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None
) -> Any:
    import torch

    if end is None:
        start, end = 0, start
    return torch.arange(start, end, step, dtype=dtype, device="meta")


def eye(n: int, m: int | None = None, dtype: Any = None, device: Any = None) -> Any:
    import torch

    return torch.empty(n, n if m is None else m, dtype=dtype, device="meta")


def layer_norm(x: Any, weight: Any, bias: Any, normalized_shape: Any, eps: float = 1e-5) -> Any:
    import torch

    return torch.nn.functional.layer_norm(x, normalized_shape, weight, bias, eps)


def rms_norm(x: Any, weight: Any, normalized_shape: Any, eps: float | None = None) -> Any:
    import torch

    return torch.nn.functional.rms_norm(x, normalized_shape, weight, eps)


def group_norm(x: Any, weight: Any, bias: Any, num_groups: int, eps: float = 1e-5) -> Any:
    import torch

    return torch.nn.functional.group_norm(x, num_groups, weight, bias, eps)


def to_dtype(x: Any, dtype: Any) -> Any:
    import torch

    if not isinstance(dtype, torch.dtype):
        raise TypeError("a device, or an unknown element type")
    return x.to(dtype)


def shape(x: Any) -> Any:
    return tuple(x.shape)


def size(x: Any, dim: int) -> int:
    return int(x.shape[dim])


def ndim(x: Any) -> int:
    return int(x.ndim)


def numel(x: Any) -> int:
    return math.prod(x.shape)


def identity(x: Any, *rest: Any) -> Any:
    return x


def none(*arguments: Any, **attributes: Any) -> Any:
    raise TypeError("this operation has no reference")
