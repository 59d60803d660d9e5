"""Small rewrites at the moment a value is made, so that patterns see one form of a thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from semrep.ir.dialects.catalogue import op_named
from semrep.ir.dialects.op import Op
from semrep.ir.values import Value

MakeConstant = Callable[[Any], Value]


def canonical(
    op: Op, arguments: dict[str, Value], constant: MakeConstant
) -> tuple[Op, dict[str, Value]]:
    """The same computation under another name, where the facts allow to say so.

    numpy_dot of ranks 1 and 2 is matmul; t, mT, T, transpose and swapaxes of known rank are
    permute with all dimensions, counted from 0; `x[:, None]` is unsqueeze; an einsum that writes
    a matrix product is matmul.
    """
    handler = _HANDLERS.get(op.name)
    return handler(op, arguments, constant) if handler is not None else (op, arguments)


def _dot(
    op: Op, arguments: dict[str, Value], constant: MakeConstant
) -> tuple[Op, dict[str, Value]]:
    types = [arguments[n].tensor for n in ("input", "other")]
    if all(t is not None and t.rank in (1, 2) for t in types):
        return op_named("matmul"), arguments
    return op, arguments


def _permute(
    op: Op, arguments: dict[str, Value], constant: MakeConstant
) -> tuple[Op, dict[str, Value]]:
    source = arguments["input"]
    if source.tensor is None:
        return op, arguments
    dims = _dims(op.name, source.tensor.rank, arguments)
    if dims is None:
        return op, arguments
    return op_named("permute"), {"input": source, "dims": constant(dims)}


def _dims(name: str, rank: int, arguments: dict[str, Value]) -> tuple[int, ...] | None:
    order = list(range(rank))
    if name == "reverse_dims" or (name == "t" and rank == 2):
        return tuple(reversed(order))
    if name == "mT" and rank >= 2:
        return (*order[:-2], rank - 1, rank - 2)
    if name == "transpose":
        a, b = arguments["dim0"].constant, arguments["dim1"].constant
        if isinstance(a, int) and isinstance(b, int) and -rank <= a < rank and -rank <= b < rank:
            order[a], order[b] = order[b], order[a]
            return tuple(order)
    if name == "permute":
        dims = arguments["dims"].constant
        if (
            isinstance(dims, (tuple, list))
            and len(dims) == rank
            and all(isinstance(d, int) for d in dims)
        ):
            if sorted(d % rank for d in dims) == order:
                return tuple(d % rank for d in dims)
    return None


def _clamp(
    op: Op, arguments: dict[str, Value], constant: MakeConstant
) -> tuple[Op, dict[str, Value]]:
    limits = {"min": constant(None), "max": constant(None)}
    for name, limit in (("min", "min"), ("max", "max"), ("min_val", "min"), ("max_val", "max")):
        if name in arguments:
            limits[limit] = arguments[name]
    return op_named("clamp"), {"input": arguments["input"], **limits}


def _getitem(
    op: Op, arguments: dict[str, Value], constant: MakeConstant
) -> tuple[Op, dict[str, Value]]:
    source, index = arguments["input"], arguments["index"].constant
    if source.tensor is None or not isinstance(index, tuple):
        return op, arguments
    if sum(i is None for i in index) != 1 or any(
        i is not None and i is not Ellipsis and i != slice(None) for i in index
    ):
        return op, arguments
    position = index.index(None)
    if Ellipsis in index[:position]:
        position -= len(index)  # counted from the end of the result
    return op_named("unsqueeze"), {"input": source, "dim": constant(position)}


def _einsum(
    op: Op, arguments: dict[str, Value], constant: MakeConstant
) -> tuple[Op, dict[str, Value]]:
    equation, operands = arguments["equation"].constant, arguments["operands"].elements
    if not isinstance(equation, str) or len(operands) != 2:
        return op, arguments
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    left, _, right = inputs.partition(",")
    letters = (left, right, result)
    if not arrow or any(len(set(x)) != len(x) or not (not x or x.isalpha()) for x in letters):
        return op, arguments
    if [len(x) for x in (left, right)] != [
        o.tensor.rank if o.tensor is not None else -1 for o in operands
    ]:
        return op, arguments
    first, second = operands[0].tensor, operands[1].tensor
    if first is None or second is None or first.shape[-1:] != second.shape[-2:-1]:
        return op, arguments  # einsum stretches a dimension of size 1
    # (batch…, i, k) by (k, j), or by (batch…, k, j) with the same batch.
    is_product = len(right) >= 2 and len(left) >= 2 and left[-1] == right[-2]
    batch = right[:-2]
    if is_product and result == left[:-1] + right[-1] and right[-1] not in left:
        if not batch or (batch == left[:-2]):
            return op_named("matmul"), {"input": operands[0], "other": operands[1]}
    return op, arguments


_HANDLERS = {
    "getitem": _getitem,
    "einsum": _einsum,
    "numpy_dot": _dot,
    "t": _permute,
    "mT": _permute,
    "reverse_dims": _permute,
    "transpose": _permute,
    "permute": _permute,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "hardtanh": _clamp,
}
