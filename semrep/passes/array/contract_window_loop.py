"""Reduce all windows of an array at once instead of one position after the other.

Rewrite:     for i in range(n):                          -->
                 for j in range(m):
                     out[i, j] = np.sum(x[i:i + k, j:j + k, :, None] * w, axis=(0, 1, 2))
             windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(0, 1))
             out[:n, :m] = np.einsum("abecd,cdef->abf", windows[:n, :m], w, optimize=True)
             (without a product: sum, mean, max or min over the windows' own axes)
Legal when:  the loops are perfectly nested, their ranges do not depend on each other, and each
             counter stands once in the place that is stored; a slice that moves has a length that
             is the same throughout and lies within the array for every iteration; the result
             shares no memory with what is read; a product is one of two arrays of floating
             point, both of which vary along all that is summed. Where a loop may not run at
             all, a condition stays around.
Numerics:    within tolerance: products of matrices, sums in another order.
Refuses:     no-window, unknown-type, unknown-range, unknown-subscript, varying-slice,
             out-of-bounds, may-wrap, unknown-size, dependent, cast, live, other-calls, and as
             vectorize-elementwise-loop.
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
from semrep.passes.array.bodies import Assignment, assignments
from semrep.passes.array.counted import Counted, Unproven, counted, replaced
from semrep.passes.array.dtypes import may_be_stored
from semrep.passes.array.facts import ArrayFacts, reduced_axes
from semrep.passes.array.references import Index, Reference, reference
from semrep.passes.array.vectors import Vectors, subscripted
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register

_REDUCTIONS = frozenset({"sum", "mean", "max", "min", "amax", "amin"})
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@register
@dataclass(frozen=True, slots=True)
class ContractWindowLoop(ArrayPass):
    """Reduce all windows of an array at once."""

    name: ClassVar[str] = "contract-window-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        """Whether loops around one assignment take a slice from a counter on."""
        if unit.kind != FUNCTION:
            return False
        counters: set[str] = set()
        current = node
        while current.kind == "for_statement" and current["left"].kind == "identifier":
            counters.add(current["left"].text)
            body = current["body"].operands
            if len(body) != 1:
                return False
            current = body[0]
        return any(
            n.text in counters for s in current.find("slice") for n in s.find("identifier")
        ) and any(_reduces(call) for call in current.find("call"))

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        return [_Nest(arrays, node).edit()]


def _reduces(call: Node) -> bool:
    function = call["function"]
    return function.kind == "attribute" and function["attribute"].text in _REDUCTIONS


@dataclass(frozen=True, slots=True)
class _Window:
    """A slice that moves along one axis: the loop that moves it, its length and its range."""

    axis: int
    loop: int
    length: str
    range: str


@dataclass(frozen=True, slots=True)
class _Operand:
    """What all iterations read of one array. labels: a letter for each dimension of the text;
    name, lengths, axes: of the windows, none where nothing moves."""

    ref: Reference
    subscripts: list[str]
    labels: str
    windows: list[_Window]


class _Nest:
    def __init__(self, arrays: ArrayFacts, node: Node) -> None:
        self.arrays = arrays
        self.loops: list[Counted] = []
        current = node
        while current.kind == "for_statement":
            self.loops.append(counted(arrays, current))
            current = current["body"].operands[0]
        found = assignments(self.loops[-1].node["body"])
        if len(found) != 1 or found[0].condition is not None:
            raise Unproven("no-window", "the loops do more than one thing", current)
        self.statement: Assignment = found[0]
        self.vectors = [Vectors(loop) for loop in self.loops]
        counters = [loop.counter for loop in self.loops]
        for loop in self.loops:
            if loop.step != 1 or loop.depends_on(counters):
                raise Unproven("unknown-range", "the ranges depend on each other", loop.node)
        if len({loop.binding for loop in self.loops}) < len(self.loops):
            raise Unproven("unknown-range", "two loops count with one name", node)

    def edit(self) -> Edit:
        statement = self.statement
        if statement.operator not in ("=", "+=", "-=") or statement.target.kind != "subscript":
            raise Unproven("no-window", "no reduced window is stored here", statement.node)
        name, value, axis = self._reduction(statement.value)
        target = reference(self.arrays, statement.target)
        total, found = self.arrays.of(statement.value), self.arrays.of(value)
        if target is None or total is None or found is None or target.has_new_axes:
            raise Unproven("unknown-type", "the type of this is not known", statement.node)
        if found.framework != "numpy" or not found.dtype.startswith(("float", "complex")):
            raise Unproven("unknown-type", "only floating point is reduced here", value)
        if not may_be_stored(total.dtype, target.array.dtype):
            raise Unproven("cast", "this is stored as another kind of number", statement.value)
        reduced = reduced_axes(axis, found.rank)
        if reduced is None:
            raise Unproven("no-window", "the axes are not literal", statement.value)
        letters = _LETTERS[len(self.loops) : len(self.loops) + found.rank]
        operands = [self._operand(factor, letters) for factor in self._factors(value)]
        if not any(operand.windows for operand in operands):
            raise Unproven("no-window", "no slice moves with a counter", value)
        for operand in operands:
            if operand.ref.array.may_share(target.array):
                raise Unproven("dependent", "this may be what the loops write", operand.ref.node)
        summed = {letters[k] for k in reduced}
        kept = "".join(letter for letter in letters if letter not in summed)
        place, out = self._target(statement.target, target, kept)
        lines, texts = self._views(operands)
        lines.append(f"{place} {statement.operator} {self._total(name, operands, texts, out)}")
        conditions = [
            f"{loop.end.text} > {loop.low.text}" for loop in self.loops if not loop.always_runs
        ]
        if conditions:
            lines = [f"if {' and '.join(conditions)}:", *("    " + line for line in lines)]
        return replaced(self.loops[0], lines, guard=False)

    def _reduction(self, node: Node) -> tuple[str, Node, Node | None]:
        """Name, operand and axes of `np.sum(x, axis=…)` and `x.sum(…)`."""
        node = node.unparenthesized
        if node.kind != "call" or not _reduces(node) or node["arguments"].kind != "argument_list":
            raise Unproven("no-window", "no reduced window is stored here", node)
        path = self.arrays.facts.path_of(node["function"])
        name = node["function"]["attribute"].text
        given = list(node["arguments"].operands)
        if path is None:
            value = node["function"]["object"]
        elif path == f"numpy.{name}" and given and given[0].kind != "keyword_argument":
            value = given.pop(0)
        else:
            raise Unproven("no-window", "no reduced window is stored here", node)
        if len(given) > 1:
            raise Unproven("no-window", "the reduction has other settings", node)
        axis: Node | None = given[0] if given else None
        if axis is not None and axis.kind == "keyword_argument":
            if axis["name"].text != "axis":
                raise Unproven("no-window", "the reduction has other settings", node)
            axis = axis["value"]
        if axis is not None and axis.kind == "none":
            axis = None
        if path is None and (found := self.arrays.of(value)) is not None and found.weak:
            raise Unproven("unknown-type", "the type of this is not known", value)
        self.function = node["function"].text if path is not None else ""
        return name, value.unparenthesized, axis

    def _factors(self, value: Node) -> list[Node]:
        if value.kind == "binary_operator" and value.operator == "*":
            return [value["left"].unparenthesized, value["right"].unparenthesized]
        return [value]

    def _operand(self, node: Node, letters: str) -> _Operand:
        """letters: of the product's dimensions."""
        ref = reference(self.arrays, node)
        if ref is None:
            raise Unproven("no-window", "this is no part of an array", node)
        given = node.fields("subscript") if node.kind == "subscript" else []
        indices = list(ref.indices)
        order: list[int | None] = []
        for subscript in given:
            is_new = subscript.kind == "none" or subscript.kind in ("identifier", "attribute") and (
                self.arrays.facts.path_of(subscript) == "numpy.newaxis"
            )  # fmt: skip
            order.append(None if is_new else sum(k is not None for k in order))
        order += range(sum(k is not None for k in order), len(indices))
        stays = [k for k in order if k is None or indices[k].is_slice]
        if len(stays) > len(letters):
            raise Unproven("unknown-type", "the type of this is not known", node)
        named = {
            k: letter
            for k, letter in zip(reversed(stays), reversed(letters), strict=False)
            if k is not None
        }
        subscripts, labels, windows, taken = [], "", [], ""
        for k, index in enumerate(indices):
            loop = self._loop_of(index)
            if index.is_slice and loop is not None:
                window = self._window(ref, k, loop)
                windows.append(window)
                subscripts.append(window.range)
                labels += _LETTERS[loop]
                taken += named[k]
                continue
            text = " ".join(index.node.text.split()) if index.node is not None else ":"
            if index.is_slice:
                if not index.is_plain and index.node is not None:
                    raise Unproven("unknown-subscript", "this slice has a step", index.node)
                labels += named[k]
            elif loop is not None:
                vectors = self.vectors[loop]
                vectors.check(index, ref.array.shape[k], node)
                text, backwards = vectors.range_of(ref, k)
                if backwards:
                    raise Unproven("unknown-subscript", "this is read from its end", node)
                labels += _LETTERS[loop]
            else:
                self.vectors[-1].check(index, ref.array.shape[k], node)
            subscripts.append(text)
        labels += taken
        if len(set(labels)) < len(labels):
            raise Unproven("unknown-subscript", "a counter stands in two subscripts", node)
        return _Operand(ref, subscripts, labels, windows)

    def _loop_of(self, index: Index) -> int | None:
        if index.node is None:
            return None
        names = {n.text for n in index.node.find("identifier") if n.field != "attribute"}
        found = [k for k, loop in enumerate(self.loops) if loop.counter.text in names]
        if len(found) > 1:
            raise Unproven("unknown-subscript", "two counters stand in one subscript", index.node)
        return found[0] if found else None

    def _window(self, ref: Reference, axis: int, number: int) -> _Window:
        index, loop = ref.indices[axis], self.loops[number]
        node, size = index.node, ref.array.shape[axis]
        assert node is not None
        parts = [c for c in node.children if c.named and c.kind != "comment"]
        if len(parts) != 2 or not index.is_plain or index.start is None or index.stop is None:
            raise Unproven("varying-slice", "the slice has no two ends", node)
        first, stop = (self.arrays.affine(part, resolve=False) for part in parts)
        if first is None or stop is None or size is None:
            raise Unproven("unknown-size", "the size of the array is not known", node)
        factor, length = index.start.factor(loop.counter), index.stop - index.start
        counters = {other.counter for other in self.loops}
        if any(a in counters for a in (*length.terms, *(stop - first).terms)):
            raise Unproven("varying-slice", "each iteration takes another slice", node)
        if factor < 1 or first.factor(loop.counter) != factor:
            raise Unproven("unknown-subscript", "the slice moves backwards", node)
        prover = loop.prover
        if not prover.is_nonnegative(index.start) or not prover.is_nonnegative(length):
            raise Unproven("may-wrap", "this may count from the end", node)
        if not prover.is_nonnegative(size - index.stop):
            raise Unproven("out-of-bounds", "this may lie beyond the array", node)
        rest = first.without(loop.counter)
        low, end = loop.low.scaled(factor) + rest, loop.end.scaled(factor) + rest
        if factor == 1:
            last = (index.start.without(loop.counter) + loop.resolved.end) + length - 1
            is_all = last == size
        else:
            is_all = False
        begin = "" if low == Affine() else low.text
        text = f"{begin}:" + ("" if is_all else end.text) + (f":{factor}" if factor > 1 else "")
        return _Window(axis, number, (stop - first).text, text)

    def _target(self, node: Node, ref: Reference, kept: str) -> tuple[str, str]:
        """The place of all results, and its labels."""
        texts, out = [], ""
        slices = sum(index.is_slice for index in ref.indices)
        if slices != len(kept):
            raise Unproven("unknown-size", "the result has other dimensions than its place", node)
        rest = iter(kept)
        for k, index in enumerate(ref.indices):
            loop = self._loop_of(index)
            if index.is_slice:
                if loop is not None:
                    raise Unproven("varying-slice", "each iteration stores another slice", node)
                texts.append(" ".join(index.node.text.split()) if index.node is not None else ":")
                out += next(rest)
                continue
            if loop is None:
                self.vectors[-1].check(index, ref.array.shape[k], node)
                assert index.node is not None
                texts.append(" ".join(index.node.text.split()))
                continue
            vectors = self.vectors[loop]
            vectors.check(index, ref.array.shape[k], node)
            text, backwards = vectors.range_of(ref, k)
            if backwards:
                raise Unproven("unknown-subscript", "this is stored from its end", node)
            texts.append(text)
            out += _LETTERS[loop]
        for number, loop_ in enumerate(self.loops):
            if out.count(_LETTERS[number]) != 1:
                raise Unproven("dependent", "iterations write the same place", loop_.node)
        return subscripted(ref.name, texts, True), out

    def _views(self, operands: list[_Operand]) -> tuple[list[str], list[str]]:
        """Lines that name views of windows, and the operands' texts."""
        lines, texts = [], []
        taken: set[str] = set()
        for operand in operands:
            name = operand.ref.name
            if operand.windows:
                view = fresh_name(self.arrays.unit, "windows")
                while view in taken:
                    view += "_"
                taken.add(view)
                lengths = ", ".join(w.length for w in operand.windows)
                axes = ", ".join(str(w.axis) for w in operand.windows)
                many = len(operand.windows) > 1
                how = f"({lengths}), axis=({axes})" if many else f"{lengths}, axis={axes}"
                library = self.vectors[0].function("lib.stride_tricks", "numpy")
                lines.append(f"{view} = {library}.sliding_window_view({name}, {how})")
                name = view
            texts.append(subscripted(name, operand.subscripts, False))
        return lines, texts

    def _total(self, name: str, operands: list[_Operand], texts: list[str], out: str) -> str:
        if len(operands) == 1:
            (operand,) = operands
            axes = [k for k, letter in enumerate(operand.labels) if letter not in out]
            order = [letter for letter in operand.labels if letter in out]
            if "".join(order) != out:
                raise Unproven("no-window", "the result's dimensions are in another order")
            if not axes:
                raise Unproven("no-window", "nothing is reduced here")
            shown = f"({', '.join(map(str, axes))})" if len(axes) > 1 else str(axes[0])
            if self.function:
                return f"{self.function}({texts[0]}, axis={shown})"
            return f"{texts[0]}.{name}(axis={shown})"
        one, other = operands
        summed = (set(one.labels) | set(other.labels)) - set(out)
        if name != "sum" or not summed:
            raise Unproven("no-window", "this is no sum of products", self.statement.value)
        if not summed <= set(one.labels) & set(other.labels):
            raise Unproven("no-window", "a factor is the same in all that is summed")
        if not set(out) <= set(one.labels) | set(other.labels):
            raise Unproven("unknown-size", "the result has other dimensions than its place")
        spec = f'"{one.labels},{other.labels}->{out}"'
        function = self.vectors[0].function("einsum", "numpy")
        return f"{function}({spec}, {', '.join(texts)}, optimize=True)"
