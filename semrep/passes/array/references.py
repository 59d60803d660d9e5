"""Elements and slices of arrays that a loop's body touches, and whether two of them can be the
same memory in different iterations.

The test is the classical one on affine subscripts, dimension by dimension (Banerjee's extents
and the exact distance of subscripts with equal factors: Allen and Kennedy, Optimizing Compilers
for Modern Architectures, 2001, chapter 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from semrep.ir.tree import Node
from semrep.passes.array.affine import Affine, Atom, Prover
from semrep.passes.array.facts import Array, ArrayFacts


@dataclass(frozen=True, slots=True)
class Index:
    """One subscript. first, last: of what it takes, both included, where known; one value for
    an integer. is_slice: keeps the dimension. node: None for what a short subscript leaves out.
    step: of a slice (1 unless it is literal)."""

    first: Affine | None
    last: Affine | None
    is_slice: bool
    node: Node | None
    is_plain: bool = True
    """An integer, or a slice without a step, or nothing."""
    start: Affine | None = None
    stop: Affine | None = None
    """Of a slice, as written; None where left out."""


@dataclass(frozen=True, slots=True)
class Reference:
    """node: the subscript, or the name alone. array: the base's type. is_new_axis: positions
    (among the subscripts) that hold None are left out of `indices`."""

    node: Node
    array: Array
    indices: tuple[Index, ...]
    has_new_axes: bool = False

    @property
    def name(self) -> str:
        node = self.node
        return node["value"].text if node.kind == "subscript" else node.text

    @property
    def rank(self) -> int:
        return sum(i.is_slice for i in self.indices)


def reference(arrays: ArrayFacts, node: Node) -> Reference | None:
    """What a name or subscript refers to; None where that is not an array with integer and
    slice subscripts."""
    node = node.unparenthesized
    base = node
    subscripts: list[Node] = []
    if node.kind == "subscript":
        base, subscripts = node["value"], node.fields("subscript")
    if base.kind != "identifier":
        return None
    array = arrays.of(base)
    if array is None or array.weak or not array.rank:
        return None
    indices: list[Index] = []
    has_new_axes = False
    for s in subscripts:
        if s.kind == "none" or arrays.facts.path_of(s) == "numpy.newaxis":
            has_new_axes = True
            continue
        if len(indices) >= array.rank:
            return None
        size = array.shape[len(indices)]
        if s.kind == "slice":
            indices.append(_slice(arrays, s, size))
        elif arrays.is_integer(s):
            value = arrays.affine(s)
            if value is not None and value.is_constant and value.constant < 0 and size is not None:
                value = size + value
            indices.append(Index(value, value, False, s))
        else:
            return None
    for size in array.shape[len(indices) :]:
        last = size - 1 if size is not None else None
        indices.append(Index(Affine(), last, True, None))
    return Reference(node, array, tuple(indices), has_new_axes)


def _slice(arrays: ArrayFacts, node: Node, size: Affine | None) -> Index:
    parts: list[Node | None] = [None]
    for c in node.children:
        if c.text == ":" and not c.named:
            parts.append(None)
        elif c.named and c.kind != "comment":
            parts[-1] = c
    start, stop, step = (*parts, None, None)[:3]
    if step is not None or any(p is not None and not arrays.is_integer(p) for p in parts):
        return Index(None, None, True, node, is_plain=False)
    first: Affine | None = Affine() if start is None else arrays.affine(start)
    end = size if stop is None else arrays.affine(stop)
    given = (first if start is not None else None, end if stop is not None else None)
    if end is not None and end.is_constant and end.constant < 0:
        end = size + end if size is not None else None
    if first is not None and first.is_constant and first.constant < 0:
        first = size + first if size is not None else None
    last = end - 1 if end is not None else None
    return Index(first, last, True, node, start=given[0], stop=given[1])


@dataclass(frozen=True, slots=True)
class Distance:
    """In how many iterations after the first of two references the second may touch the same
    memory; None: without bound on that side. Empty: never."""

    least: int | None = None
    most: int | None = None
    is_empty: bool = False

    def meet(self, other: Distance) -> Distance:
        if self.is_empty or other.is_empty:
            return NEVER
        least = max((x for x in (self.least, other.least) if x is not None), default=None)
        most = min((x for x in (self.most, other.most) if x is not None), default=None)
        if least is not None and most is not None and least > most:
            return NEVER
        return Distance(least, most)

    @property
    def is_never_negative(self) -> bool:
        return self.is_empty or self.least is not None and self.least >= 0

    @property
    def is_never_positive(self) -> bool:
        return self.is_empty or self.most is not None and self.most <= 0


NEVER = Distance(is_empty=True)
ANY = Distance()


def distance(
    first: Reference, second: Reference, counter: Atom, prover: Prover, step: int
) -> Distance:
    """Iterations from a touch of `first` to one of `second` at the same memory. `step`: of the
    counter."""
    a, b = first.array.roots, second.array.roots
    if not a or not b:
        return ANY
    if not a & b:
        return NEVER
    if not (first.array.is_whole and second.array.is_whole and a == b and len(a) == 1):
        return ANY
    found = ANY
    for x, y in zip(first.indices, second.indices, strict=True):
        found = found.meet(_along(x, y, counter, prover, step))
    return found


def _along(x: Index, y: Index, counter: Atom, prover: Prover, step: int) -> Distance:
    if _are_apart(x, y, counter, prover) or _are_apart(y, x, counter, prover):
        return NEVER
    if x.is_slice or y.is_slice or x.first is None or y.first is None:
        return ANY
    factor = x.first.factor(counter)
    if factor != y.first.factor(counter) or not _are_natural(x, y, prover):
        return ANY
    apart = x.first.without(counter) - y.first.without(counter)
    if factor == 0:
        if apart == Affine():
            return ANY
        is_apart = prover.is_positive(apart) or prover.is_positive(apart.scaled(-1))
        return NEVER if is_apart else ANY
    # factor * there + d_y = factor * here + d_x: the counter moves by apart / factor.
    each = factor * step
    if apart.is_constant:
        if apart.constant % each:
            return NEVER
        return Distance(apart.constant // each, apart.constant // each)
    rising = apart if each > 0 else apart.scaled(-1)
    if prover.is_positive(rising):
        return Distance(1, None)
    if prover.is_positive(rising.scaled(-1)):
        return Distance(None, -1)
    if prover.is_nonnegative(rising):
        return Distance(0, None)
    if prover.is_nonnegative(rising.scaled(-1)):
        return Distance(None, 0)
    return ANY


def _are_natural(x: Index, y: Index, prover: Prover) -> bool:
    """Whether neither subscript counts from the end, so that equal elements have equal
    subscripts."""
    return all(i.first is not None and prover.is_nonnegative(i.first) for i in (x, y))


def _are_apart(low: Index, high: Index, counter: Atom, prover: Prover) -> bool:
    """Whether all that one subscript takes, in any iteration, lies below all that the other
    takes in any other."""
    if low.last is None or high.first is None or low.first is None:
        return False
    if not prover.is_nonnegative(low.first) or not prover.is_nonnegative(low.last + 1):
        return False
    bounds = next((b for b in prover.loops if b.counter == counter), None)
    most, least = low.last, high.first
    if bounds is not None:
        # Each in an iteration of its own.
        if factor := most.factor(counter):
            most = most.replaced(counter, bounds.end - 1 if factor > 0 else bounds.least)
        if factor := least.factor(counter):
            least = least.replaced(counter, bounds.least if factor > 0 else bounds.end - 1)
    return prover.is_positive(least - most)
