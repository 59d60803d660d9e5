"""Make statements about whole arrays of a loop over their elements.

Rewrite:     for i in range(n): out[i] = a[i] * s + b[i + 1]
               -->   out[:n] = a[:n] * s + b[1:n + 1]
Legal when:  the arrays' types are known from the call that was observed or the code that makes
             them, subscripts are sums of the counter and of what does not change, and lie
             within the arrays; no iteration reads or overwrites what another one writes in
             another order than statement by statement; counter and temporaries are not used
             after the loop; all operations have the same form and types on whole arrays, and
             none may raise or warn that did not before. Where a slice could count from an
             array's end when the loop does not run at all, a condition stays around.
Numerics:    bitwise; within tolerance for functions and products (`vectorize-function-loop`).
Refuses:     unknown-type, unknown-range, unknown-subscript, unknown-size, unknown-operation,
             unknown-statement, varying-slice, may-wrap, out-of-bounds, may-raise, may-warn,
             dependent, carried, live, not-local, counter-value, other-precision, view,
             invariant-condition, has-elif, many-statements, inner-loop, approximate, exact,
             jumps, loop-else, async-loop, comment-lost, shared-line, not-imported, cast,
             declares-scope.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from semrep.ir.tree import Node
from semrep.passes.array.array_loop import ArrayLoop
from semrep.passes.array.array_pass import ASSUMPTIONS
from semrep.passes.array.bodies import Assignment, assignments, check_order
from semrep.passes.array.counted import Counted, Unproven
from semrep.passes.array.dtypes import may_be_stored
from semrep.passes.array.facts import Array, either
from semrep.passes.array.vectors import Vector, Vectors
from semrep.passes.contract import BITWISE, WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register


@register
@dataclass(frozen=True, slots=True)
class VectorizeElementwiseLoop(ArrayLoop):
    """Make array statements of a loop over elements, where every bit stays."""

    name: ClassVar[str] = "vectorize-elementwise-loop"
    contract: ClassVar[Contract] = BITWISE.assuming(*ASSUMPTIONS)
    is_exact: ClassVar[bool] = True

    def lines(self, loop: Counted, vectors: Vectors) -> list[str]:
        lines = vectorised(loop, vectors)
        if self.is_exact and not vectors.is_exact:
            message = "whole arrays may differ in the last bit; vectorize-function-loop"
            raise Unproven("approximate", message)
        if not self.is_exact and vectors.is_exact:
            raise Unproven("exact", "vectorize-elementwise-loop does this to the bit")
        return lines


@register
@dataclass(frozen=True, slots=True)
class VectorizeFunctionLoop(VectorizeElementwiseLoop):
    """Make array statements of a loop over elements that calls functions or multiplies."""

    name: ClassVar[str] = "vectorize-function-loop"
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)
    is_exact: ClassVar[bool] = False


def vectorised(loop: Counted, vectors: Vectors) -> list[str]:
    """The lines that do all iterations of a loop. Raises Unproven."""
    body = assignments(loop.body)
    lines: list[str] = []
    for number, statement in enumerate(body):
        vectors.statement = number
        if statement.target.kind == "identifier":
            lines.append(temporary(loop, vectors, statement))
        else:
            lines.append(_stored(loop, vectors, statement))
    if not vectors.writes:
        raise Unproven("no-effect", "the loop stores in no array", loop.node)
    check_order(loop, vectors)
    written: set[object] = set()
    for _, write in vectors.writes:
        written |= write.array.roots or set()
    for binding, vector in vectors.temporaries.items():
        roots = vector.array.roots
        if roots is None or roots & written:
            raise Unproven("view", f"{binding.name!r} is a view of what the loop writes", loop.node)
    if vectors.may_raise is not None:
        if len(body) > 1:
            raise Unproven("may-raise", "this may raise after some iterations", vectors.may_raise)
        vectors.needs_guard = True
    return lines


def temporary(loop: Counted, vectors: Vectors, statement: Assignment) -> str:
    """The line for a variable that each iteration sets before it uses it."""
    target = statement.target
    binding = loop.facts.scopes.binding(target)
    if binding is None or not binding.is_local or binding.scope is None:
        raise Unproven("not-local", "other code can see this variable", target)
    if binding.scope.node is not loop.facts.function:
        raise Unproven("not-local", "other code can see this variable", target)
    for store in binding.stores:
        if store.is_inside(loop.node) and any(
            not use.is_inside(loop.node) for use in loop.facts.flow.uses(store)
        ):
            raise Unproven("live", f"{binding.name!r} is used after the loop", target)
    vectors.preferred = None
    value = _value(vectors, statement, vectors.temporaries.get(binding), target)
    if value.at is not None and value.array.weak:
        raise Unproven("counter-value", "the counter is used as a value here", statement.value)
    if value.at is not None:
        value = vectors.placed(value, value.rank)
    roots = value.array.roots
    if value.reference is not None and roots and not value.rank:
        if value.array.framework == "numpy":
            roots = frozenset()  # an element is a copy
            writes = {r for _, w in vectors.writes for r in w.array.roots or ()}
            if (
                not value.at
                and writes & (value.array.roots or frozenset())
                or _is_written(loop, value.array)
            ):
                value = replace(value, text=f"{value.text}.copy()")
    array = replace(value.array, roots=roots)
    vectors.temporaries[binding] = Vector(target.text, 17, array, value.at)
    return f"{target.text} = {value.text}"


def _is_written(loop: Counted, array: Array) -> bool:
    """Whether a statement of the loop stores in memory that an array may share."""
    for node in loop.node["body"].find("subscript"):
        if node.field == "left" and node["value"].kind == "identifier":
            found = loop.arrays.of(node["value"])
            if found is None or found.roots is None or array.roots is None:
                return True
            if found.roots & array.roots:
                return True
    return False


def _value(vectors: Vectors, statement: Assignment, before: Vector | None, target: Node) -> Vector:
    """What a statement stores in its target, whose value is `before`."""

    def side(node: Node, guarded: bool) -> Vector:
        value = vectors.guarded_value(node) if guarded else vectors.value(node)
        if statement.operator == "=":
            return value
        if before is None:
            raise Unproven("carried", "this comes from another iteration", target)
        operator = statement.operator.removesuffix("=")
        parent = node.parent
        assert parent is not None
        if operator == "@":
            raise Unproven("unknown-operation", "this has no form for whole arrays", parent)
        if guarded and operator not in "+-*":
            raise Unproven("may-warn", "this may warn where it was not computed before", node)
        return vectors.arithmetic(parent, operator, before, value)

    if statement.condition is None:
        return side(statement.value, False)
    condition = vectors.value(statement.condition)
    yes = side(statement.value, True)
    if statement.otherwise is not None:
        no = side(statement.otherwise, True)
        found = either(yes.array, statement.value, no.array, statement.otherwise)
    else:
        if before is None:
            raise Unproven("carried", "this comes from another iteration", target)
        no = before
        found = either(yes.array, statement.value, no.array, target)
    if found is None:
        raise Unproven("unknown-type", "the branches give different types", statement.node)
    return vectors.where(statement.node, condition, yes, no, found)


def _stored(loop: Counted, vectors: Vectors, statement: Assignment) -> str:
    """The line for an assignment to elements."""
    if statement.target.kind != "subscript":
        raise Unproven(
            "unknown-statement", "only assignments become operations on arrays", statement.node
        )
    target = vectors.element(statement.target, is_target=True)
    ref = target.reference
    assert ref is not None
    if target.at is None:
        raise Unproven("dependent", "every iteration writes the same place", statement.target)
    at = vectors.preferred = target.at
    is_augmented = statement.operator != "="
    if statement.condition is not None:
        before = vectors.element(statement.target, is_target=False)
        vectors.reads.append((vectors.statement, ref))
        value = _value(vectors, statement, before, statement.target)
        operator = "="
    else:
        value = vectors.value(statement.value)
        operator = statement.operator
        if is_augmented:
            vectors.reads.append((vectors.statement, ref))
            parent = statement.value.parent
            assert parent is not None
            if operator == "@=":
                raise Unproven("unknown-operation", "this has no form for whole arrays", parent)
            result = vectors.arithmetic(parent, operator.removesuffix("="), target, value)
            if not may_be_stored(result.array.dtype, target.array.dtype):
                raise Unproven("cast", "this is stored as another kind of number", parent)
    if value.rank > target.rank:
        raise Unproven("unknown-size", "this has more dimensions than its place", statement.value)
    if not may_be_stored(value.array.dtype, target.array.dtype):
        raise Unproven("cast", "this is stored as another kind of number", statement.value)
    value = vectors.placed(value, at)
    vectors.writes.append((vectors.statement, ref))
    text = value.text
    if ref.array.framework == "torch" and value.reference is not None:
        if (value.array.roots or frozenset()) & (ref.array.roots or frozenset()):
            text = f"{value.within(17)}.clone()"
    return f"{target.text} {operator} {text}"
