"""Use a cheaper operation with the same result.

Rewrite:     n ** 2 --> n * n,  pow(n, 2) --> n * n          (n an int)
             x / 4 --> x * 0.25                              (x a float)
             pid // 8 --> pid >> 3,  pid % 8 --> pid & 7     (Triton, pid not negative)
Legal when:  the operand's exact type is proven. A float's square overflows to an exception
             and its product to infinity, so only ints are multiplied out. Dividing by a
             power of two and multiplying by its reciprocal round the same exact number.
             Triton's division truncates and a shift floors, so the operand must not be negative.
Numerics:    bitwise.
Refuses:     unproven-type, overflow-differs, evaluated-twice, maybe-negative.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import (
    BIT_AND,
    POWER,
    PRODUCT,
    SHIFT,
    binding_strength,
    bracketed,
    replace,
)  # fmt: skip
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.types import INTEGERS
from semrep.ir.unit import Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register

_FLOAT = frozenset({"float"})
_NEVER_NEGATIVE = ("triton.language.program_id", "triton.language.num_programs")


@register
@dataclass(frozen=True, slots=True)
class ReduceStrength(NodePass):
    """Replace powers, divisions and remainders by cheaper operations."""

    name: ClassVar[str] = "reduce-strength"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator", "call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node.kind == "call":
            called = node["function"]
            return (
                called.kind == "identifier"
                and called.bytes == b"pow"
                and module.environment.is_builtin_call(unit, node, "pow")
                and len(node["arguments"].operands) == 2
                and node["arguments"].operands[1].text in ("2", "3")
            )
        operator, right = node.operator, node["right"].unparenthesized
        if operator == "**":
            return right.text in ("2", "3")
        if operator == "/":
            return _power_of_two(right) in (1, 2, 3, 4)
        if operator in ("//", "%") and right.kind == "integer":
            return bool(_power_of_two(right)) and self.facts(module, unit, node).is_triton
        return False

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        if node.kind == "call":
            base, times = node["arguments"].operands
            return _multiplied(facts, node, base, int(times.text))
        base, right = node["left"], node["right"].unparenthesized
        if node.operator == "**":
            return _multiplied(facts, node, base, int(right.text))
        exponent = _power_of_two(right)
        assert exponent is not None
        if node.operator == "/":
            if facts.is_triton or facts.types.of(base) != _FLOAT:
                return refuse("unproven-type", "this is not known to be a float", base)
            left = bracketed(base.text, binding_strength(base), PRODUCT)
            return _written(node, f"{left} * {0.5**exponent!r}", PRODUCT)
        if not _is_never_negative(facts, base):
            return refuse("maybe-negative", "a negative number is rounded the other way", base)
        if node.operator == "//":
            left = bracketed(base.text, binding_strength(base), SHIFT)
            return _written(node, f"{left} >> {exponent}", SHIFT)
        left = bracketed(base.text, binding_strength(base), BIT_AND)
        return _written(node, f"{left} & {2**exponent - 1}", BIT_AND)


def _multiplied(facts: Facts, node: Node, base: Node, times: int) -> list[Edit] | Refusal:
    base = base.unparenthesized
    types = None if facts.is_triton else facts.types.of(base)
    if types == _FLOAT:
        return refuse("overflow-differs", "a power that overflows raises, a product does not", base)
    if types is None or not types or not types <= INTEGERS:
        return refuse("unproven-type", "this is not known to be an int", base)
    if base.kind not in ("identifier", "integer") or not facts.is_pure(base):
        return refuse("evaluated-twice", "this would be evaluated more than once", base)
    return _written(node, " * ".join([base.text] * times), PRODUCT)


def _written(node: Node, text: str, strength: int) -> list[Edit] | Refusal:
    if node.has_comment or "\n" in text or any(a.kind == "interpolation" for a in node.ancestors()):
        return refuse("evaluated-twice", "the text here is not to be rewritten", node)
    assert strength < POWER
    return [replace(node, text, strength)]


def _power_of_two(node: Node) -> int | None:
    """k for the literals 2**k and 2.0**k with k > 0."""
    if node.kind not in ("integer", "float"):
        return None
    try:
        value = float(node.text)
    except ValueError:
        return None
    if not value.is_integer() or not 2 <= value <= 1 << 20:
        return None
    whole = int(value)
    return whole.bit_length() - 1 if whole & (whole - 1) == 0 else None


def _is_never_negative(facts: Facts, node: Node) -> bool:
    """Whether a Triton value is a block or program index, or a name that holds only such."""
    node = node.unparenthesized
    if node.kind == "call":
        path = facts.path_of(node["function"])
        arguments = node["arguments"].operands
        if path == "triton.language.arange":
            return bool(arguments) and arguments[0].kind == "integer"
        return path in _NEVER_NEGATIVE
    if node.kind != "identifier":
        return False
    stores = facts.flow.reaching(node)
    return bool(stores) and all(
        isinstance(s, Node)
        and s.parent is not None
        and s.parent.kind == "assignment"
        and s.field == "left"
        and s.parent.child("right") is not None
        and s.parent["right"].kind == "call"
        and _is_never_negative(facts, s.parent["right"])
        for s in stores
    )
