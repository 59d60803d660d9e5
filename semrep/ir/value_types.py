"""Facts about values: from the signature at the boundary, by meta inference inside."""

from __future__ import annotations

import ast
from typing import Any

from semrep.ir.dialects import meta
from semrep.ir.dialects.op import DType, Op
from semrep.ir.signature import LayerType, OtherType, ScalarType, Signature, TensorType, ValueType
from semrep.ir.values import NOT_CONSTANT, TUPLE, Value

_PLACEHOLDERS = {"int": 2, "float": 1.5, "bool": True}


class NoType(LookupError):
    """An argument of no known type."""


def boundary_type(signature: Signature | None, path: str) -> ValueType | None:
    """The type of an argument or attribute path, looked up in its layer where necessary."""
    if signature is None:
        return None
    found = signature.of(path)
    if found is not None and not isinstance(found, OtherType):
        return found
    owner, _, name = path.rpartition(".")
    layer = signature.of(owner) if owner else None
    if isinstance(layer, LayerType):
        for known, tensor in (*layer.parameters, *layer.buffers):
            if known == name:
                return tensor
        if name == "bias" and layer.get("bias") is False:
            return ScalarType("NoneType", "None")
        if name == "training":
            return ScalarType("bool", repr(layer.training))
        for setting, value in layer.config:
            if setting == name:
                return ScalarType(type(value).__name__, repr(value))
    return found


def constant_of(type_: Any) -> Any:
    """The constant that a boundary fact fixes, or NOT_CONSTANT."""
    if isinstance(type_, ScalarType) and type_.value is not None:
        try:
            return ast.literal_eval(type_.value)
        except (ValueError, SyntaxError):
            return float(type_.value) if type_.name == "float" else NOT_CONSTANT
    return NOT_CONSTANT


def as_argument(value: Value, is_operand: bool) -> Any:
    """What a reference is run on for a value. Raises NoType."""
    if value.tensor is not None:
        return value.tensor
    if value.is_constant:
        constant = value.constant
        return tuple(constant) if isinstance(constant, list) else constant
    if value.kind == TUPLE:
        return tuple(as_argument(v, is_operand) for v in value.elements)
    if isinstance(value.type, tuple):
        return value.type
    if is_operand and isinstance(value.type, ScalarType) and value.type.name in _PLACEHOLDERS:
        return _PLACEHOLDERS[value.type.name]
    raise NoType(str(value))


def infer(op: Op, arguments: dict[str, Value]) -> Any | None:
    """The type of an operation's result, or None. Constants come as themselves."""
    operands: list[Any] = []
    attributes: dict[str, Any] = {}
    try:
        for parameter in op.parameters:
            value = arguments[parameter.name]
            if parameter.is_operand:
                operands.append(as_argument(value, True))
            elif not value.is_constant or value.constant != parameter.default:
                attributes[parameter.name] = as_argument(value, False)
    except NoType:
        return None
    if not any(meta.tensors_in(o) for o in (*operands, *attributes.values())):
        if op.name not in ("getitem", "zeros", "ones", "full", "arange", "eye", "empty"):
            return None
    if "device" in attributes:
        return None
    return meta.infer(op, tuple(operands), attributes)


# In bits. Python refuses to write longer ones out in decimal (more than 4300 digits).
_LONGEST_INT = 8192


def scalar_type(constant: Any) -> ScalarType | None:
    if isinstance(constant, int) and constant.bit_length() > _LONGEST_INT:
        return ScalarType("int")
    if isinstance(constant, (bool, int, float, str)) or constant is None:
        return ScalarType(type(constant).__name__, repr(constant))
    return None


def is_floating(type_: Any) -> bool:
    return isinstance(type_, TensorType) and DType(type_.dtype).is_floating
