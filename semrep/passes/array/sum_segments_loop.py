"""Sum all segments of an array at once: a sparse matrix's rows, a graph's neighbours.

Rewrite:     for i in range(n):                            -->
                 cols = col[ptr[i]:ptr[i + 1]]
                 vals = val[ptr[i]:ptr[i + 1]]
                 y[i] = vals @ x[cols]
             ends = ptr[:n + 1].astype(np.int64)
             sizes = np.diff(ends)
             if 0 < sizes.size == n and ends[0] >= 0 and (sizes >= 0).all() and …:
                 cols = col[ends[0]:ends[-1]]
                 vals = val[ends[0]:ends[-1]]
                 y[:n] = np.bincount(np.repeat(np.arange(sizes.size), sizes), vals * x[cols],
                                     sizes.size)
             else:
                 (the loop, for segments that overlap or that count from an end)
Legal when:  the segments lie between neighbours of one array of integers, which is asked for when
             the code runs; each iteration sums one of them and stores it in an element of its
             own; terms are elementwise, of one type of real floating point; and the array that is
             stored in shares no memory with what is read.
Numerics:    within tolerance: another order of the same sums, added up in double precision.
Refuses:     no-segment, versioned, may-wrap, unknown-type, unknown-operation, dependent, live,
             other-calls, and as vectorize-elementwise-loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from semrep.ir.emit import encode, fresh_name, indent_of
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.affine import Affine
from semrep.passes.array.array_pass import ASSUMPTIONS, ArrayPass
from semrep.passes.array.bodies import Assignment, assignments
from semrep.passes.array.counted import Counted, Unproven, counted, library_name
from semrep.passes.array.dtypes import is_subscript
from semrep.passes.array.facts import Array, ArrayFacts
from semrep.passes.array.vectors import Vectors
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register

_SUMS = {"numpy.dot": 2, "numpy.matmul": 2, "numpy.sum": 1}
"""Functions that add up, with how many operands they multiply."""


@register
@dataclass(frozen=True, slots=True)
class SumSegmentsLoop(ArrayPass):
    """Sum all segments of an array at once."""

    name: ClassVar[str] = "sum-segments-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        """Whether a loop takes a slice between two elements of one array."""
        return unit.kind == FUNCTION and any(
            _bounds(s) is not None for s in node["body"].find("slice")
        )

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        return [_Segments(counted(arrays, node)).edit()]


def _bounds(node: Node) -> tuple[Node, Node] | None:
    """The ends of a slice `ptr[…]:ptr[…]`."""
    parts = [c for c in node.children if c.named and c.kind != "comment"]
    if len(parts) != 2 or any(p.kind != "subscript" for p in parts):
        return None
    first, last = parts
    if first["value"].kind != "identifier" or not first["value"].same_as(last["value"]):
        return None
    return first, last


def _is_versioned(loop: Counted) -> bool:
    """Whether the loop is what this pass leaves for the other segments."""
    branch = loop.node.enclosing("else_clause")
    if branch is None or branch.parent is None or branch.parent.kind != "if_statement":
        return False
    calls = branch.parent["consequence"].find("call")
    return any(loop.facts.path_of(call["function"]) == "numpy.bincount" for call in calls)


@dataclass(slots=True)
class _Segments:
    """pointer: the array of the segments' ends. sliced: the arrays that have segments."""

    loop: Counted
    pointer: str = ""
    sliced: list[str] = field(default_factory=list)
    read: list[Array] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Of variables that hold a segment: its element type."""
    ends: str = ""
    sizes: str = ""

    def edit(self) -> Edit:
        loop = self.loop
        if loop.step != 1 or loop.conditions:
            raise Unproven("no-segment", "the segments are not in order", loop.node)
        if _is_versioned(loop):
            raise Unproven("versioned", "this is for segments that overlap", loop.node)
        unit = loop.unit
        self.ends, self.sizes = fresh_name(unit, "ends"), fresh_name(unit, "sizes")
        *before, last = assignments(loop.body)
        lines = [self._named(a) for a in before]
        lines.append(self._summed(last))
        numpy = library_name(loop, "numpy")
        start = "" if loop.low == Affine() else loop.low.text
        head = [
            f"{self.ends} = {self.pointer}[{start}:{(loop.end + 1).text}].astype({numpy}.int64)",
            f"{self.sizes} = {numpy}.diff({self.ends})",
        ]
        count = (loop.end - loop.low).text
        tests = [f"0 < {self.sizes}.size == {count}", f"{self.ends}[0] >= 0"]
        tests.append(f"({self.sizes} >= 0).all()")
        tests += [f"{self.ends}[-1] <= {name}.size" for name in self.sliced]
        indent = indent_of(unit, loop.node)
        original = loop.node.text.split("\n")
        text = [
            *head,
            f"if {' and '.join(tests)}:",
            *("    " + line for line in lines),
            "else:",
            "    " + original[0],
        ]
        rest = [("    " + line if line.strip() else line) for line in original[1:]]
        found = [text[0], *(indent + line for line in text[1:]), *rest]
        return Edit(loop.node.span, encode(unit.newline.join(line.rstrip("\r") for line in found)))

    def _named(self, a: Assignment) -> str:
        """The line for a variable that holds a segment."""
        loop, target = self.loop, a.target
        binding = loop.facts.scopes.binding(target) if target.kind == "identifier" else None
        if binding is None or not binding.is_local or a.operator != "=" or a.condition is not None:
            raise Unproven("no-segment", "this names no segment", a.node)
        for store in binding.stores:
            if store.is_inside(loop.node) and any(
                not use.is_inside(loop.node) for use in loop.facts.flow.uses(store)
            ):
                raise Unproven("live", f"{binding.name!r} is used after the loop", target)
        if target.text in self.names or target.text == loop.counter.text:
            raise Unproven("no-segment", "this is set twice", target)
        text, dtype = self._term(a.value)
        if dtype is None:
            raise Unproven("no-segment", "this is the same for all segments", a.value)
        self.names[target.text] = dtype
        return f"{target.text} = {text}"

    def _summed(self, a: Assignment) -> str:
        """The line that stores all sums."""
        loop = self.loop
        if a.target.kind != "subscript" or a.condition is not None:
            raise Unproven("no-segment", "no sum is stored here", a.node)
        if a.operator not in ("=", "+=", "-="):
            raise Unproven("no-segment", "no sum is stored here", a.node)
        vectors = Vectors(loop)
        place = vectors.element(a.target, is_target=True)
        if place.at != 0 or place.rank or place.reference is None:
            raise Unproven("dependent", "every iteration writes the same place", a.target)
        own = place.reference.array
        value = a.value.unparenthesized
        path = None
        given: list[Node] = []
        if value.kind == "call":
            path = loop.facts.path_of(value["function"])
            given = value["arguments"].operands
        if value.kind == "binary_operator" and value.operator == "@":
            factors = [value["left"], value["right"]]
        elif _SUMS.get(path or "") == len(given) and given[0].kind != "keyword_argument":
            factors = given
        else:
            raise Unproven("no-segment", "no sum of a segment is known here", value)
        terms = [self._term(f) for f in factors]
        dtypes = {dtype for _, dtype in terms}
        if None in dtypes or len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
            raise Unproven("unknown-type", "the terms are not of one floating-point type", value)
        if own.dtype not in dtypes or own.framework != "numpy":
            raise Unproven("unknown-type", "the sum is stored as another type", a.target)
        for array in self.read:
            if array.may_share(own):
                raise Unproven("dependent", "this may be what the loop writes", a.target)
        if not self.pointer:
            raise Unproven("no-segment", "no segment is summed", value)
        weights = " * ".join(f"({t})" if " " in t and len(terms) > 1 else t for t, _ in terms)
        numpy = library_name(loop, "numpy")
        sizes = self.sizes
        rows = f"{numpy}.repeat({numpy}.arange({sizes}.size), {sizes})"
        return f"{place.text} {a.operator} {numpy}.bincount({rows}, {weights}, {sizes}.size)"

    def _term(self, node: Node) -> tuple[str, str | None]:
        """An expression over all segments, one after the other, with its element type; None
        for a number that is the same throughout."""
        node = node.unparenthesized
        arrays = self.loop.arrays
        if node.kind == "identifier" and node.text in self.names:
            return node.text, self.names[node.text]
        if node.kind == "subscript" and len(node.fields("subscript")) == 1:
            (index,) = node.fields("subscript")
            base = arrays.of(node["value"]) if node["value"].kind == "identifier" else None
            if base is None or base.weak or base.framework != "numpy" or base.rank != 1:
                raise Unproven("unknown-type", "the type of this is not known", node)
            if self.loop.varies(node["value"]):
                raise Unproven("dependent", "the loop makes this", node["value"])
            self.read.append(base)
            if index.kind == "slice":
                return self._segment(node, index), base.dtype
            inner, dtype = self._term(index)
            if dtype is None or not is_subscript(dtype):
                raise Unproven("no-segment", "this is no segment", node)
            return f"{node['value'].text}[{inner}]", base.dtype
        if node.kind == "binary_operator" and node.operator in "+-*":
            left, one = self._term(node["left"])
            right, other = self._term(node["right"])
            floats = ("float32", "float64")
            if one is not None and other is not None and one != other:
                raise Unproven("unknown-type", "the terms are not of one type", node)
            if (one or other) not in floats:
                raise Unproven("unknown-type", "the terms are not of one type", node)
            return f"({left} {node.operator} {right})", one or other
        found = arrays.of(node)
        if found is not None and not found.rank and found.weak and not self.loop.varies(node):
            return node.text, None
        raise Unproven("unknown-operation", "this has no form for all segments", node)

    def _segment(self, node: Node, index: Node) -> str:
        bounds = _bounds(index)
        loop = self.loop
        if bounds is None:
            raise Unproven("no-segment", "this is no segment", index)
        pointer = bounds[0]["value"]
        found = loop.arrays.of(pointer)
        if found is None or found.rank != 1 or found.framework != "numpy":
            raise Unproven("unknown-type", "the type of this is not known", pointer)
        if not is_subscript(found.dtype) or loop.varies(pointer):
            raise Unproven("unknown-type", "these are no integers that stay", pointer)
        if self.pointer not in ("", pointer.text):
            raise Unproven("no-segment", "the segments lie between other ends", index)
        self.pointer = pointer.text
        self.read.append(found)
        counter = Affine([(loop.counter, 1)])
        for bound, wanted in zip(bounds, (counter, counter + 1), strict=True):
            subscripts = bound.fields("subscript")
            place = loop.arrays.affine(subscripts[0]) if len(subscripts) == 1 else None
            if place is None or place != wanted:
                raise Unproven("no-segment", "the ends are no neighbours", index)
            if not loop.prover.is_nonnegative(place):
                raise Unproven("may-wrap", "this may count from the end", bound)
        if node["value"].text not in self.sliced:
            self.sliced.append(node["value"].text)
        return f"{node['value'].text}[{self.ends}[0]:{self.ends}[-1]]"
