"""Scale the product of a matrix and a vector, and not the matrix.

Rewrite:     y = s * A @ x   -->   y = s * (A @ x)
             y = x @ (A * s)   -->   y = x @ A * s
Legal when:  one operand is a vector and the other a matrix times one number, all of the same
             floating-point type (or the number Python's own), of NumPy.
Numerics:    within tolerance: n products by the number instead of n * m, rounded elsewhere.
Refuses:     unknown-type, no-vector, other-type, has-effects, other-calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRODUCT, binding_strength, bracketed, replace
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.array_pass import ArrayPass
from semrep.passes.array.counted import Unproven
from semrep.passes.array.facts import Array, ArrayFacts
from semrep.passes.contract import OBSERVED, WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class ScaleAfterProduct(ArrayPass):
    """Scale a matrix-vector product instead of its matrix."""

    name: ClassVar[str] = "scale-after-product"
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(OBSERVED)

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION or node.operator != "@":
            return False
        return any(_is_scaled(node[side].unparenthesized) for side in ("left", "right"))

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        return [_scaled(arrays, node)]


def _is_scaled(node: Node) -> bool:
    return node.kind == "binary_operator" and node.operator == "*"


def _known(arrays: ArrayFacts, node: Node) -> Array:
    found = arrays.of(node)
    if found is None or found.is_mixed:
        raise Unproven("unknown-type", "the type of this is not known", node)
    return found


def _scaled(arrays: ArrayFacts, node: Node) -> Edit:
    left, right = node["left"].unparenthesized, node["right"].unparenthesized
    product, vector = (left, right) if _is_scaled(left) else (right, left)
    if _known(arrays, vector).rank != 1:
        raise Unproven("no-vector", "this is no vector", vector)
    one, other = product["left"], product["right"]
    first, second = _known(arrays, one), _known(arrays, other)
    number, matrix = (first, second) if first.rank == 0 else (second, first)
    if number.rank or matrix.rank != 2 or matrix.framework != "numpy":
        raise Unproven("no-vector", "this is no matrix times a number", product)
    dtype = _known(arrays, vector).dtype
    fits = number.dtype == dtype or number.weak and number.dtype in ("int64", "float64")
    if not dtype.startswith("float") or matrix.dtype != dtype or not fits:
        raise Unproven("other-type", "the factors are not of one floating-point type", product)
    if product.has_comment:
        raise Unproven("other-type", "a comment stands in the product", product)
    scale, rest = (one, other) if first.rank == 0 else (other, one)
    a, b = (rest, node["right"]) if product is left else (node["left"], rest)
    if (product is left) != (scale is one) and any(list(n.find("call")) for n in (scale, vector)):
        raise Unproven("has-effects", "the operands would be evaluated in another order", node)
    inner = f"{_within(a, PRODUCT)} @ {_within(b, PRODUCT + 1)}"
    if scale is one:
        return replace(node, f"{_within(scale, PRODUCT)} * ({inner})", PRODUCT)
    return replace(node, f"{inner} * {_within(scale, PRODUCT + 1)}", PRODUCT)


def _within(node: Node, needed: int) -> str:
    return bracketed(node.text, binding_strength(node), needed)
