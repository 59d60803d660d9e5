"""Write loops around a sum of products as a product of matrices.

Rewrite:     for i in range(n):                       -->   C[:n, :m] += A @ B
                 for j in range(m):
                     for k in range(p):
                         C[i, j] += A[i, k] * B[k, j]
             (loops in any order; `C[i, j] = 0` or `C[i, j] *= beta` before the innermost ones;
             factors that are the same throughout; transposed, batched and outer products)
Legal when:  as for `vectorize-elementwise-loop`; besides, the bounds of each loop do not depend
             on the others, each subscript is one counter plus what does not change, every
             counter stands in a factor, the arrays are of one floating-point type, and the
             result shares no memory with the factors.
Numerics:    within tolerance: another order of the same sums, of terms that need not be exact
             where the inputs are small integers.
Refuses:     no-product, unknown-type, unknown-range, unknown-subscript, may-wrap, dependent,
             out-of-bounds, unknown-size, live, and as vectorize-elementwise-loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRIMARY, PRODUCT
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.array_pass import ASSUMPTIONS, ArrayPass
from semrep.passes.array.bodies import Assignment, assignments, assignments_in
from semrep.passes.array.counted import Counted, Unproven, counted, replaced
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.array.reduce_accumulation_loop import factors_of
from semrep.passes.array.references import Reference, reference
from semrep.passes.array.vectors import Vectors, subscripted
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@register
@dataclass(frozen=True, slots=True)
class MatrixProductLoop(ArrayPass):
    """Multiply matrices at once instead of element by element."""

    name: ClassVar[str] = "matrix-product-loop"
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION:
            return False
        depth, current = 0, node
        while current.kind == "for_statement":
            depth += 1
            body = current["body"].operands
            if not body or len(body) > 2:
                return False
            current = body[-1]
        return depth > 1 and "*" in current.text and "[" in current.text

    def edits(self, arrays: ArrayFacts, node: Node) -> Sequence[Edit]:
        return [_Nest(arrays, node).edit()]


@dataclass(frozen=True, slots=True)
class _Factor:
    """labels: the counters of the dimensions that stay, one letter each."""

    text: str
    labels: str


class _Nest:
    def __init__(self, arrays: ArrayFacts, node: Node) -> None:
        self.loops: list[Counted] = []
        self.before: list[tuple[int, Assignment]] = []
        current = node
        while current.kind == "for_statement":
            self.loops.append(counted(arrays, current))
            *first, current = current["body"].operands
            for statement in first:
                self.before += [(len(self.loops), a) for a in assignments_in(statement)]
        body = self.loops[-1].node["body"]
        found = assignments(body)
        if len(found) != 1:
            raise Unproven("no-product", "the innermost loop does more than one thing", body)
        self.statement = found[0]
        self.vectors = [Vectors(loop) for loop in self.loops]
        self.needs_guard: set[int] = set()
        counters = [loop.counter for loop in self.loops]
        for loop in self.loops:
            if loop.depends_on(counters):
                message = "the loops' ranges depend on each other"
                raise Unproven("unknown-range", message, loop.node)
        names = [loop.binding for loop in self.loops]
        if len(set(names)) < len(names):
            raise Unproven("unknown-range", "two loops count with one name", node)

    def edit(self) -> Edit:
        statement = self.statement
        target, operator, value = _accumulated(statement)
        arrays = self.loops[0].arrays
        own = reference(arrays, target)
        if own is None or target.kind != "subscript":
            raise Unproven("no-product", "no sum in an array is known here", target)
        dtype, framework = own.array.dtype, own.array.framework
        if not dtype.startswith(("float", "complex")):
            raise Unproven("unknown-type", "only products of floating point become one", target)
        result = self._factor(target, own, is_target=True)
        scales: list[str] = []
        factors: list[_Factor] = []
        for node in factors_of(value):
            found = self._part(node, own, dtype)
            if isinstance(found, str):
                scales.append(found)
            else:
                factors.append(found)
        if len(factors) != 2:
            raise Unproven("no-product", "this is no product of two arrays", value)
        one, other = factors
        everywhere = set(one.labels) | set(other.labels)
        if everywhere != set(_LETTERS[: len(self.loops)]) or not set(result.labels) <= everywhere:
            raise Unproven("no-product", "a counter stands in no factor", value)
        lines = [self._first(place, a, own, result) for place, a in self.before]
        text, strength = self._product(one, other, result.labels, framework)
        if scales:
            text = f"({text})" if strength < PRIMARY else text
            text = " * ".join([*scales, text])
        lines.append(f"{result.text} {operator} {text}")
        conditions = []
        for index in sorted(self.needs_guard):
            loop = self.loops[index]
            if loop.always_runs:
                continue
            conditions.append(f"{loop.end.text} > {loop.low.text}")
        if conditions:
            lines = [f"if {' and '.join(conditions)}:", *("    " + line for line in lines)]
        return replaced(self.loops[0], lines, guard=False)

    def _part(self, node: Node, own: Reference, dtype: str) -> _Factor | str:
        """A factor that varies, or the text of one that does not."""
        arrays = self.loops[0].arrays
        found = arrays.of(node)
        if found is None or found.rank:
            raise Unproven("unknown-type", "the type of this is not known", node)
        names = {n.text for n in node.find("identifier") if n.field != "attribute"}
        varies = any(loop.counter.text in names for loop in self.loops)
        if not found.weak and found.dtype != dtype or found.dtype == "complex128" != dtype:
            raise Unproven("unknown-type", "the factors are not of one type", node)
        ref = reference(arrays, node) if node.kind == "subscript" else None
        if ref is not None:
            if ref.array.may_share(own.array):
                raise Unproven("dependent", "this may be what the loops write", node)
        if varies:
            if ref is None:
                raise Unproven("no-product", "this is no element of an array", node)
            return self._factor(node, ref, is_target=False)
        sign = node["argument"] if node.kind == "unary_operator" else node
        if sign.kind not in ("identifier", "integer", "float") and ref is None:
            raise Unproven("no-product", "this is no element of an array", node)
        if ref is not None:
            self._factor(node, ref, is_target=False)
        return node.text

    def _factor(self, node: Node, ref: Reference, *, is_target: bool) -> _Factor:
        """An element in terms of the counters, as an array over all of their values."""
        if ref.has_new_axes or ref.rank:
            raise Unproven("no-product", "this is no element of an array", node)
        texts: list[str] = []
        labels = ""
        for place, index in enumerate(ref.indices):
            assert index.node is not None
            if index.first is None:
                raise Unproven("unknown-subscript", "this is no sum of integers", index.node)
            names = {n.text for n in index.node.find("identifier")}
            ours = [k for k, loop in enumerate(self.loops) if loop.counter.text in names]
            if len(ours) > 1:
                raise Unproven("unknown-subscript", "two counters stand in one subscript", node)
            vectors = self.vectors[ours[0] if ours else 0]
            # All loops are running where the innermost body is.
            inner = self.vectors[-1]
            inner.needs_guard = False
            inner.check(index, ref.array.shape[place], node)
            if not ours:
                if inner.needs_guard:
                    self.needs_guard.update(range(len(self.loops)))
                texts.append(" ".join(index.node.text.split()))
                continue
            letter = _LETTERS[ours[0]]
            if letter in labels:
                raise Unproven("unknown-subscript", "a counter stands in two subscripts", node)
            vectors.needs_guard = False
            text, backwards = vectors.range_of(ref, place)
            if backwards or vectors.span(index)[4] != 1:
                raise Unproven("unknown-subscript", "a counter is multiplied here", node)
            if vectors.needs_guard:
                self.needs_guard.add(ours[0])
            texts.append(text)
            labels += letter
        return _Factor(subscripted(ref.name, texts, is_target), labels)

    def _first(self, depth: int, a: Assignment, own: Reference, result: _Factor) -> str:
        """A statement before inner loops, which gives the place its first value."""
        if a.condition is not None or not a.target.same_as(own.node):
            raise Unproven("no-product", "this is not about the place of the sum", a.node)
        if any(letter in result.labels for letter in _LETTERS[depth : len(self.loops)]):
            raise Unproven("no-product", "inner loops go through what this sets", a.node)
        value = a.value.unparenthesized
        arrays = self.loops[0].arrays
        found = arrays.of(value)
        if value.kind not in ("identifier", "integer", "float") or found is None or found.rank:
            raise Unproven("no-product", "what this sets is not the same throughout", a.node)
        if a.operator not in ("=", "*=") or value.text in {x.counter.text for x in self.loops}:
            raise Unproven("no-product", "what this sets is not the same throughout", a.node)
        if not found.weak and found.dtype != own.array.dtype or found.dtype == "complex128":
            raise Unproven("unknown-type", "the factors are not of one type", a.node)
        return f"{result.text} {a.operator} {value.text}"

    def _product(self, f: _Factor, g: _Factor, out: str, framework: str) -> tuple[str, int]:
        summed = set(f.labels + g.labels) - set(out)
        shared = set(f.labels) & set(g.labels) - summed
        if summed and summed <= set(f.labels) & set(g.labels) and len(summed) == 1:
            (k,) = summed
            for a, b in ((f, g), (g, f)):
                rows = [x for x in a.labels if x != k and x not in shared]
                columns = [x for x in b.labels if x != k and x not in shared]
                batch = [x for x in out if x in shared]
                if out != "".join([*batch, *rows, *columns]) or len(rows) > 1 or len(columns) > 1:
                    continue
                if batch and not (rows and columns):
                    continue
                left = _turned(a, "".join([*batch, *rows, k]))
                right = _turned(b, "".join([*batch, k, *columns]))
                if left is not None and right is not None:
                    return f"{left} @ {right}", PRODUCT
        name = self.vectors[0].function("outer", framework)
        if not summed and not shared and len(f.labels) == len(g.labels) == 1:
            a, b = (f, g) if out == f.labels + g.labels else (g, f)
            return f"{name}({a.text}, {b.text})", PRIMARY
        if not summed:
            raise Unproven("no-product", "nothing is summed here", self.statement.node)
        letters = sorted(set(f.labels + g.labels))
        names = {letter: self.loops[_LETTERS.index(letter)].counter.text for letter in letters}
        if all(len(n) == 1 for n in names.values()) and len(set(names.values())) == len(letters):
            f, g, out = (
                _Factor(f.text, "".join(names[x] for x in f.labels)),
                _Factor(g.text, "".join(names[x] for x in g.labels)),
                "".join(names[x] for x in out),
            )
        spec = f'"{f.labels},{g.labels}->{out}"'
        how = ", optimize=True" if framework == "numpy" else ""
        name = self.vectors[0].function("einsum", framework)
        return f"{name}({spec}, {f.text}, {g.text}{how})", PRIMARY


def _turned(factor: _Factor, labels: str) -> str | None:
    """The factor with its dimensions in another order, as `@` needs them."""
    if factor.labels == labels:
        return factor.text
    if len(labels) == 2 and factor.labels == labels[::-1]:
        return f"{factor.text}.T"
    return None


def _accumulated(statement: Assignment) -> tuple[Node, str, Node]:
    """Target, augmented operator and value of `C[i] += …` and `C[i] = C[i] + …`."""
    value = statement.value.unparenthesized
    if statement.condition is None:
        if statement.operator in ("+=", "-="):
            return statement.target, statement.operator, value
        if statement.operator == "=" and value.kind == "binary_operator":
            if value.operator in "+-" and statement.target.same_as(value["left"]):
                return statement.target, f"{value.operator}=", value["right"]
            if value.operator == "+" and statement.target.same_as(value["right"]):
                return statement.target, "+=", value["left"]
    raise Unproven("no-product", "no sum in an array is known here", statement.node)
