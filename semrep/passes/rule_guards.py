"""Conditions under which a rule may act. A guard looks at one match and says why not.

Metavariables are named as in the pattern ("$b"). A fact that is not known is a refusal that
says how to make it known, never an assumption.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from semrep.ir.dialects.op import DType
from semrep.ir.pattern import Match
from semrep.ir.signature import TensorType
from semrep.ir.values import ATTRIBUTE, CONSTANT, NOT_CONSTANT, OP, Value, ValueGraph, is_number
from semrep.passes.base import Refusal

HOW_TO_TELL = "give inputs (semrep_inputs(), get_inputs() or --inputs) so that it can be observed"


@dataclass(frozen=True, slots=True)
class Found:
    """A match and the graph around it, with short ways to ask."""

    match: Match
    graph: ValueGraph

    def value(self, name: str) -> Value:
        return self.match.holes[name.removeprefix("$")]

    def has(self, name: str) -> bool:
        return name.removeprefix("$") in self.match.holes

    def tensor(self, name: str) -> TensorType | None:
        return self.value(name).tensor

    def constant(self, name: str) -> Any:
        """The Python constant, or NOT_CONSTANT."""
        return self.value(name).constant

    def dims(self, name: str) -> tuple[int, ...] | None:
        return self.match.dims.get(name.removeprefix("$"))


Guard = Callable[[Found], Refusal | None]


def describe(value: Value) -> str:
    """The value as the program's author knows it."""
    if value.node is not None:
        text = " ".join(value.node.text.split())
        return f"`{text if len(text) <= 40 else text[:37] + '...'}`"
    return f"`{value.label or value}`"


def refusal(code: str, message: str, value: Value) -> Refusal:
    return Refusal(code, message, value.node.span if value.node is not None else None)


def unknown(value: Value) -> Refusal:
    return refusal(
        "unknown-shape", f"the shape of {describe(value)} is not known: {HOW_TO_TELL}", value
    )


def rank(name: str, *ranks: int) -> Guard:
    """The array has one of these ranks."""

    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        tensor = value.tensor
        if tensor is None:
            return unknown(value)
        if tensor.rank in ranks:
            return None
        wanted = " or ".join(map(str, ranks))
        return refusal(
            "rank", f"{describe(value)} has {tensor.rank} dimensions, not {wanted}", value
        )

    return check


def rank_at_least(name: str, least: int) -> Guard:
    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        if value.tensor is None:
            return unknown(value)
        if value.tensor.rank >= least:
            return None
        message = f"{describe(value)} has {value.tensor.rank} dimensions, fewer than {least}"
        return refusal("rank", message, value)

    return check


def same_rank(*names: str) -> Guard:
    """No broadcasting between different ranks."""

    def check(found: Found) -> Refusal | None:
        ranks = []
        for name in names:
            tensor = found.tensor(name)
            if tensor is None:
                return unknown(found.value(name))
            ranks.append(tensor.rank)
        if len(set(ranks)) == 1:
            return None
        return refusal("broadcast", f"ranks differ: {ranks}", found.value(names[0]))

    return check


def same_shape(*names: str) -> Guard:
    def check(found: Found) -> Refusal | None:
        shapes = []
        for name in names:
            tensor = found.tensor(name)
            if tensor is None:
                return unknown(found.value(name))
            shapes.append(tensor.shape)
        if len(set(shapes)) == 1:
            return None
        text = " and ".join(map(str, (list(s) for s in shapes)))
        return refusal(
            "broadcast", f"shapes differ, so one is broadcast: {text}", found.value(names[0])
        )

    return check


def scalar(name: str) -> Guard:
    """A Python number, or an array of one element and no dimension."""

    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        if is_number(value) or value.tensor is not None and value.tensor.rank == 0:
            return None
        if value.type is None:
            return unknown(value)
        return refusal("not-a-scalar", f"{describe(value)} is no scalar", value)

    return check


def python_number(name: str) -> Guard:
    """A Python int or float, so that it takes part in no type promotion."""

    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        if is_number(value):
            return None
        if value.type is None:
            return unknown(value)
        return refusal("not-a-number", f"{describe(value)} is no Python number", value)

    return check


def constant(name: str, test: Callable[[Any], bool], wanted: str) -> Guard:
    """A constant that passes a test: written in the text, or a layer's setting."""

    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        if value.constant is NOT_CONSTANT or value.kind == OP:
            return refusal("not-constant", f"{describe(value)} is not a known constant", value)
        if test(value.constant):
            return None
        return refusal("constant", f"{describe(value)} is {value.constant}, not {wanted}", value)

    return check


