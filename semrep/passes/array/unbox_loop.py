"""Run a recurrence over elements on Python's own numbers instead of NumPy's.

Rewrite:     for j in range(1, n):                -->   A_values = A[i].tolist()
                 A[i, j] += A[i, j - 1]                 for j in range(1, n):
                 A[i, j] /= 9.0                             A_values[j] += A_values[j - 1]
                                                            A_values[j] /= 9.0
                                                        A[i] = A_values
             (an element of an array is made into an object and back at each touch; a list holds
             the objects)
Legal when:  iterations depend on each other, so that the loop has no form for whole arrays; all
             arrays hold float64, and each is taken along one dimension, at elements alone; rows
             that are written are no others' memory; operations are those on which Python's
             numbers and NumPy's agree to the bit, and raise nothing more: no division but by a
             number that is not 0; what is stored is float64; no variable of the loop is used
             after it, where its type would show.
Numerics:    bitwise.
Refuses:     not-carried, unknown-type, unknown-operation, unknown-statement, unknown-subscript,
             may-wrap, out-of-bounds, dependent, live, other-calls, and as
             vectorize-elementwise-loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import encode, fresh_name
from semrep.ir.tree import Node
from semrep.passes.array.affine import Affine
from semrep.passes.array.array_loop import ArrayLoop
from semrep.passes.array.array_pass import ASSUMPTIONS
from semrep.passes.array.counted import Counted, Unproven, own_variable
from semrep.passes.array.references import Reference, reference
from semrep.passes.array.vectorize_elementwise_loop import vectorised
from semrep.passes.array.vectors import Vectors, subscripted
from semrep.passes.contract import BITWISE, Contract
from semrep.passes.loop.loops import stored_names
from semrep.passes.registry import register

_TRANSPARENT = frozenset(
    {"block", "expression_statement", "if_statement", "elif_clause", "else_clause",
     "comparison_operator", "boolean_operator", "not_operator", "parenthesized_expression",
     "conditional_expression", "integer", "float", "argument_list"}
)  # fmt: skip
_FUNCTIONS = ("builtins.abs", "builtins.min", "builtins.max")


@register
@dataclass(frozen=True, slots=True)
class UnboxLoop(ArrayLoop):
    """Run a recurrence over elements on lists of Python's own numbers."""

    name: ClassVar[str] = "unbox-loop"
    contract: ClassVar[Contract] = BITWISE.assuming(*ASSUMPTIONS)

    def lines(self, loop: Counted, vectors: Vectors) -> list[str]:
        if loop.conditions:
            raise Unproven("unknown-statement", "this belongs before the loop", loop.node)
        _check_carried(loop)
        body = _Body(loop, vectors)
        body.visit(loop.node["body"])
        return body.text()


def _check_carried(loop: Counted) -> None:
    """Raises Unproven unless iterations depend on each other."""
    try:
        vectorised(loop, Vectors(loop))
    except Unproven as error:
        if error.refusal.code in ("dependent", "carried"):
            return
        raise
    raise Unproven("not-carried", "this has a form for whole arrays", loop.node)


@dataclass(slots=True)
class _Row:
    """All of an array along the dimension that the counter walks. others: the subscripts in the
    other dimensions."""

    name: str
    place: int
    first: Reference
    others: tuple[Affine | None, ...]
    texts: tuple[str, ...]
    is_written: bool = False


