"""bfloat16 arithmetic for the interpreter, which by itself computes on the bit patterns.

Values are widened to float32, computed there, and rounded back to nearest even, as a GPU
without native bfloat16 units does.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray


def widened(handle: Any) -> NDArray[Any]:
    """The numbers of a tensor handle: bfloat16 as float32, everything else as it is."""
    data: NDArray[Any] = handle.data
    return widen(data) if is_bfloat16(handle.dtype) else data


def is_bfloat16(dtype: Any) -> bool:
    return str(getattr(dtype, "scalar", dtype)) == "bf16"


def widen(bits: NDArray[Any]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def round_to_bfloat16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Bit patterns of the nearest bfloat16, ties to even; NaN stays NaN."""
    single = np.ascontiguousarray(values, dtype=np.float32).reshape(np.shape(values))
    bits = single.view(np.uint32)
    bias = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    with np.errstate(over="ignore"):
        rounded = ((bits + bias) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(single), np.uint16(0x7FC0), rounded)


def narrowed(data: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Numbers as the interpreter stores them under this triton dtype."""
    from triton.runtime.interpreter import _get_np_dtype

    if is_bfloat16(dtype):
        return round_to_bfloat16(data)
    return np.asarray(data).astype(_get_np_dtype(dtype))


def install(interpreter: Any) -> None:
    """Replaces the builder's arithmetic where an operand is bfloat16."""
    import triton.language as tl

    builder = interpreter.InterpreterBuilder
    handle_of = interpreter.TensorHandle
    binary, unary, ternary = builder.binary_op, builder.unary_op, builder.ternary_op
    cast, fp_to_fp = builder.cast_impl, builder.create_fp_to_fp
    fma, dot, rsqrt, erf = (
        builder.create_fma,
        builder.create_dot,
        builder.create_rsqrt,
        builder.create_erf,
    )
    rmw = builder.create_atomic_rmw

    def single(handle: Any) -> Any:
        return handle_of(widened(handle), tl.float32) if is_bfloat16(handle.dtype) else handle

    def back(handle: Any) -> Any:
        if handle.data.dtype == np.bool_:
            return handle_of(handle.data, tl.bfloat16)
        return handle_of(round_to_bfloat16(handle.data), tl.bfloat16)

    def binary_op(self: Any, lhs: Any, rhs: Any, op: Any) -> Any:
        if is_bfloat16(lhs.dtype) and is_bfloat16(rhs.dtype) and lhs.data.dtype == np.uint16:
            return back(binary(self, single(lhs), single(rhs), op))
        return binary(self, lhs, rhs, op)

    def unary_op(self: Any, argument: Any, op: Any) -> Any:
        if is_bfloat16(argument.dtype):
            return back(unary(self, single(argument), op))
        return unary(self, argument, op)

    def ternary_op(self: Any, lhs: Any, rhs: Any, other: Any, op: Any) -> Any:
        # A select moves bit patterns and is right as it is; clamp computes.
        if op is not np.where and is_bfloat16(other.dtype):
            return back(ternary(self, single(lhs), single(rhs), single(other), op))
        return ternary(self, lhs, rhs, other, op)

    def cast_impl(self: Any, src: Any, dst_type: Any) -> Any:
        if is_bfloat16(src.dtype) and src.data.dtype == np.uint16:
            if is_bfloat16(dst_type):
                return src
            return cast(self, single(src), dst_type)
        if is_bfloat16(dst_type):
            return handle_of(round_to_bfloat16(src.data), tl.bfloat16)
        return cast(self, src, dst_type)

    def create_fp_to_fp(self: Any, src: Any, dst_type: Any, rounding: Any) -> Any:
        plain = ("bf16", "fp16", "fp32", "fp64")
        names = str(src.dtype.scalar), str(dst_type.scalar)
        if "bf16" in names and all(name in plain for name in names):
            return cast_impl(self, src, dst_type)
        return fp_to_fp(self, src, dst_type, rounding)

    def create_fma(self: Any, x: Any, y: Any, z: Any) -> Any:
        if is_bfloat16(z.dtype):
            return back(fma(self, single(x), single(y), single(z)))
        return fma(self, x, y, z)

    def create_dot(self: Any, a: Any, b: Any, d: Any, precision: Any, imprecise: Any) -> Any:
        if is_bfloat16(d.dtype):
            return back(dot(self, single(a), single(b), single(d), precision, imprecise))
        return dot(self, single(a), single(b), d, precision, imprecise)

    def create_rsqrt(self: Any, argument: Any) -> Any:
        if is_bfloat16(argument.dtype):
            return back(rsqrt(self, single(argument)))
        return rsqrt(self, argument)

    def create_erf(self: Any, argument: Any) -> Any:
        if is_bfloat16(argument.dtype):
            return back(erf(self, single(argument)))
        return erf(self, argument)

    def create_atomic_rmw(
        self: Any, op: Any, ptr: Any, val: Any, mask: Any, sem: Any, scope: Any
    ) -> Any:
        if is_bfloat16(val.dtype):
            return _add_atomically(handle_of, op, ptr, val, mask)
        return rmw(self, op, ptr, val, mask, sem, scope)

    for function in (
        binary_op,
        unary_op,
        ternary_op,
        cast_impl,
        create_fp_to_fp,
        create_fma,
        create_dot,
        create_rsqrt,
        create_erf,
        create_atomic_rmw,
    ):
        setattr(builder, function.__name__, function)
    _reductions(interpreter, tl)


def _add_atomically(handle_of: Any, op: Any, ptr: Any, val: Any, mask: Any) -> Any:
    """Lane after lane, each sum rounded; the only atomic that bfloat16 has."""
    if "FADD" not in str(op):
        raise NotImplementedError(f"{op} on bfloat16")
    before = np.zeros(ptr.data.shape, dtype=np.uint16)
    for lane in np.argwhere(np.broadcast_to(mask.data, ptr.data.shape)):
        place = tuple(lane)
        cell = ctypes.c_uint16.from_address(int(ptr.data[place]))
        before[place] = cell.value
        total = widen(before[place]) + widen(val.data[place])
        cell.value = int(round_to_bfloat16(np.asarray(total)))
    return handle_of(before, val.dtype)


def _reductions(interpreter: Any, tl: Any) -> None:
    for operations in (interpreter.ReduceOps, interpreter.ScanOps):
        apply = operations.apply

        def applied(self: Any, input: Any, apply: Any = apply) -> Any:
            given = input if isinstance(input, tuple) else (input,)
            narrow = [isinstance(t, tl.tensor) and is_bfloat16(t.dtype) for t in given]
            if not any(narrow):
                return apply(self, input)
            wide = tuple(
                tl.tensor(
                    interpreter.TensorHandle(widened(t.handle), tl.float32),
                    tl.block_type(tl.float32, t.shape) if t.type.is_block() else tl.float32,
                )
                if is_narrow
                else t
                for t, is_narrow in zip(given, narrow, strict=True)
            )
            results = apply(self, wide)
            made = tuple(
                _as_bfloat16(interpreter, tl, r) if r.dtype == tl.float32 and narrow[i] else r
                for i, r in enumerate(results)
            )
            return made if isinstance(input, tuple) else made[0]

        operations.apply = applied


def _as_bfloat16(interpreter: Any, tl: Any, tensor: Any) -> Any:
    handle = interpreter.TensorHandle(round_to_bfloat16(tensor.handle.data), tl.bfloat16)
    kind = tl.block_type(tl.bfloat16, tensor.shape) if tensor.type.is_block() else tl.bfloat16
    return tl.tensor(handle, kind)
