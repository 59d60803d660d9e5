"""Multiply a matrix by its transpose at once instead of one row of the triangle after the other.

Rewrite:     for i in range(m):
                 C[i:m, i] = C[i, i:m] = X[:, i] @ X[:, i:m] / s
               -->   C[:m, :m] = X[:, :m].T @ X[:, :m] / s
             (the slices from `i + 1` on: the diagonal keeps what it holds)
Legal when:  both halves of one array are stored, from the counter on and up to the loop's end;
             the product is of a column and the columns from there on of one other array, both of
             float64, times or over numbers that are the same throughout.
Numerics:    within tolerance: one product of matrices for many of vectors.
Refuses:     no-triangle, unknown-type, unknown-range, dependent, not-imported, other-calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import fresh_name
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.affine import Affine
from semrep.passes.array.array_pass import ASSUMPTIONS, ArrayPass
from semrep.passes.array.counted import Counted, Unproven, counted, library_name, replaced
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.array.references import Reference, reference
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class TriangularProductLoop(ArrayPass):
    """Multiply a matrix by its transpose at once instead of row by row."""

    name: ClassVar[str] = "triangular-product-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        """Whether a loop stores one product in two places."""
        body = node["body"].operands
        if unit.kind != FUNCTION or len(body) != 1 or not body[0].operands:
            return False
        outer = body[0].operands[0]
        right = outer.child("right") if outer.kind == "assignment" else None
        return right is not None and right.kind == "assignment" and "[" in right.text

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        return [_product(counted(arrays, node))]


def _product(loop: Counted) -> Edit:
    if loop.step != 1 or loop.conditions or loop.resolved.least != Affine():
        raise Unproven("unknown-range", "the loop does not count upwards from 0", loop.node)
    first = loop.node["body"].operands[0].operands[0]
    second = first["right"]
    value = second.child("right")
    if value is None or value.kind == "assignment" or second.child("type") is not None:
        raise Unproven("no-triangle", "no two halves are stored", loop.node)
    one, other = (_part(loop, target) for target in (first["left"], second["left"]))
    is_row = one.ref.rank == other.ref.rank == 1 and one.ref.name == other.ref.name
    if not is_row or {one.counter_place, other.counter_place} != {0, 1}:
        raise Unproven("no-triangle", "no two halves of one array are stored", first)
    left, right, after = _factors(loop, value)
    columns = _part(loop, right)
    single = reference(loop.arrays, left)
    if single is None or single.name != columns.ref.name or columns.ref.rank != 2:
        raise Unproven("no-triangle", "this is no product of columns of one array", value)
    if columns.counter_place != 1:
        raise Unproven("no-triangle", "this is no product of columns of one array", value)
    if len(single.indices) != 2 or not single.indices[0].is_slice or single.indices[1].is_slice:
        raise Unproven("no-triangle", "this is no product of columns of one array", value)
    rows_text = "".join((single.indices[0].node.text if single.indices[0].node else ":").split())
    if single.indices[1].first != Affine([(loop.counter, 1)]) or rows_text != ":":
        raise Unproven("no-triangle", "this is no product of columns of one array", value)
    if not one.start == other.start == columns.start or not one.end == other.end == columns.end:
        raise Unproven("no-triangle", "the slices differ", first)
    skipped = (one.start - Affine([(loop.counter, 1)])).constant
    if loop.resolved.end not in (one.end, one.end - skipped):
        raise Unproven("unknown-range", "the loop does not go through all rows", loop.node)
    target, source = one.ref.array, columns.ref.array
    if target.may_share(source):
        raise Unproven("dependent", "this may be what the loop writes", right)
    if not target.dtype == source.dtype == "float64":
        raise Unproven("unknown-type", "only double precision is multiplied", value)
    if target.framework != "numpy" or source.framework != "numpy":
        raise Unproven("unknown-type", "only arrays of NumPy are multiplied", value)
    end = one.end_text
    matrix = f"{columns.ref.name}[:, :{end}]"
    text = f"{matrix}.T @ {matrix}{after}"
    place = f"{one.ref.name}[:{end}, :{end}]"
    lines = [f"{place} = {text}"]
    if skipped:
        name = fresh_name(loop.unit, "product")
        numpy = library_name(loop, "numpy")
        lines = [
            f"{name} = {text}",
            f"{numpy}.fill_diagonal({name}, {place}.diagonal())",
            f"{place} = {name}",
        ]
    if not loop.around.is_positive(one.end):
        lines = [f"if {end} > 0:", *("    " + line for line in lines)]
    return replaced(loop, lines, guard=False)


@dataclass(frozen=True, slots=True)
class _Part:
    """`A[i + d:m, i]`, `A[i, i + d:m]` or `A[:, i + d:m]`. counter_place: of the slice that begins
    with the counter."""

    ref: Reference
    counter_place: int
    start: Affine
    end: Affine
    end_text: str


def _part(loop: Counted, node: Node) -> _Part:
    ref = reference(loop.arrays, node)
    if ref is None or ref.array.rank != 2 or ref.has_new_axes or len(ref.indices) != 2:
        raise Unproven("no-triangle", "this is no part of a matrix", node)
    counter = Affine([(loop.counter, 1)])
    places = [
        k for k, i in enumerate(ref.indices)
        if i.is_slice and i.start is not None and i.start.factor(loop.counter)
    ]  # fmt: skip
    if len(places) != 1:
        raise Unproven("no-triangle", "no slice begins with the counter", node)
    (place,) = places
    index, rest = ref.indices[place], ref.indices[1 - place]
    assert index.start is not None and index.node is not None
    skipped = index.start - counter
    if not index.is_plain or index.stop is None or index.stop.factor(loop.counter):
        raise Unproven("no-triangle", "the slice has no end that stays", index.node)
    if not skipped.is_constant or skipped.constant not in (0, 1):
        raise Unproven("no-triangle", "the slice does not begin with the counter", index.node)
    is_all = rest.is_slice and (rest.node is None or rest.node.text.strip() == ":")
    if not is_all and rest.first != counter:
        raise Unproven("no-triangle", "this is not the counter's row", node)
    end = [c for c in index.node.children if c.named and c.kind != "comment"][-1]
    if loop.varies(end):
        raise Unproven("no-triangle", "the slice has no end that stays", index.node)
    return _Part(ref, place, index.start, index.stop, end.text)


def _factors(loop: Counted, node: Node) -> tuple[Node, Node, str]:
    """The operands of a product, and the text behind it."""
    node = node.unparenthesized
    if node.kind == "call" and loop.facts.path_of(node["function"]) == "numpy.dot":
        given = node["arguments"].operands
        if len(given) == 2 and all(g.kind != "keyword_argument" for g in given):
            return given[0], given[1], ""
    if node.kind == "binary_operator" and node.operator == "@":
        return node["left"].unparenthesized, node["right"].unparenthesized, ""
    if node.kind == "binary_operator" and node.operator in "*/":
        _check_number(loop, node["right"])
        left, right, after = _factors(loop, node["left"])
        return left, right, f"{after} {node.operator} {node['right'].text}"
    raise Unproven("no-triangle", "this is no product of columns of one array", node)


def _check_number(loop: Counted, node: Node) -> None:
    """Raises Unproven for what may change, or make the product of another type."""
    found = loop.arrays.of(node)
    if found is None or found.rank or loop.varies(node) or next(node.find("call"), None):
        raise Unproven("unknown-type", "this is no number that stays", node)
    if found.dtype != "float64" and not (found.weak and found.dtype == "int64"):
        raise Unproven("unknown-type", "this is no number that stays", node)