def positive(name: str) -> Guard:
    def is_positive(value: Any) -> bool:
        return isinstance(value, (int, float)) and 0 < value < float("inf")

    return constant(name, is_positive, "a positive number")


def unit_dims(name: str, dims: str) -> Guard:
    """The array has size 1 along these dimensions, by construction: not because one caller's
    input happens to."""

    def check(found: Found) -> Refusal | None:
        value = found.value(name)
        if value.tensor is None:
            return unknown(value)
        along = found.dims(dims)
        if along is None:
            return refusal("dims", f"the dimensions of {describe(value)} are not known", value)
        for dim in along:
            if value.tensor.shape[dim] != 1:
                size = value.tensor.shape[dim]
                message = f"{describe(value)} has size {size} in dimension {dim}, not 1"
                return refusal("not-unit", message, value)
            if not is_structurally_unit(value, dim):
                message = (
                    f"{describe(value)} has size 1 in dimension {dim} on the given inputs, "
                    "but nothing in the code makes it so"
                )
                return refusal("not-unit", message, value)
        return None

    return check


def may_be_unit(name: str, dims: str) -> Guard:
    """Whether the sizes allow size 1 along these dimensions: a screen for `unit_dims`."""

    def check(found: Found) -> Refusal | None:
        value, along = found.value(name), found.dims(dims)
        if value.tensor is None or along is None:
            return None
        if all(value.tensor.shape[d] == 1 for d in along):
            return None
        return refusal("not-unit", f"{describe(value)} has a size other than 1", value)

    return check


def is_structurally_unit(value: Value, dim: int) -> bool:
    """Whether size 1 along a dimension (counted from 0) follows from the code and the sizes of
    the model's own weights, whatever the inputs."""
    tensor = value.tensor
    if tensor is None or not 0 <= dim < tensor.rank or tensor.shape[dim] != 1:
        return False
    if value.kind == ATTRIBUTE:
        return True
    if value.kind != OP or value.op is None:
        return False
    arguments = value.arguments
    name = value.op_name
    if name == "getitem":
        pair = arguments["input"]
        return pair.op_name in ("max_dim", "min_dim", "var_mean") and _kept(pair, dim)
    if name in ("sum", "mean", "amax", "amin", "prod", "logsumexp", "var", "std"):
        return _kept(value, dim)
    if name == "linear":
        weight = arguments["weight"].tensor
        if weight is not None and weight.rank == 2 and dim == tensor.rank - 1:
            return is_structurally_unit(arguments["weight"], 0)
        return is_structurally_unit(arguments["input"], dim)
    if value.op.is_elementwise or name in ("softmax", "log_softmax"):
        arrays = [a for a in value.elements if a.tensor is not None]
        for array in arrays:
            assert array.tensor is not None
            theirs = dim - (tensor.rank - array.tensor.rank)
            if theirs >= 0 and not is_structurally_unit(array, theirs):
                return False
        return bool(arrays)
    if name == "unsqueeze":
        along = arguments["dim"].constant
        return isinstance(along, int) and along % tensor.rank == dim
    return False


def _kept(reduction: Value, dim: int) -> bool:
    """Whether a reduction with keepdim covers the dimension, or its input had size 1 there."""
    from semrep.ir.pattern import normalized_dims

    source = reduction.arguments["input"]
    if reduction.arguments["keepdim"].constant is not True or source.tensor is None:
        return False
    dims = normalized_dims(reduction.arguments["dim"].constant, source.tensor.rank)
    return dims is not None and (dim in dims or is_structurally_unit(source, dim))


def floating(values: list[Value]) -> Refusal | None:
    """All arrays among the values are of one real floating-point type."""
    dtypes = set()
    for value in values:
        tensor = value.tensor
        if tensor is None:
            continue
        if not DType(tensor.dtype).is_floating:
            what = f"{describe(value)} is {tensor.dtype}"
            message = f"{what}: the rewrite is for real floating-point arrays"
            return refusal("not-floating", message, value)
        dtypes.add(tensor.dtype)
    if len(dtypes) > 1:
        message = f"element types are mixed: {', '.join(sorted(dtypes))}"
        return refusal("mixed-types", message, values[0])
    return None


def is_written(value: Value) -> bool:
    """A literal in the text."""
    return value.kind == CONSTANT and value.node is not None