class _Body:
    def __init__(self, loop: Counted, vectors: Vectors) -> None:
        self.loop = loop
        self.vectors = vectors
        self.rows: list[_Row] = []
        self.uses: list[tuple[Node, Node, _Row]] = []
        """Each element with its subscript by the counter."""
        self.fixed: list[Reference] = []
        """Elements that are the same in all iterations."""
        self.stored = stored_names(loop.unit, loop.node)

    def visit(self, node: Node) -> None:
        """Raises Unproven for what may do other than with NumPy's numbers."""
        if node.kind in ("assignment", "augmented_assignment"):
            self._assignment(node)
        elif node.kind == "subscript":
            self._element(node, is_written=False)
        elif node.kind == "identifier":
            self._variable(node)
        elif node.kind in ("binary_operator", "unary_operator"):
            self._operation(node, node.operator)
        elif node.kind == "call":
            if self.loop.facts.path_of(node["function"]) not in _FUNCTIONS:
                raise Unproven("unknown-operation", "this may do otherwise with a float", node)
            if len(node["arguments"].operands) != 1 + (node["function"].text != "abs"):
                raise Unproven("unknown-operation", "this may do otherwise with a float", node)
            self.visit(node["arguments"])
        elif node.kind in _TRANSPARENT:
            for child in node.operands:
                if child.field != "operators":
                    self.visit(child)
        else:
            raise Unproven("unknown-statement", "this may do otherwise with a float", node)

    def _assignment(self, node: Node) -> None:
        target, value = node["left"], node.child("right")
        if value is None or value.kind in ("assignment", "expression_list"):
            raise Unproven("unknown-statement", "only plain assignments are understood", node)
        found = self.loop.arrays.of(value)
        if found is None or found.rank or found.is_mixed:
            raise Unproven("unknown-type", "the type of this is not known", value)
        if node.kind == "augmented_assignment":
            self._operation(node, node.operator.removesuffix("="))
        else:
            self.visit(value)
            if found.dtype != "float64":
                raise Unproven("unknown-type", "what is stored is no float64", value)
        if target.kind == "subscript":
            self._element(target, is_written=True)
        elif target.kind == "identifier":
            self._local(target)
        else:
            raise Unproven("unknown-statement", "only plain assignments are understood", node)

    def _operation(self, node: Node, operator: str) -> None:
        if node.kind == "unary_operator":
            if operator != "-":
                raise Unproven("unknown-operation", "this may do otherwise with a float", node)
            self.visit(node["argument"])
            return
        right = node["right"].unparenthesized
        is_number = right.kind in ("integer", "float") and any(c in "123456789" for c in right.text)
        if operator not in "+-*" and not (operator == "/" and is_number and "e" not in right.text):
            raise Unproven("unknown-operation", "this may raise with a float", node)
        if node.kind == "binary_operator":
            self.visit(node["left"])
        self.visit(right)

    def _variable(self, node: Node) -> None:
        if node.text == self.loop.counter.text:
            return
        found = self.loop.arrays.of(node)
        if found is None or found.rank or found.is_mixed or found.dtype not in ("float64", "int64"):
            raise Unproven("unknown-type", "the type of this is not known", node)
        if not found.weak and (found.dtype != "float64" or node.text not in self.stored):
            raise Unproven("unknown-type", "this is none of Python's own numbers", node)

    def _local(self, node: Node) -> None:
        binding = own_variable(self.loop.facts, node)
        if any(not use.is_inside(self.loop.node) for use in self.loop.facts.flow.uses(node)):
            raise Unproven("live", f"{binding.name!r} is used after the loop", node)

    def _element(self, node: Node, *, is_written: bool) -> None:
        loop = self.loop
        ref = reference(loop.arrays, node)
        if ref is None or ref.rank or ref.has_new_axes or node["value"].text in self.stored:
            raise Unproven("unknown-subscript", "this is no element of an array", node)
        if ref.array.framework != "numpy" or ref.array.dtype != "float64":
            raise Unproven("unknown-type", "this is no float64 of NumPy", node)
        ours = [k for k, i in enumerate(ref.indices) if i.node is not None and loop.varies(i.node)]
        for index, size in zip(ref.indices, ref.array.shape, strict=True):
            self.vectors.check(index, size, node)
        if not ours and not is_written:
            self.fixed.append(ref)
            return
        if len(ours) != 1:
            raise Unproven("unknown-subscript", "the counter walks along no one dimension", node)
        (place,) = ours
        rest = [i for k, i in enumerate(ref.indices) if k != place]
        others = tuple(i.first for i in rest)
        texts = tuple(" ".join(i.node.text.split()) for i in rest if i.node is not None)
        row = next((r for r in self.rows if (r.name, r.texts) == (ref.name, texts)), None)
        if row is not None and row.place != place:
            raise Unproven("dependent", "this is taken along two dimensions", node)
        if row is None:
            row = _Row(ref.name, place, ref, others, texts)
            self.rows.append(row)
        row.is_written = row.is_written or is_written
        subscript = ref.indices[place].node
        assert subscript is not None
        self.uses.append((node, subscript, row))

    def _check_apart(self) -> None:
        """No row that is written shares memory with anything else."""
        for row in self.rows:
            for ref in self.fixed:
                a, b = row.first.array, ref.array
                if row.is_written and a.may_share(b):
                    raise Unproven("dependent", "this may be what the loop writes", ref.node)
            for other in self.rows:
                if other is row or not row.is_written:
                    continue
                a, b = row.first.array, other.first.array
                if not a.may_share(b):
                    continue
                is_apart = row.name == other.name and row.place == other.place and any(
                    x is not None and y is not None
                    and (x - y).is_constant and (x - y).constant
                    and all(self.loop.prover.is_nonnegative(v, as_observed=True) for v in (x, y))
                    for x, y in zip(row.others, other.others, strict=True)
                )  # fmt: skip
                if not is_apart:
                    raise Unproven("dependent", "this may be what the loop writes", row.first.node)

    def text(self) -> list[str]:
        loop = self.loop
        self._check_apart()
        if not any(row.is_written for row in self.rows):
            raise Unproven("no-effect", "the loop stores in no array", loop.node)
        names: dict[int, str] = {}
        for row in self.rows:
            name = fresh_name(loop.unit, f"{row.name}_values")
            while name in names.values():
                name += "_"
            names[id(row)] = name
        before, after = [], []
        for row in self.rows:
            subscripts = list(row.texts)
            subscripts.insert(row.place, ":")
            before.append(f"{names[id(row)]} = {subscripted(row.name, subscripts, False)}.tolist()")
            if row.is_written:
                after.append(f"{subscripted(row.name, subscripts, True)} = {names[id(row)]}")
        node = loop.node
        text = bytearray(node.source[node.start : node.end])
        for use, index, row in sorted(self.uses, key=lambda u: -u[0].start):
            low, high = use.start - node.start, use.end - node.start
            text[low:high] = encode(f"{names[id(row)]}[{index.text}]")
        lines = bytes(text).decode("utf-8", "surrogateescape").split(loop.unit.newline)
        # What follows the first line has the loop's own indentation already.
        indent = len(node.source[: node.start]) - (node.source.rfind(b"\n", 0, node.start) + 1)
        return [*before, lines[0], *(line[indent:] for line in lines[1:]), *after]
