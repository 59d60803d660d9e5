"""A coarse model of time on one CPU socket, to compare two forms of one computation.

time = call overhead + bytes moved / bandwidth + floating-point operations / rate. It orders
alternatives that differ several-fold; measurements decide the rest.
"""

from __future__ import annotations

import math
from typing import Any

from semrep.ir.dialects.meta import tensors_in
from semrep.ir.dialects.op import CONVOLUTION, ELEMENTWISE, FREE, GATHER, MATMUL, REDUCTION, Op
from semrep.ir.signature import TensorType

_OVERHEAD = 2e-6  # seconds a call
_BANDWIDTH = 2e10  # bytes a second
_RATE = 1e11  # multiply-adds a second in products
_TRANSCENDENTAL_RATE = 2e9  # elements a second
_BYTES = {"float64": 8, "int64": 8, "complex64": 8, "complex128": 16, "float16": 2, "bfloat16": 2,
          "int16": 2, "bool": 1, "int8": 1, "uint8": 1}  # fmt: skip


def seconds(op: Op, operands: tuple[Any, ...], result: Any) -> float:
    """Modelled time of one evaluation. operands, result: types as in `meta.infer`."""
    if op.cost == FREE:
        return _OVERHEAD / 4
    inputs, outputs = tensors_in(tuple(operands)), tensors_in((result,))
    moved = sum(_bytes(t) for t in (*inputs, *outputs))
    time = _OVERHEAD + moved / _BANDWIDTH
    elements = sum(math.prod(t.shape) for t in outputs)
    if op.cost == MATMUL:
        return time + 2 * elements * _contracted(op, inputs) / _RATE
    if op.cost == CONVOLUTION and len(inputs) > 1:
        weight = inputs[1]
        if op.name.startswith("conv_transpose"):
            # Each input element meets every tap and output channel of its group.
            return time + 2 * math.prod(inputs[0].shape) * math.prod(weight.shape[1:]) / _RATE
        return time + 2 * elements * math.prod(weight.shape[1:]) / _RATE
    if op.cost in (ELEMENTWISE, REDUCTION, GATHER):
        return time
    return time + max(elements, *(math.prod(t.shape) for t in inputs)) / _TRANSCENDENTAL_RATE


def _bytes(t: TensorType) -> int:
    return math.prod(t.shape) * _BYTES.get(t.dtype, 4)


def _contracted(op: Op, inputs: list[TensorType]) -> int:
    if not inputs:
        return 1
    if op.name == "scaled_dot_product_attention":
        query, key = inputs[0], inputs[1]
        return 2 * key.shape[-2] if query.rank > 1 else 1
    if op.name == "outer":
        return 1
    left = inputs[1] if op.name in ("addmm", "baddbmm", "addmv") and len(inputs) > 1 else inputs[0]
    return left.shape[-1] if left.rank else 1
