"""One iteration's expressions as expressions over all iterations of a loop.

A value of rank r in one iteration is an array of rank r + 1 over all of them. Where the new
dimension stands is told by the number of dimensions behind it: `at`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from semrep.ir.emit import (
    BIT_AND,
    BIT_OR,
    COMPARISON,
    POWER,
    PRIMARY,
    UNARY,
    binding_strength,
    bracketed,
    operator_strength,
)
from semrep.ir.scopes import Binding
from semrep.ir.tree import Node
from semrep.passes.array.affine import Affine
from semrep.passes.array.counted import Counted, Unproven, library_name
from semrep.passes.array.facts import Array, number, reduced_axes
from semrep.passes.array.references import Index, Reference, reference
from semrep.passes.loop.loops import stored_names

# One element or many: the same bits.
_EXACT = frozenset(
    {"sqrt", "abs", "absolute", "fabs", "negative", "floor", "ceil", "square", "maximum",
     "minimum", "fmax", "fmin", "add", "subtract", "multiply"}
)  # fmt: skip
_QUIET = _EXACT - {"sqrt"}
_CLOSE = frozenset(
    {"sin", "cos", "tan", "exp", "expm1", "log", "log2", "log10", "log1p", "tanh", "sinh", "cosh",
     "arcsin", "arccos", "arctan", "rsqrt", "sigmoid", "erf", "reciprocal", "relu"}
)  # fmt: skip
# Functions of `math` that raise for no argument, and NumPy's.
_MATH = {"tanh": "tanh", "atan": "arctan", "asinh": "arcsinh", "fabs": "fabs"}
_REDUCTIONS = frozenset({"sum", "mean", "max", "min", "prod"})
_OPERATORS = frozenset({"+", "-", "*", "/", "//", "%", "**"})


@dataclass(frozen=True, slots=True)
class Vector:
    """text, strength: of the expression over all iterations. array: the type in one iteration.
    at: dimensions behind the new one; None: it is the same in all iterations. subscripts: of a
    plain reference, so that dimensions can be put between them."""

    text: str
    strength: int
    array: Array
    at: int | None = None
    name: str = ""
    subscripts: tuple[str, ...] = ()
    reference: Reference | None = None

    @property
    def rank(self) -> int:
        return self.array.rank

    def within(self, needed: int) -> str:
        return bracketed(self.text, self.strength, needed)


class Vectors:
    """Rewrites the expressions of one loop's body. Raises Unproven.

    is_exact: no value differs in any bit. needs_guard: the new text is right only where the
    loop runs at all. reads, writes: (number of the statement, reference).
    """

    def __init__(self, loop: Counted) -> None:
        self.loop = loop
        self.arrays = loop.arrays
        self.stored = stored_names(loop.unit, loop.node)
        self.temporaries: dict[Binding, Vector] = {}
        self.is_exact = True
        self.needs_guard = False
        self.may_raise: Node | None = None
        self.statement = 0
        self.reads: list[tuple[int, Reference]] = []
        self.writes: list[tuple[int, Reference]] = []
        self._is_guarded = False
        self.preferred: int | None = None
        if loop.step < -1:
            raise Unproven("unknown-range", "a step below -1 is not followed", loop.node["right"])

    @property
    def framework(self) -> str:
        """Of the arrays that the loop touches."""
        found = {r.array.framework for _, r in (*self.reads, *self.writes)}
        if len(found) != 1:
            raise Unproven("unknown-type", "the arrays are not of one library", self.loop.node)
        return found.pop()

    def function(self, name: str, framework: str | None = None) -> str:
        framework = framework or self.framework
        return f"{library_name(self.loop, framework)}.{name}"

    # -- expressions ------------------------------------------------------------------------

    def value(self, node: Node) -> Vector:
        """The expression over all iterations; its own text where no iteration changes it."""
        node = node.unparenthesized
        handler = _HANDLERS.get(node.kind)
        if handler is None:
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        found = handler(self, node)
        if found.at is None:
            if "\n" in node.text:
                return replace(found, text=" ".join(node.text.split()))
            return replace(found, text=node.text, strength=binding_strength(node))
        return found

    def guarded_value(self, node: Node) -> Vector:
        """The same for a value that the loop computes in some iterations only: one that warns
        of nothing where it was not computed before."""
        before, self._is_guarded = self._is_guarded, True
        try:
            return self.value(node)
        finally:
            self._is_guarded = before

    def type_of(self, node: Node) -> Array:
        found = self.arrays.of(node)
        if found is None:
            raise Unproven("unknown-type", "the type of this is not known", node)
        return found

    def _literal(self, node: Node) -> Vector:
        return Vector(node.text, PRIMARY, self.type_of(node))

    def _identifier(self, node: Node) -> Vector:
        binding = self.loop.facts.scopes.binding(node)
        if binding is self.loop.binding:
            return self._counter(node)
        if binding in self.temporaries:
            assert binding is not None
            return self.temporaries[binding]
        if node.text in self.stored:
            raise Unproven("carried", "this comes from another iteration", node)
        found = self.type_of(node)
        if found.rank:
            ref = reference(self.arrays, node)
            if ref is None:
                raise Unproven("unknown-type", "the type of this is not known", node)
            self.reads.append((self.statement, ref))
        return Vector(node.text, PRIMARY, found)

    def _counter(self, node: Node) -> Vector:
        """The counter, or a sum of it, as a value."""
        loop = self.loop
        found = self.arrays.affine(node, resolve=False)
        if found is None or any(a != loop.counter and a.text in self.stored for a in found.terms):
            raise Unproven("counter-value", "the counter is used as a value here", node)
        factor = found.factor(loop.counter)
        rest = found.without(loop.counter)
        low, end = loop.low.scaled(factor) + rest, loop.end.scaled(factor) + rest
        step = factor * abs(loop.step)
        text = f"{library_name(loop, 'numpy')}.arange({low.text}, {end.text}"
        if low == Affine() and step == 1:
            text = f"{library_name(loop, 'numpy')}.arange({end.text}"
        text += f", {step})" if step != 1 else ")"
        return Vector(text, PRIMARY, number("int64"), 0)

    def _attribute(self, node: Node) -> Vector:
        found = self.type_of(node)
        if found.weak:
            if self.loop.varies(node):
                raise Unproven("unknown-operation", "this has no form for whole arrays", node)
            return Vector(node.text, PRIMARY, found)
        inner = self.value(node["object"])
        if inner.at is not None:
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        return Vector(node.text, PRIMARY, found)

    def _subscript(self, node: Node) -> Vector:
        found = self.type_of(node)
        if found.weak:  # of a shape
            if self.loop.varies(node):
                raise Unproven("unknown-operation", "this has no form for whole arrays", node)
            return Vector(node.text, PRIMARY, found)
        vector = self.element(node, is_target=False)
        assert vector.reference is not None
        self.reads.append((self.statement, vector.reference))
        return vector

    def element(self, node: Node, *, is_target: bool) -> Vector:
        """A reference `a[i + 1, :]` as one to all that the iterations touch."""
        ref = reference(self.arrays, node)
        if ref is None or node["value"].text in self.stored:
            raise Unproven("unknown-subscript", "what this takes is not known", node)
        result = replace(ref.array, shape=tuple([None] * ref.rank), is_whole=False)
        ours = [
            k
            for k, i in enumerate(ref.indices)
            if i.node is not None and (self.loop.varies(i.node))
        ]
        for index, size in zip(ref.indices, ref.array.shape, strict=True):
            self.check(index, size, node)
        if not ours:
            found = self.arrays.of(node)
            whole = () if ref.has_new_axes else tuple(_texts(ref))
            return Vector(node.text, PRIMARY, found or result, None, ref.name, whole, reference=ref)
        if ref.has_new_axes:
            raise Unproven("unknown-subscript", "this adds dimensions", node)
        if len(ours) == 2 and not is_target:
            return self._diagonal(node, ref, ours, result)
        if len(ours) > 1:
            raise Unproven("unknown-subscript", "the counter stands in several subscripts", node)
        place = ours[0]
        subscripts = _texts(ref)
        subscripts[place], backwards = self.range_of(ref, place)
        at = sum(i.is_slice for i in ref.indices[place + 1 :])
        vector = Vector(
            subscripted(ref.name, subscripts, is_target), PRIMARY, result, at, ref.name,
            tuple(subscripts), ref,
        )  # fmt: skip
        if not backwards:
            return vector
        if is_target:
            raise Unproven("unknown-subscript", "this is stored from its end on", node)
        axis = sum(i.is_slice for i in ref.indices[:place])
        if result.framework == "torch":
            text = f"{vector.text}.flip({axis})"
        else:
            text = f"{vector.text}[{':, ' * axis}::-1]"
        return replace(vector, text=text, name="", subscripts=())

    def check(self, index: Index, size: Affine | None, node: Node) -> None:
        """An integer subscript lies within its array, and what a slice takes is the same in
        all iterations."""
        if index.node is None:
            return
        if index.is_slice:
            if self.loop.varies(index.node):
                raise Unproven("varying-slice", "each iteration takes another slice", index.node)
            return
        if index.first is None:
            if self.loop.varies(index.node):
                raise Unproven("unknown-subscript", "this is no sum of integers", index.node)
            self.may_raise = index.node
            return
        prover = self.loop.prover
        if size is None:
            raise Unproven("unknown-size", "the size of the array is not known", node)
        if not prover.is_nonnegative(index.first, as_observed=True):
            raise Unproven("may-wrap", "this may count from the end", index.node)
        if not prover.is_positive(size - index.first, as_observed=True):
            raise Unproven("out-of-bounds", "this may lie beyond the array", index.node)
        if not index.first.factor(self.loop.counter):
            around = self.loop.around
            if not (around.is_nonnegative(index.first) and around.is_positive(size - index.first)):
                self.needs_guard = True  # nothing raises where the loop does not run

    def written(self, node: Node) -> Affine:
        """An integer expression as a sum of what has the same value in all iterations, and the
        counter."""
        found = self.arrays.affine(node, resolve=False)
        if found is not None and any(a.text in self.stored - {self.loop.counter.text}
                                     for a in found.terms):  # fmt: skip
            found = self.arrays.affine(node)
        if found is None:
            raise Unproven("unknown-subscript", "this is no sum of integers", node)
        for atom in found.terms:
            if atom != self.loop.counter and atom.text in self.stored:
                raise Unproven("unknown-subscript", "this is no sum of integers", node)
        return found

    def span(self, index: Index) -> tuple[Affine, Affine, Affine, Affine, int]:
        """First and end of what all iterations take at one subscript, as written and resolved,
        and its factor."""
        loop = self.loop
        assert index.node is not None and index.first is not None
        found = self.written(index.node)
        factor = found.factor(loop.counter)
        if not factor or index.first.factor(loop.counter) != factor:
            raise Unproven("unknown-subscript", "this is no sum of integers", index.node)

        def ends(of: Affine, low: Affine, end: Affine) -> tuple[Affine, Affine]:
            rest = of.without(loop.counter)
            if factor > 0:
                return low.scaled(factor) + rest, (end - 1).scaled(factor) + rest + 1
            return (end - 1).scaled(factor) + rest, low.scaled(factor) + rest + 1

        first, end = ends(found, loop.low, loop.end)
        low, high = ends(index.first, loop.resolved.least, loop.resolved.end)
        return first, end, low, high, factor

    def range_of(self, ref: Reference, place: int) -> tuple[str, bool]:
        """The slice that stands for a subscript with the counter, and whether it is to be read
        from its end on."""
        index = ref.indices[place]
        first, end, low, high, factor = self.span(index)
        step = abs(factor) * abs(self.loop.step)
        if factor < 0 and abs(self.loop.step) != 1:
            raise Unproven("unknown-subscript", "this is taken in steps from the end", index.node)
        # The loop may not run at all: then the slice must be empty, which it is for certain
        # only where neither end counts from the array's end.
        around = self.loop.around
        if not (around.is_nonnegative(low) and around.is_nonnegative(high)):
            self.needs_guard = True
        text = ("" if first == Affine() or low == Affine() else first.text) + ":"
        if high != ref.array.shape[place]:
            text += end.text
        if step != 1:
            text += f":{step}"
        return text, factor < 0

    def _diagonal(self, node: Node, ref: Reference, ours: list[int], result: Array) -> Vector:
        first, second = (ref.indices[k] for k in ours)
        if ref.array.rank != 2 or self.loop.step not in (1, -1):
            raise Unproven("unknown-subscript", "the counter stands in several subscripts", node)
        assert first.first is not None and second.first is not None
        apart = second.first - first.first
        if not apart.is_constant or first.first.factor(self.loop.counter) != 1:
            raise Unproven("unknown-subscript", "the counter stands in several subscripts", node)
        on = first if apart.constant >= 0 else second
        begin, end, low, high, _ = self.span(on)
        around = self.loop.around
        if not (around.is_nonnegative(low) and around.is_nonnegative(high)):
            self.needs_guard = True
        offset = f", {apart.constant}" if apart.constant else ""
        name = "diagonal"
        text = f"{self.function(name, result.framework)}({ref.name}{offset})"
        start = "" if low == Affine() else begin.text
        return Vector(f"{text}[{start}:{end.text}]", PRIMARY, result, 0, reference=ref)

    # -- operators --------------------------------------------------------------------------

    def _unary(self, node: Node) -> Vector:
        if node.operator not in ("-", "+"):
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        if self._is_counted(node):
            return self._counter(node)
        inner = self.value(node["argument"])
        text = f"{node.operator}{inner.within(UNARY)}"
        return Vector(text, UNARY, self.type_of(node), inner.at)

    def _is_counted(self, node: Node) -> bool:
        """Whether an expression is a sum of the counter and other integers."""
        if not any(n.text == self.loop.counter.text for n in node.find("identifier")):
            return False
        found = self.arrays.affine(node, resolve=False)
        return found is not None and found.factor(self.loop.counter) != 0

    def _binary(self, node: Node) -> Vector:
        if self._is_counted(node):
            return self._counter(node)
        left, right = self.value(node["left"]), self.value(node["right"])
        if node.operator == "@":
            return self.product(node, left, right)
        return self.arithmetic(node, node.operator, left, right)

    def arithmetic(self, node: Node, operator: str, left: Vector, right: Vector) -> Vector:
        found = self.arrays.combined(operator, left.array, right.array)
        if found is None or operator not in _OPERATORS:
            raise Unproven("unknown-type", "the type of this is not known", node)
        quiet = operator in "+-*"
        self._check_counters(node, operator, left, right)
        if self._is_guarded and not quiet:
            raise Unproven("may-warn", "this may warn where it was not computed before", node)
        if found.weak and not quiet and not _is_nonzero(right_of(node)):
            self.may_raise, self.needs_guard = node, True
            if left.at is not None or right.at is not None:
                raise Unproven("may-raise", "this may raise for some iterations", node)
        if found.framework == "torch" and not quiet and not found.dtype.startswith("float"):
            raise Unproven("may-raise", "this may raise for zeros", node)
        if operator == "**":
            if found.dtype.startswith("int"):
                raise Unproven("may-raise", "this may raise for negative exponents", node)
            self.is_exact = self.is_exact and left.at is None and right.at is None
        strength = operator_strength(operator)
        before, after = (POWER + 1, UNARY) if strength == POWER else (strength, strength + 1)
        a, b, at = self._aligned(left, right)
        return Vector(f"{a.within(before)} {operator} {b.within(after)}", strength, found, at)

    def _check_counters(self, node: Node, operator: str, left: Vector, right: Vector) -> None:
        """The counter is one of Python's integers, and the arrays made of it are not: they meet
        only what gives the same type with either."""
        for one, other in ((left, right), (right, left)):
            if one.at is None or not one.array.weak:
                continue
            kind = other.array.dtype
            if other.array.framework == "torch":
                raise Unproven("counter-value", "the counter meets a tensor", node)
            if other.array.weak:
                fine = kind == "float64" and operator in "+-*"
            else:
                fine = kind in ("float64", "complex128") or (
                    kind == "int64" and one.array.dtype == "int64" and operator in "+-"
                )
            if not fine:
                raise Unproven("counter-value", "the counter is used as a value here", node)

    def _aligned(self, *vectors: Vector) -> tuple[Vector, Vector, int | None]:
        """Two vectors with their new dimensions in one place."""
        left, right = vectors
        if left.at is None and right.at is None:
            return left, right, None
        rank = max(left.rank, right.rank)
        wanted = self.preferred if self.preferred is not None else rank

        def cost(at: int) -> tuple[int, int]:
            moves = sum(_moves(v, at) for v in vectors)
            return moves + 2 * (at != wanted), -at

        at = min(range(rank + 1), key=cost)
        return self.placed(left, at), self.placed(right, at), at

    def placed(self, v: Vector, at: int) -> Vector:
        """The vector with `at` dimensions behind its new one; of one that does not vary, the
        text that broadcasts against such vectors."""
        none = "None"
        if v.at is None:
            if v.rank <= at:
                return v
            if v.subscripts:
                places = [k for k, i in enumerate(v.reference.indices) if i.is_slice]  # type: ignore[union-attr]
                place = places[v.rank - at - 1] + 1
                subscripts = [*v.subscripts[:place], none, *v.subscripts[place:]]
                text = subscripted(v.name, subscripts, False)
            else:
                text = f"{v.within(PRIMARY)}[{', '.join([':'] * (v.rank - at) + [none])}]"
            return replace(v, text=text, strength=PRIMARY)
        if v.at == at:
            return v
        if v.at == v.rank and at > v.rank:
            extra = [none] * (at - v.rank)
            if v.subscripts:
                place = _first_slice(v)
                subscripts = [*v.subscripts[: place + 1], *extra, *v.subscripts[place + 1 :]]
                text = subscripted(v.name, subscripts, False)
            else:
                text = f"{v.within(PRIMARY)}[{', '.join([':', *extra])}]"
            return replace(v, text=text, strength=PRIMARY, at=at, subscripts=())
        if at > v.rank:
            return self.placed(self.placed(v, v.rank), at)
        if v.rank == 1:
            return replace(v, text=f"{v.within(PRIMARY)}.T", strength=PRIMARY, at=at, subscripts=())
        move = {"torch": "movedim", "numpy": "moveaxis"}[v.array.framework]
        text = f"{self.function(move, v.array.framework)}({v.text}, {v.rank - v.at}, {v.rank - at})"
        return replace(v, text=text, strength=PRIMARY, at=at, subscripts=())

    def _comparison(self, node: Node) -> Vector:
        operands = [o for o in node.operands if o.field != "operators"]
        found = self.type_of(node)
        left, right = (self.value(o) for o in operands)
        operator = " ".join(node.fields("operators")[0].text.split())
        # Python's numbers compare by value, NumPy's after conversion.
        for one, other in ((left, right), (right, left)):
            if one.array.weak != other.array.weak and other.array.dtype == "float32":
                if one.at is not None:
                    raise Unproven("counter-value", "the counter is used as a value here", node)
        a, b, at = self._aligned(left, right)
        text = f"{a.within(BIT_OR)} {operator} {b.within(BIT_OR)}"
        return Vector(text, COMPARISON, found, at)

    def _boolean(self, node: Node) -> Vector:
        left, right = self.value(node["left"]), self.guarded_value(node["right"])
        if any(v.array.dtype != "bool" or v.array.weak or v.rank for v in (left, right)):
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        a, b, at = self._aligned(left, right)
        if at is None:
            return Vector(node.text, 0, left.array)
        token = "&" if node.operator == "and" else "|"
        strength = BIT_AND if token == "&" else BIT_OR
        text = f"{a.within(strength + 1)} {token} {b.within(strength + 1)}"
        return Vector(text, strength, left.array, at)

    def _conditional(self, node: Node) -> Vector:
        yes, test, no = node.operands
        found = self.type_of(node)
        condition = self.value(test)
        a, b = self.guarded_value(yes), self.guarded_value(no)
        return self.where(node, condition, a, b, found)

    def where(self, node: Node, condition: Vector, a: Vector, b: Vector, found: Array) -> Vector:
        """`a` in the iterations in which a condition holds, `b` in the others."""
        if condition.at is None:
            raise Unproven("invariant-condition", "this condition belongs before the loop", node)
        if condition.rank or condition.array.dtype != "bool" or condition.array.weak:
            raise Unproven("unknown-operation", "this asks for one truth of many", node)
        for side in (a, b):
            if side.at is not None and side.array.weak:
                raise Unproven("counter-value", "the counter is used as a value here", node)
        rank = found.rank
        parts = [self.placed(v, rank) for v in (condition, a, b)]
        text = ", ".join(p.text for p in parts)
        return Vector(f"{self.function('where')}({text})", PRIMARY, found, rank)

    # -- calls ------------------------------------------------------------------------------

    def _call(self, node: Node) -> Vector:
        if node["arguments"].kind != "argument_list":
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        found = self.type_of(node)
        path = self.loop.facts.path_of(node["function"]) or ""
        library, _, name = path.rpartition(".")
        given = node["arguments"].operands
        if path == "builtins.len":
            if self.loop.varies(node):
                raise Unproven("unknown-operation", "this has no form for whole arrays", node)
            return Vector(node.text, PRIMARY, found)
        if library in ("numpy", "torch") and name in ("dot", "matmul") and len(given) == 2:
            return self.product(node, self.value(given[0]), self.value(given[1]))
        if name in _REDUCTIONS and library in ("numpy", "torch"):
            return self._reduction(node, given[0], given[1:], path, found)
        if not path and node["function"].kind == "attribute":
            method = node["function"]["attribute"].text
            if method in _REDUCTIONS:
                return self._reduction(node, node["function"]["object"], given, "", found)
        if any(g.kind == "keyword_argument" for g in given):
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        values = [self.value(g) for g in given]
        if library == "builtins" and name == "abs" and len(values) == 1:
            (v,) = values
            return Vector(f"abs({v.text})", PRIMARY, found, v.at)
        if library == "builtins" and name in ("min", "max") and len(values) == 2:
            return self._extreme(node, name, values[0], values[1], found)
        if library == "math" and name in _MATH and len(values) == 1:
            return self._math(node, name, values[0], found)
        if library in ("numpy", "torch") and name in _EXACT | _CLOSE:
            return self._ufunc(node, library, name, values, found)
        raise Unproven("unknown-operation", "this has no form for whole arrays", node)

    def _ufunc(
        self, node: Node, library: str, name: str, values: list[Vector], found: Array
    ) -> Vector:
        if self._is_guarded and name not in _QUIET:
            raise Unproven("may-warn", "this may warn where it was not computed before", node)
        function = node["function"].text
        if len(values) == 1:
            (v,) = values
            if v.array.weak and v.at is not None and library == "torch":
                raise Unproven("counter-value", "the counter is used as a value here", node)
            if v.at is not None and v.array.weak and v.array.dtype == "int64" and name in _EXACT:
                raise Unproven("counter-value", "the counter is used as a value here", node)
            if name in _CLOSE:
                self.is_exact = self.is_exact and v.at is None
            return Vector(f"{function}({v.text})", PRIMARY, found, v.at)
        left, right = values
        self._check_counters(node, "+", left, right)
        a, b, at = self._aligned(left, right)
        return Vector(f"{function}({a.text}, {b.text})", PRIMARY, found, at)

    def _extreme(self, node: Node, name: str, a: Vector, b: Vector, found: Array) -> Vector:
        """Python's own max(x, y), which is y where y > x, and x otherwise: also for NaN."""
        if a.at is None and b.at is None:
            return Vector(node.text, PRIMARY, found)
        for side in (a, b):
            if side.at is not None and side.array.weak:
                raise Unproven("counter-value", "the counter is used as a value here", node)
        token = ">" if name == "max" else "<"
        x, y, at = self._aligned(a, b)
        condition = f"{y.within(BIT_OR)} {token} {x.within(BIT_OR)}"
        framework = a.array.framework if not a.array.weak else b.array.framework
        where = self.function("where", framework)
        return Vector(f"{where}({condition}, {y.text}, {x.text})", PRIMARY, found, at)

    def _math(self, node: Node, name: str, v: Vector, found: Array) -> Vector:
        if v.at is None:
            return Vector(node.text, PRIMARY, found)
        if v.array.dtype != "float64" or v.array.framework != "numpy":
            raise Unproven("other-precision", "`math` computes this in double precision", node)
        self.is_exact = self.is_exact and name == "fabs"
        text = f"{library_name(self.loop, 'numpy')}.{_MATH[name]}({v.text})"
        return Vector(text, PRIMARY, replace(found, framework="numpy", weak=False), v.at)

    def _reduction(
        self, node: Node, argument: Node, given: list[Node], path: str, found: Array
    ) -> Vector:
        v = self.value(argument)
        if v.at is None:
            return Vector(node.text, PRIMARY, found)
        axis = next((g["value"] if g.kind == "keyword_argument" else g for g in given), None)
        taken = reduced_axes(axis, v.rank)
        if taken is None or len(given) > 1:
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        self.is_exact = False
        inner = self.placed(v, v.rank)
        axes = sorted(k + 1 for k in taken)
        if not axes:
            raise Unproven("unknown-operation", "this has no form for whole arrays", node)
        if taken == frozenset({v.rank - 1}):
            shown = "-1"
        else:
            shown = str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"
        word = "dim" if v.array.framework == "torch" else "axis"
        name = node["function"]["attribute"].text
        if path:
            text = f"{node['function'].text}({inner.text}, {word}={shown})"
        else:
            text = f"{inner.within(PRIMARY)}.{name}({word}={shown})"
        return Vector(text, PRIMARY, found, found.rank)

    def product(self, node: Node, x: Vector, y: Vector) -> Vector:
        """`x @ y` in each iteration."""
        found = self.arrays.combined("@", x.array, y.array)
        if found is None:
            raise Unproven("unknown-type", "the type of this is not known", node)
        if x.at is None and y.at is None:
            return Vector(node.text, PRIMARY, found)
        if not found.dtype.startswith(("float", "complex")) or x.array.dtype != y.array.dtype:
            raise Unproven("unknown-type", "only products of floating point become one", node)
        self.is_exact = False
        ranks = x.rank, y.rank
        if y.at is None:
            a = self.placed(x, x.rank)
            return _matmul(a, y, found, found.rank)
        if x.at is None:
            if y.rank == 1 and y.at == 0:
                return _matmul(x, y, found, 0)
            b = self.placed(y, y.rank)
            if y.rank == 2:
                return _matmul(x, b, found, found.rank)
            if x.rank == 2:
                x = replace(x, text=f"{x.within(PRIMARY)}.T", strength=PRIMARY)
            return _matmul(b, x, found, found.rank)
        a, b = self.placed(x, x.rank), self.placed(y, y.rank)
        if ranks == (2, 2):
            return _matmul(a, b, found, 2)
        spec = {(1, 1): "ik,ik->i", (2, 1): "imk,ik->im", (1, 2): "ik,ikn->in"}[ranks]
        text = f"{self.function('einsum', found.framework)}({spec!r}, {a.text}, {b.text})"
        return Vector(text, PRIMARY, found, found.rank)


