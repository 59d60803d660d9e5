"""Go through a triangle by columns, each of them at once, where its rows depend on themselves.

Rewrite:     for i in range(n):
                 for j in range(i):
                     A[i, j] -= A[i, :j] @ A[j, :j]
                     A[i, j] /= A[j, j]
                 A[i, i] = …
             -->
             for i in range(n):
                 A[i, i] = …
                 A[i + 1:, i] -= A[i + 1:, :i] @ A[i, :i]
                 A[i + 1:, i] /= A[i, i]
             (the loops of factorizations and triangular solves with many right-hand sides)
Legal when:  no iteration reads or writes what one touches that it changes places with, which is
             asked of the bounds of all subscripts as linear inequalities; the inner loop runs
             over all smaller counters, and is then one that vectorize-function-loop can write
             without a loop. Subscripts count from the start.
Numerics:    within tolerance: the same operations, with products of matrices for those of vectors.
Refuses:     no-triangle, dependent, may-wrap, unknown-type, unknown-operation, unknown-statement,
             unknown-range, unknown-subscript, live, other-calls, and as vectorize-elementwise-loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import facts
from semrep.ir.emit import encode, indent_of
from semrep.ir.module import Module
from semrep.ir.text import Edit, EditSet
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.affine import Affine, Atom
from semrep.passes.array.array_loop import ArrayLoop
from semrep.passes.array.array_pass import ASSUMPTIONS, ArrayPass
from semrep.passes.array.counted import Counted, Unproven, counted
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.array.regions import Access, accesses, counts_from_end, may_meet
from semrep.passes.array.vectorize_elementwise_loop import vectorised
from semrep.passes.array.vectors import Vectors
from semrep.passes.base import Refusal, refuse
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.loop.loops import stored_names
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class InterchangeTriangularLoop(ArrayPass):
    """Go through a triangle by columns, each of them at once."""

    name: ClassVar[str] = "interchange-triangular-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        """Whether a loop begins with one that runs to its counter."""
        body = node["body"].operands
        if unit.kind != FUNCTION or node["left"].kind != "identifier" or not body:
            return False
        inner = body[0]
        if inner.kind != "for_statement" or inner["left"].kind != "identifier":
            return False
        right = inner["right"].unparenthesized
        if right.kind != "call" or not right["arguments"].operands:
            return False
        return right["arguments"].operands[-1].text == node["left"].text

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        swapped = ArrayPass.edit(self, module, unit, node)
        if isinstance(swapped, Refusal):
            return swapped
        start = next(p.start for p in module.units if p.unit is unit)
        try:
            return [_vectorised(module, start, *swapped)]
        except Unproven as error:
            # What stands in the way stands in the new text.
            return refuse(error.refusal.code, f"by columns, {error.refusal.message}", node)

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        triangle = _Triangle(arrays, node)
        triangle.check()
        return [triangle.by_columns()]


class _Triangle:
    """rows: the outer loop. cells: the inner one. rest: what the rows do after it."""

    def __init__(self, arrays: ArrayFacts, node: Node) -> None:
        self.arrays = arrays
        self.rows: Counted = counted(arrays, node)
        first, *self.rest = node["body"].operands
        self.cells: Counted = counted(arrays, first)
        rows, cells = self.rows, self.cells
        if rows.step != 1 or cells.step != 1 or rows.conditions or cells.conditions:
            raise Unproven("no-triangle", "the loops do not count upwards", node)
        if cells.resolved.end != Affine([(rows.counter, 1)]):
            raise Unproven("no-triangle", "the inner loop does not end at the counter", first)
        apart = rows.resolved.least - cells.resolved.least
        if not apart.is_constant or apart.constant not in (0, 1):
            raise Unproven("no-triangle", "the loops start at different places", node)
        self.has_first = apart.constant == 1
        if rows.binding is cells.binding:
            raise Unproven("no-triangle", "two loops count with one name", node)

    def check(self) -> None:
        """Raises Unproven unless all iterations that change places are independent."""
        arrays, rows, cells = self.arrays, self.rows, self.cells
        body = cells.node["body"].operands
        inner, outer = accesses(arrays, body), accesses(arrays, self.rest)
        for statement in (*body, *self.rest):
            for n in statement.find("for_statement"):
                if n["left"].text == rows.counter.text:
                    raise Unproven("no-triangle", "two loops count with one name", n)
        self._check_names()
        i, j = rows.counter, cells.counter
        row, column, other_row, other_column = (
            Affine([(Atom(("instance", k), f"{k}"), 1)]) for k in range(4)
        )
        first, end = rows.resolved.least, rows.resolved.end
        low = cells.resolved.least
        mine = [row - first, end - row - 1, column - low, row - column - 1]
        for access in inner:
            if counts_from_end(access.at({i: row, j: column}), mine):
                raise Unproven("may-wrap", "this may count from the end", access.node)
        for access in outer:
            if counts_from_end(access.at({i: row}), mine[:2]):
                raise Unproven("may-wrap", "this may count from the end", access.node)
        # Cells of different rows: the one in the lower row comes first now if its column does.
        cells_swapped = [
            *mine,
            other_row - row - 1, end - other_row - 1,
            other_column - low, column - other_column - 1,
        ]  # fmt: skip
        for a in inner:
            for b in inner:
                other = _apart(b, {i, j}).at({i: other_row, j: other_column})
                self._ask(a.at({i: row, j: column}), other, cells_swapped)
        # The rest of a row came before the cells of later rows that are left of it.
        rest_swapped = [*mine, other_row - column - 1, row - other_row - 1, other_row - first]
        for a in inner:
            for b in outer:
                other = _apart(b, {i, j}).at({i: other_row})
                self._ask(a.at({i: row, j: column}), other, rest_swapped)

    def _ask(self, a: Access, b: Access, where: list[Affine]) -> None:
        if may_meet(a, b, where):
            raise Unproven("dependent", "an iteration may touch what another one writes", b.node)

    def _check_names(self) -> None:
        """Variables carry nothing between what changes places."""
        rows, cells = self.rows, self.cells
        inside = stored_names(rows.unit, cells.node) - {cells.counter.text}
        if inside:
            raise Unproven("dependent", "the inner loop sets a variable", cells.node)
        after = {
            n.text
            for statement in self.rest
            for n in statement.find("identifier")
            if any(n is s for b in (rows.facts.scopes.binding(n),) if b for s in b.stores)
        }
        for n in cells.node["body"].find("identifier"):
            if n.field != "attribute" and n.text in after - {cells.counter.text}:
                raise Unproven("dependent", "a row sets what another one's cells read", n)

    def by_columns(self) -> Edit:
        """The loops in their new order: the cells' counter goes through the rows below."""
        rows, cells = self.rows, self.cells
        unit, node = rows.unit, rows.node
        i, j = rows.counter.text, cells.counter.text
        indent, newline = indent_of(unit, node), unit.newline
        one = indent_of(unit, cells.node).removeprefix(indent) or "    "
        body = cells.node["body"]
        swap = {i: j, j: i}
        text = bytearray(body.source[body.start : body.end])
        for n in sorted(body.find("identifier"), key=lambda n: -n.start):
            is_name = n.field == "attribute" or (
                n.field == "name" and n.parent is not None and n.parent.kind == "keyword_argument"
            )
            if n.text in swap and not is_name:
                text[n.start - body.start : n.end - body.start] = encode(swap[n.text])
        low = cells.start
        begin = "" if low == Affine() else f"{low.text}, "
        lines = [f"for {i} in range({begin}{rows.stop.text}):"]
        deeper = indent + one
        rest = newline.join(deeper + s.text for s in self.rest)
        if rest and self.has_first:
            lines.append(f"{deeper}if {i} > {low.text}:")
            inner = [line for s in self.rest for line in (deeper + s.text).split(newline)]
            rest = newline.join(one + line if line.strip() else line for line in inner)
        if rest:
            lines.append(rest)
        lines.append(f"{deeper}for {j} in range({i} + 1, {rows.stop.text}):")
        cell = indent_of(unit, body.operands[0])
        lines.append(f"{cell}{bytes(text).decode('utf-8', 'surrogateescape')}")
        return Edit(node.span, encode(newline.join(lines)))


