"""Multiply all rows of a batch by one matrix in one product.

Rewrite:     np.reshape(np.reshape(x, (b, m, 1, k)) @ w, s)
               -->   np.reshape(np.reshape(x, (b * m, k)) @ w, s)
Legal when:  w is a matrix of NumPy, the product is only reshaped, and the sizes are integers
             without effects.
Numerics:    within tolerance: one product of matrices where there was one for each of the batch.
Refuses:     unknown-type, no-batch, unknown-size, other-calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRODUCT, binding_strength, bracketed, encode
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.array_pass import ArrayPass
from semrep.passes.array.counted import Unproven
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.contract import OBSERVED, WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class MergeProductBatch(ArrayPass):
    """Multiply all rows of a batch by one matrix in one product."""

    name: ClassVar[str] = "merge-product-batch"
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(OBSERVED, "sizes are not negative")

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        """Whether a reshaped array is multiplied."""
        return unit.kind == FUNCTION and node.operator == "@" and _sizes(node["left"]) is not None

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        return [_merged(arrays, node)]


def _sizes(node: Node) -> list[Node] | None:
    """The sizes of `np.reshape(x, (a, b, c))`, of which there are at least three."""
    node = node.unparenthesized
    if node.kind != "call" or node["function"].kind != "attribute":
        return None
    given = node["arguments"].operands if node["arguments"].kind == "argument_list" else []
    if node["function"]["attribute"].text != "reshape" or len(given) != 2:
        return None
    if given[1].kind not in ("tuple", "list") or len(given[1].operands) < 3:
        return None
    return given[1].operands


def _merged(arrays: ArrayFacts, node: Node) -> Edit:
    reshaped = node["left"].unparenthesized
    sizes = _sizes(reshaped)
    outer = node.parent
    call = outer.parent if outer is not None and outer.kind == "argument_list" else None
    if (
        sizes is None
        or arrays.facts.path_of(reshaped["function"]) != "numpy.reshape"
        or call is None
        or arrays.facts.path_of(call["function"]) != "numpy.reshape"
        or len(call["arguments"].operands) != 2
        or call["arguments"].operands[0] is not node
    ):
        raise Unproven("no-batch", "this is no batch whose product is reshaped", node)
    array = arrays.of(reshaped["arguments"].operands[0])
    matrix = arrays.of(node["right"])
    for found in (array, matrix):
        if found is None or found.framework != "numpy" or found.weak:
            raise Unproven("unknown-type", "the type of this is not known", node)
    if matrix is None or matrix.rank != 2:
        raise Unproven("no-batch", "this is no matrix", node["right"])
    for size in sizes:
        value = arrays.affine(size)
        if value is None or value.is_constant and value.constant < 0:
            raise Unproven("unknown-size", "this is no size that is known", size)
    *rows, last = sizes
    texts = [bracketed(r.text, binding_strength(r), PRODUCT + 1) for r in rows if r.text != "1"]
    if len(texts) == 1:
        texts = [next(r.text for r in rows if r.text != "1")]
    span = Span(sizes[0].start, last.start)
    return Edit(span, encode(f"{' * '.join(texts) or '1'}, "))
