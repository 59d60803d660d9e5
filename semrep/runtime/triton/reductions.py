"""Reductions and scans with a combining function of the kernel's own, whole slices at a time.

The interpreter combines single elements, thousands of times slower, and leaves the function's
source as it is. Neighbours are combined in a tree, as a GPU does; the function is associative
by contract. What argmin and argmax return are the indices they were given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = list[NDArray[Any]]


def install(interpreter: Any) -> None:
    import triton.language as tl

    reduce, scan = interpreter.ReduceOps, interpreter.ScanOps
    slow_reduce, slow_scan = reduce.generic_reduce, scan.generic_scan
    min_max = reduce.min_max
    apply_impl = reduce.apply_impl

    def generic_reduce(self: Any, input: Any) -> Any:
        given, axis = self.unravel(input, self.axis)
        arrays: Arrays = [tensor.handle.data for tensor in given]
        length = arrays[0].shape[axis]
        if length & (length - 1):
            return slow_reduce(self, input)
        combine = _combiner(interpreter, tl, self.combine_fn, given)
        while arrays[0].shape[axis] > 1:
            even, odd = (
                [np.take(a, range(start, a.shape[axis], 2), axis) for a in arrays]
                for start in (0, 1)
            )
            arrays = combine(even, odd)
        results = []
        for array, tensor in zip(arrays, given, strict=True):
            data: Any = array if self.keep_dims else np.squeeze(array, axis)
            if self.axis is None:
                ones = (1,) * input[0].handle.data.ndim
                data = array.reshape(ones) if self.keep_dims else array.reshape(-1)[0]
            results.append(self.to_tensor(data, tensor.dtype))
        return results

    def generic_scan(self: Any, input: Any) -> Any:
        arrays: Arrays = [tensor.handle.data for tensor in input]
        axis = self.axis % arrays[0].ndim
        length = arrays[0].shape[axis]
        if length & (length - 1):
            return slow_scan(self, input)
        combine = _combiner(interpreter, tl, self.combine_fn, input)
        place = np.arange(length).reshape([-1 if d == axis else 1 for d in range(arrays[0].ndim)])
        distance = 1
        while distance < length:
            # The lanes that wrap around are dropped below.
            combined = combine([np.roll(a, distance, axis) for a in arrays], arrays)
            late = place >= distance
            arrays = [np.where(late, new, old) for new, old in zip(combined, arrays, strict=True)]
            distance *= 2
        return [self.to_tensor(a, t.dtype) for a, t in zip(arrays, input, strict=True)]

    def applied(self: Any, input: Any) -> Any:
        standard = tl.standard
        largest = (
            standard._argmax_combine_tie_break_left,
            standard._argmax_combine_tie_break_fast,
        )
        smallest = (
            standard._argmin_combine_tie_break_left,
            standard._argmin_combine_tie_break_fast,
        )
        if self.combine_fn not in (*largest, *smallest):
            return apply_impl(self, input)
        reducer = np.nanmax if self.combine_fn in largest else np.nanmin
        value = min_max(self, input[0], val_reduce_op=reducer)
        values, indices = (tensor.handle.data for tensor in input)
        if self.axis is None:
            values, indices = values.reshape(-1), indices.reshape(-1)
        axis = 0 if self.axis is None else self.axis
        places = np.expand_dims(_first(values, axis, self.combine_fn in largest), axis)
        found: Any = np.take_along_axis(indices, places, axis)
        if self.axis is None:
            ones = (1,) * input[0].handle.data.ndim
            found = found.reshape(ones) if self.keep_dims else found[0]
        elif not self.keep_dims:
            found = np.squeeze(found, axis)
        return value, self.to_tensor(found, input[1].dtype)

    reduce.generic_reduce, reduce.apply_impl = generic_reduce, applied
    scan.generic_scan = generic_scan


def _first(values: NDArray[Any], axis: int, largest: bool) -> NDArray[Any]:
    """Where the extreme is first met. Among NaN alone no comparison holds, so that the last
    of them is taken."""
    missing = values != values
    if not missing.any():
        return np.asarray(np.argmax(values, axis) if largest else np.argmin(values, axis))
    filled = np.where(missing, -np.inf if largest else np.inf, values)
    # A number beats NaN even where it is infinite.
    order = np.argmax(filled, axis) if largest else np.argmin(filled, axis)
    extreme = np.take_along_axis(filled, np.expand_dims(order, axis), axis)
    first = np.argmax((values == extreme) & ~missing, axis)
    place: NDArray[Any] = np.where(missing.all(axis), values.shape[axis] - 1, first)
    return place


def _combiner(
    interpreter: Any, tl: Any, combine_fn: Any, given: Any
) -> Callable[[Arrays, Arrays], Arrays]:
    function = combine_fn.rewrite() if hasattr(combine_fn, "rewrite") else combine_fn.fn
    scalars = [tensor.dtype.scalar for tensor in given]
    kinds = [interpreter._get_np_dtype(scalar) for scalar in scalars]

    def made(arrays: Arrays) -> list[Any]:
        return [
            tl.tensor(
                interpreter.TensorHandle(np.ascontiguousarray(array), scalar),
                tl.block_type(scalar, list(array.shape)),
            )
            for array, scalar in zip(arrays, scalars, strict=True)
        ]

    def combine(first: Arrays, second: Arrays) -> Arrays:
        with np.errstate(all="ignore"):
            results = function(*made(first), *made(second))
        if not isinstance(results, (tuple, list, tl.tuple)):
            results = (results,)
        shape = first[0].shape
        return [
            np.broadcast_to(np.asarray(r.handle.data if hasattr(r, "handle") else r),
                            shape).astype(kind)
            for r, kind in zip(results, kinds, strict=True)
        ]  # fmt: skip

    return combine