@dataclass(frozen=True, slots=True)
class _Columns(ArrayLoop):
    """The loop over the rows of a column, whatever it takes to have none."""

    name: ClassVar[str] = "columns"

    def lines(self, loop: Counted, vectors: Vectors) -> list[str]:
        return vectorised(loop, vectors)


def _apart(access: Access, own: set[Atom]) -> Access:
    """The access with counters of its own for the loops within the statements, so that both sides
    of a question may be in one loop. own: the counters of the two loops that change places."""
    counters = {a for w in access.where for a in w.terms if _is_counter(a)} - own
    names = {a: Affine([(Atom(("other", a.key), a.text + "'"), 1)]) for a in counters}
    return access.at(names)


def _is_counter(atom: Atom) -> bool:
    return isinstance(atom.key, tuple) and atom.key[0] == "counter"


def _vectorised(module: Module, start: int, swapped: Edit) -> Edit:
    """The edit with its last loop written as lines about whole columns."""
    placed = Edit(swapped.span.shifted(start), swapped.text)
    after = module.apply(EditSet([placed]))
    found = after.unit_at(placed.span)
    if found is None:
        raise Unproven("no-triangle", "the loops are no statements of a function")
    unit = found.unit
    begin = placed.span.start - found.start
    outer = next(
        n for n in unit.by_kind.get("for_statement", ()) if n.start == begin
    )  # the text above
    inner = outer["body"].operands[-1]

    (edit,) = _Columns().agreed(after, unit, facts(after, unit, inner), inner)
    size = len(swapped.text)
    low, high = edit.span.start - begin, edit.span.end - begin
    assert 0 <= low <= high <= size
    return Edit(swapped.span, swapped.text[:low] + edit.text + swapped.text[high:])
