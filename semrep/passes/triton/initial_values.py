"""What a kernel's accumulators start with: tensors, or Python numbers that a loop turns into
tensors of a certain type."""

from __future__ import annotations

from semrep.ir.effects import Facts
from semrep.ir.tree import Node

# Of Triton's language: what gives a tensor, whatever it is given.
_TENSORS = frozenset(
    {"zeros", "full", "arange", "program_id", "num_programs", "load", "sum", "max", "min",
     "zeros_like", "broadcast_to", "dot", "where", "maximum", "minimum", "exp", "exp2", "log",
     "sqrt", "rsqrt"}
)  # fmt: skip


def is_tensor(facts: Facts, value: Node) -> bool:
    """Whether an expression surely stands for a tensor, no number known at compile time."""
    value = value.unparenthesized
    if value.kind == "binary_operator":
        return is_tensor(facts, value["left"]) or is_tensor(facts, value["right"])
    if value.kind == "unary_operator":
        return is_tensor(facts, value["argument"])
    if value.kind != "call":
        return False
    path = facts.path_of(value["function"])
    if path is not None and path.startswith("triton.language."):
        return path.removeprefix("triton.language.") in _TENSORS
    function = value["function"]
    return function.kind == "attribute" and function["attribute"].text == "to"


def as_tensor(facts: Facts, value: Node) -> str | None:
    """A Python number as the scalar tensor that a loop makes of it; None where it is none."""
    kind = number(facts, value)
    if kind is None:
        return None
    return f"tl.full((), {value.text}, tl.{kind})"


def number(facts: Facts, value: Node) -> str | None:
    """The type that a loop gives to a Python number: "float32" or "int32"; None for others."""
    value = value.unparenthesized
    if value.kind == "unary_operator" and value.operator in ("-", "+"):
        return number(facts, value["argument"])
    if value.kind == "float":
        return "float32"
    if value.kind == "integer":
        return "int32" if int(value.text, 0) < 2**31 else None
    if value.kind == "call" and facts.path_of(value["function"]) == "builtins.float":
        inside = value["arguments"].operands
        if len(inside) == 1 and inside[0].kind in ("string", "integer", "float"):
            return "float32"
    return None


def is_zero(facts: Facts, value: Node) -> bool:
    """Whether an accumulator starts from nothing: 0, 0.0 or tl.zeros(…)."""
    value = value.unparenthesized
    if value.kind in ("integer", "float"):
        return float(value.text) == 0.0
    return value.kind == "call" and facts.path_of(value["function"]) == "triton.language.zeros"


def is_minus_infinity(facts: Facts, value: Node) -> bool:
    value = value.unparenthesized
    if value.kind == "unary_operator" and value.operator == "-":
        inner = value["argument"].unparenthesized
        return number(facts, inner) == "float32" and "inf" in inner.text.lower()
    return number(facts, value) == "float32" and "-inf" in value.text.lower()
