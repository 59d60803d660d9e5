"""A torch program run with each operation off by one rounding of the terms that it adds up.

Stochastic arithmetic (Vignes, 1993) with Wilkinson's running error analysis for the size of the
error (Higham, Accuracy and Stability of Numerical Algorithms, ch. 3): however a sum is ordered,
its roundings are relative to the magnitudes of its terms, not to what is left of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Results are elements of the arguments, or whole numbers: nothing is rounded.
_COPIES_AND_CHOICES = """
abs neg relu clamp clamp_min clamp_max hardtanh threshold sign sgn floor ceil round trunc frac
maximum minimum fmax fmin max min amax amin aminmax max_pool1d max_pool2d max_pool3d
max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d
adaptive_max_pool3d max_unpool2d sort topk kthvalue median mode cummax cummin gather index
index_select index_put take embedding masked_fill masked_select masked_scatter where select
slice cat stack constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d
replication_pad1d replication_pad2d replication_pad3d flip roll repeat tile tril triu diag
diag_embed clone copy _to_copy to contiguous fill zero resize set detach lift_fresh scatter
select_scatter slice_scatter unfold_copy nan_to_num one_hot real imag complex view_as_real
copysign nextafter ldexp frexp threshold_backward max_pool2d_with_indices_backward
max_pool3d_with_indices_backward hardtanh_backward masked_fill_backward item _local_scalar_dense
is_same_size resolve_conj resolve_neg conj_physical pixel_shuffle pixel_unshuffle
"""
_EXACT = frozenset(_COPIES_AND_CHOICES.split())
# Linear in the floating arguments together: run on magnitudes, they add up the terms' magnitudes.
_ADD_UP = """
sum mean cumsum mm bmm mv dot vdot addmm addmv addbmm baddbmm matmul linear convolution
convolution_overrideable mkldnn_convolution convolution_backward avg_pool1d avg_pool2d
avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d avg_pool2d_backward avg_pool3d_backward
_adaptive_avg_pool2d_backward _adaptive_avg_pool3d_backward embedding_dense_backward
scatter_add index_add trace
"""
_SUMS = frozenset(_ADD_UP.split())


@contextmanager
def rounded(roundoff: float, seed: int) -> Iterator[None]:
    """Within it each result of an operation that rounds is moved by `roundoff`, up or down,
    relative to its terms. Random numbers of the program stay as they are."""
    with _mode()(roundoff, seed):
        yield


@functools.cache
def _mode() -> Any:
    """The class; torch is loaded where it is first needed."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Rounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __init__(self, roundoff: float, seed: int) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.roundoff = roundoff
            self.generator = torch.Generator().manual_seed(seed)

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            # Hiding it from the compiler would load the compiler, for seconds, in each process.
            return False

        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if not _rounds(func):
                return func(*args, **kwargs)
            # Before the call: an operation that writes leaves no terms to look at.
            sizes = _sizes(func, args, kwargs)
            result = func(*args, **kwargs)
            results = result if isinstance(result, (tuple, list)) else (result,)
            for one, size in zip(results, sizes or results, strict=True):
                if isinstance(one, torch.Tensor) and one.is_floating_point() and one.numel():
                    _move(one, size, self.roundoff, self.generator, sizes is not None)
            return result

    return Rounded


def _move(
    value: torch.Tensor,
    size: torch.Tensor,
    roundoff: float,
    generator: torch.Generator,
    adds_up: bool,
) -> None:
    import torch

    # The sums of one operation run alike over like terms, and err alike: were each moved by
    # itself, a sum of them would average that away, which one that is ordered otherwise cannot.
    shape = (1,) * value.dim() if adds_up else value.shape
    signs = torch.randint(0, 2, shape, generator=generator, dtype=torch.int8)
    step = (signs.to(value.device, value.dtype) * 2 - 1) * (size.abs() * roundoff)
    value.add_(torch.nan_to_num(step, 0.0, 0.0, 0.0))


def _rounds(func: Any) -> bool:
    import torch

    if not isinstance(func, torch._ops.OpOverload):
        return False
    name = _name(func)
    if name in _EXACT or name.endswith(("_like", "_copy")):
        return False
    if torch.Tag.nondeterministic_seeded in func.tags:
        return False
    schema = func._schema
    if any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns):
        return False  # a view
    return any("Tensor" in str(a.type) for a in schema.arguments)


def _sizes(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
    """The summed magnitudes of the terms of each result; None where a result is its own size."""
    if _name(func) not in _SUMS or func._schema.is_mutable:
        return None
    made = func(*_magnitudes(args), **_magnitudes(kwargs))
    return tuple(made) if isinstance(made, (tuple, list)) else (made,)


def _magnitudes(tree: Any) -> Any:
    import torch
    from torch.utils._pytree import tree_map

    def magnitude(value: Any) -> Any:
        is_array = isinstance(value, torch.Tensor) and value.is_floating_point()
        return abs(value) if is_array or isinstance(value, float) else value

    return tree_map(magnitude, tree)


def _name(func: Any) -> str:
    return str(func.overloadpacket.__name__).rstrip("_")