def _matmul(a: Vector, b: Vector, found: Array, at: int) -> Vector:
    strength = operator_strength("@")
    return Vector(f"{a.within(strength)} @ {b.within(strength + 1)}", strength, found, at)


def subscripted(name: str, subscripts: list[str], is_target: bool) -> str:
    """`name[…]` without the `:` that a short subscript leaves out."""
    kept = list(subscripts)
    while kept and kept[-1] == ":":
        kept.pop()
    if not kept:
        return f"{name}[:]" if is_target else name
    return f"{name}[{', '.join(kept)}]"


def _texts(ref: Reference) -> list[str]:
    """One text for each dimension of the array."""
    texts = ["" if i.node is None else i.node.text for i in ref.indices]
    return [" ".join(text.split()) or ":" for text in texts]


def _moves(v: Vector, at: int) -> int:
    """How much it takes to put a vector's new dimension somewhere else."""
    if v.at is None:
        return int(v.rank > at)
    if v.at == at:
        return 0
    return 1 if v.at == v.rank and at > v.rank else 3


def _first_slice(v: Vector) -> int:
    """The place of the new dimension's subscript where it is the first that stays."""
    assert v.reference is not None
    for place, index in enumerate(v.reference.indices):
        if index.is_slice:
            break
        if v.subscripts[place] != (index.node.text if index.node is not None else ""):
            return place
    return next(
        k for k, i in enumerate(v.reference.indices) if ":" in v.subscripts[k] and not i.is_slice
    )


def _is_nonzero(node: Node) -> bool:
    node = node.unparenthesized
    return node.kind in ("integer", "float") and any(c in "123456789" for c in node.text)


def right_of(node: Node) -> Node:
    """The right operand of a binary operation or of an augmented assignment."""
    return node["right"]


_HANDLERS: dict[str, Callable[[Vectors, Node], Vector]] = {
    "integer": Vectors._literal,
    "float": Vectors._literal,
    "true": Vectors._literal,
    "false": Vectors._literal,
    "identifier": Vectors._identifier,
    "attribute": Vectors._attribute,
    "subscript": Vectors._subscript,
    "unary_operator": Vectors._unary,
    "binary_operator": Vectors._binary,
    "comparison_operator": Vectors._comparison,
    "boolean_operator": Vectors._boolean,
    "conditional_expression": Vectors._conditional,
    "call": Vectors._call,
}
