"""Compute at once what a loop accumulates.

Rewrite:     for i in range(n): s += a[i] * b[i]   -->   s += np.dot(a[:n], b[:n])
             for i in range(n): m = max(m, a[i])   -->   m = max(m, np.fmax.reduce(a[:n]))
             for i in range(n):                    -->   c += int(np.count_nonzero(a[:n] > t))
                 if a[i] > t: c += 1
             for k in range(m): y[i] += a[i, k]    -->   y[i] += np.sum(a[i, :m])
Legal when:  as for `vectorize-elementwise-loop`; the last statement alone accumulates, into
             a variable or a place that is the same in all iterations, by one of + - * max min,
             nothing else reads that, and the element type is one that the sum has, too.
             Where the accumulator may be one of Python's numbers, whose type the first
             iteration changes, a condition that the loop runs at all stays around. max and
             min of floating point keep what they do with NaN only if the accumulator starts
             as a literal or an infinity.
Numerics:    within tolerance: another order of the same sums, of terms that need not be exact
             where the inputs are small integers.
Refuses:     no-accumulator, unknown-type, other-precision, nan-order, torch-extreme, dependent,
             and as vectorize-elementwise-loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRIMARY, operator_strength
from semrep.ir.tree import Node
from semrep.passes.array.array_loop import ArrayLoop
from semrep.passes.array.array_pass import ASSUMPTIONS
from semrep.passes.array.bodies import Assignment, assignments, check_order, overlaps
from semrep.passes.array.counted import Counted, Unproven
from semrep.passes.array.dtypes import may_be_stored
from semrep.passes.array.facts import Array
from semrep.passes.array.references import Reference
from semrep.passes.array.vectorize_elementwise_loop import temporary
from semrep.passes.array.vectors import Vector, Vectors
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register


@dataclass(frozen=True, slots=True)
class Accumulation:
    """target = target operator value, where a condition holds. operator: + - * max min."""

    target: Node
    operator: str
    value: Node
    condition: Node | None = None


@register
@dataclass(frozen=True, slots=True)
class ReduceAccumulationLoop(ArrayLoop):
    """Sum, multiply, count or take the extreme of whole arrays instead of element by element."""

    name: ClassVar[str] = "reduce-accumulation-loop"
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)

    def lines(self, loop: Counted, vectors: Vectors) -> list[str]:
        return _reduced(loop, vectors)


def accumulation(arrays_loop: Counted, statement: Assignment) -> Accumulation:
    """What the last statement of a body accumulates. Raises Unproven."""
    target, value = statement.target, statement.value.unparenthesized
    if statement.otherwise is not None:
        raise Unproven("no-accumulator", "no accumulation is known here", statement.node)
    if statement.operator in ("+=", "-=", "*="):
        return Accumulation(target, statement.operator[0], value, statement.condition)
    if statement.operator == "=" and statement.condition is None:
        if value.kind == "binary_operator" and value.operator in "+*-":
            left, right = value["left"], value["right"]
            if target.same_as(left):
                return Accumulation(target, value.operator, right)
            if target.same_as(right) and value.operator in "+*":
                return Accumulation(target, value.operator, left)
        if value.kind == "call" and arrays_loop.arrays.environment.is_builtin_call(
            arrays_loop.unit, value, "max", "min"
        ):
            given = value["arguments"].operands
            if len(given) == 2 and target.same_as(given[0]):
                return Accumulation(target, value["function"].text, given[1])
    if statement.operator == "=" and statement.condition is not None:
        test = statement.condition.unparenthesized
        operands = [o for o in test.operands if o.field != "operators"]
        if test.kind == "comparison_operator" and len(operands) == 2:
            token = test.fields("operators")[0].text
            one, other = operands
            if target.same_as(one):
                one, other, token = other, one, {"<": ">", ">": "<"}.get(token, "")
            if target.same_as(other) and value.same_as(one) and token in ("<", ">"):
                return Accumulation(target, "max" if token == ">" else "min", value)
    raise Unproven("no-accumulator", "no accumulation is known here", statement.node)


def _reduced(loop: Counted, vectors: Vectors) -> list[str]:
    body = assignments(loop.body)
    if not body:
        raise Unproven("no-accumulator", "no accumulation is known here", loop.node)
    lines: list[str] = []
    for number, statement in enumerate(body[:-1]):
        vectors.statement = number
        if statement.target.kind != "identifier":
            raise Unproven("no-accumulator", "more than one statement stores", statement.node)
        lines.append(temporary(loop, vectors, statement))
    vectors.statement = len(body) - 1
    found = accumulation(loop, body[-1])
    own = _target(loop, vectors, found.target)
    before = _before(loop, found.target)
    if before is None:
        raise Unproven("unknown-type", "the type of this is not known", found.target)
    if loop.varies(found.target) and own is not None:
        raise Unproven("no-accumulator", "each iteration has a place of its own", found.target)
    _check_reads(loop, vectors, found, own)
    lines.append(_line(loop, vectors, found, before, own))
    for _, read in vectors.reads:
        if own is not None and overlaps(loop, own, read):
            raise Unproven("dependent", "an iteration may read what another one writes", read.node)
    check_order(loop, vectors)
    if vectors.may_raise is not None:
        vectors.needs_guard = True
    return lines


def _target(loop: Counted, vectors: Vectors, target: Node) -> Reference | None:
    if target.kind == "identifier":
        binding = loop.facts.scopes.binding(target)
        if binding is None or not binding.is_local or binding.scope is None:
            raise Unproven("not-local", "other code can see this variable", target)
        if binding.scope.node is not loop.facts.function:
            raise Unproven("not-local", "other code can see this variable", target)
        return None
    if target.kind != "subscript":
        raise Unproven("no-accumulator", "no accumulation is known here", target)
    return vectors.element(target, is_target=True).reference


def _before(loop: Counted, target: Node) -> Array | None:
    """The type that the accumulator has when the loop starts."""
    if target.kind != "identifier":
        return loop.arrays.of(target)
    binding = loop.facts.scopes.binding(target)
    if binding is None:
        return None
    reach = loop.facts.flow.definitions_at(loop.node, binding)
    outside = [d for d in reach if not isinstance(d, Node) or not d.is_inside(loop.node)]
    if (found := loop.arrays.variable(binding, frozenset(outside))) is not None:
        return found
    # After a loop that may not have run it is the number before it, or an element: where their
    # sums have one type, what holds for Python's own number holds for both.
    types = [loop.arrays.variable(binding, frozenset({d})) for d in outside]
    if all(t is not None and not t.rank and t.dtype == "float64" for t in types) and types:
        return next((t for t in types if t is not None and t.weak), None)
    return None


def _is_only_stored(loop: Counted, target: Node) -> bool:
    """Whether all that becomes of the accumulator is to be stored in floating-point arrays, where
    it makes no difference whose number a zero is."""
    binding = loop.facts.scopes.binding(target)
    if target.kind != "identifier" or binding is None:
        return False
    for load in binding.loads:
        if load.is_inside(loop.node):
            continue
        parent = load.parent
        if parent is None or parent.kind not in ("assignment", "augmented_assignment"):
            return False
        if load.field != "right" or parent["left"].kind != "subscript":
            return False
        found = loop.arrays.of(parent["left"])
        if found is None or not found.dtype.startswith(("float", "complex")):
            return False
    return True


def _check_reads(
    loop: Counted, vectors: Vectors, found: Accumulation, own: Reference | None
) -> None:
    """Nothing but the accumulation itself reads the accumulator."""
    if own is not None:
        return
    name = found.target.text
    parts = [found.value, *([found.condition] if found.condition is not None else [])]
    earlier = loop.body.operands[:-1]
    for part in (*parts, *earlier):
        for n in part.find("identifier"):
            if n.text == name and n.field != "attribute":
                raise Unproven("no-accumulator", "an iteration uses what was accumulated", n)


def _line(
    loop: Counted,
    vectors: Vectors,
    found: Accumulation,
    before: Array,
    own: Reference | None,
) -> str:
    target = found.target.text
    if found.condition is not None and found.operator in "+-":
        condition = vectors.value(found.condition)
        if condition.rank or condition.at is None or condition.array.dtype != "bool":
            raise Unproven("invariant-condition", "this belongs before the loop", found.condition)
        if found.value.kind == "integer" and before.weak and before.dtype == "int64":
            if condition.array.framework != "numpy":
                raise Unproven("unknown-type", "the count would be a tensor", found.condition)
            if not loop.arrays.environment.is_builtin("int") or any(
                "int" in scope.names for scope in loop.facts.scopes.scopes
            ):
                raise Unproven("unknown-type", "`int` is another name here", found.target)
            count = f"int({vectors.function('count_nonzero', 'numpy')}({condition.text}))"
            times = "" if found.value.text == "1" else f"{found.value.text} * "
            return f"{target} {found.operator}= {times}{count}"
        value = vectors.guarded_value(found.value)
        if value.array.weak or value.rank:
            raise Unproven("unknown-type", "the type of this is not known", found.value)
        zero = Vector("0", PRIMARY, Array("python", "int64", weak=True))
        value = vectors.where(found.value, condition, value, zero, value.array)
    elif found.condition is not None:
        raise Unproven("no-accumulator", "no accumulation is known here", found.condition)
    else:
        value = vectors.value(found.value)
    if value.at is None:
        raise Unproven("no-accumulator", "this is the same in every iteration", found.value)
    if value.rank > before.rank:
        raise Unproven("unknown-size", "this has more dimensions than its place", found.value)
    if found.operator in ("max", "min"):
        return _extreme(loop, vectors, found, before, value)
    return _sum(loop, vectors, found, before, value, own)


def _sum(
    loop: Counted,
    vectors: Vectors,
    found: Accumulation,
    before: Array,
    value: Vector,
    own: Reference | None,
) -> str:
    dtype = value.array.dtype
    framework = value.array.framework
    if value.array.weak or framework not in ("numpy", "torch"):
        raise Unproven("counter-value", "the counter is used as a value here", found.value)
    if value.array.is_mixed and before.weak:
        raise Unproven("unknown-type", "the type of the sum is not known", found.value)
    total = loop.arrays.combined("+", before, value.array)
    if framework == "torch" and (total is None or not dtype.startswith("float")):
        raise Unproven("unknown-type", "the type of the sum is not known", found.value)
    if total is None or not dtype.startswith(("float", "complex", "int")):
        raise Unproven("unknown-type", "the type of the sum is not known", found.value)
    if own is not None and not may_be_stored(total.dtype, before.dtype):
        raise Unproven("cast", "this is stored as another kind of number", found.value)
    if own is None and before.rank and total.dtype != before.dtype:
        raise Unproven("cast", "the type changes in the loop", found.target)
    if own is None and not before.rank and not before.weak and before.dtype != total.dtype:
        raise Unproven("unknown-type", "the type changes in the loop", found.target)
    if framework == "torch" and not before.weak and before.dtype != dtype:
        raise Unproven("unknown-type", "the type changes in the loop", found.target)
    if own is None and before.rank < value.rank:
        vectors.needs_guard = True
    if before.weak and (
        not total.dtype.startswith("float")
        or before.dtype == "bool"
        or not _is_only_stored(loop, found.target)
    ):
        vectors.needs_guard = True
    if before.weak and before.dtype == "float64" and total.dtype == "float64" != dtype:
        raise Unproven("unknown-type", "the type of the sum is not known", found.value)
    # What is added up has the type that each partial sum had.
    partial = total.dtype
    text = _total(vectors, found, value, partial)
    target = found.target.text
    return f"{target} {found.operator}= {text}"


def _total(vectors: Vectors, found: Accumulation, value: Vector, partial: str) -> str:
    framework = value.array.framework
    name = "prod" if found.operator == "*" else "sum"
    dtype = value.array.dtype
    if name == "sum" and found.condition is None and dtype == partial:
        if text := _contracted(vectors, found.value, value):
            return text
    value = vectors.placed(value, value.rank)
    where = ""
    if value.rank:
        where = ", dim=0" if framework == "torch" else ", axis=0"
    if dtype != partial or dtype == "int32":
        library = vectors.function(partial, framework)
        where += f", dtype={library}"
    return f"{vectors.function(name, framework)}({value.text}{where})"


def factors_of(node: Node) -> list[Node]:
    node = node.unparenthesized
    if node.kind == "binary_operator" and node.operator == "*":
        return [*factors_of(node["left"]), *factors_of(node["right"])]
    return [node]


def _contracted(vectors: Vectors, node: Node, value: Vector) -> str | None:
    """The sum of a product of two vectors, or of a vector and the rows of a matrix, as a
    product of matrices; None where it is none."""
    dtype, framework = value.array.dtype, value.array.framework
    parts = [vectors.value(factor) for factor in factors_of(node)]
    varying = [v for v in parts if v.at is not None]
    constant = [v for v in parts if v.at is None]
    if len(varying) != 2 or not dtype.startswith(("float", "complex")):
        return None
    if any(v.array.dtype != dtype or v.array.weak for v in varying) or any(
        v.rank or not (v.array.weak or v.array.dtype == dtype) for v in constant
    ):
        return None
    one, other = sorted(varying, key=lambda v: v.rank)
    if (one.rank, other.rank) == (0, 0):
        left, right = varying
        text = f"{vectors.function('dot', framework)}({left.text}, {right.text})"
    elif (one.rank, other.rank) == (0, 1):
        first, second = (other, one) if other.at == 0 else (one, other)
        product = operator_strength("@")
        text = f"{first.within(product)} @ {second.within(product + 1)}"
        if constant:
            text = f"({text})"
    else:
        return None
    before = "".join(f"{v.within(operator_strength('*'))} * " for v in constant)
    return before + text


def _extreme(
    loop: Counted, vectors: Vectors, found: Accumulation, before: Array, value: Vector
) -> str:
    target = found.target.text
    dtype = value.array.dtype
    if value.array.framework != "numpy":
        raise Unproven("torch-extreme", "torch has no maximum that passes over NaN", found.value)
    if value.rank or before.rank or value.array.weak:
        raise Unproven("unknown-type", "the type of this is not known", found.value)
    if found.target.kind != "identifier" and dtype.startswith("float"):
        raise Unproven("nan-order", "what is there before may be NaN", found.target)
    if dtype.startswith("float"):
        if not _starts_as_number(loop, found.target):
            raise Unproven("nan-order", "what is there before may be NaN", found.target)
        name = vectors.function("f" + found.operator, "numpy") + ".reduce"
    elif dtype in ("int32", "int64"):
        name = vectors.function(found.operator, "numpy")
    else:
        raise Unproven("unknown-type", "the type of this is not known", found.value)
    vectors.needs_guard = True  # there is no extreme of nothing
    return f"{target} = {found.operator}({target}, {name}({value.text}))"


def _starts_as_number(loop: Counted, target: Node) -> bool:
    """Whether the accumulator holds a literal or an infinity when the loop starts."""
    binding = loop.facts.scopes.binding(target)
    if binding is None:
        return False
    for definition in loop.facts.flow.definitions_at(loop.node, binding):
        if not isinstance(definition, Node):
            return False
        if definition.is_inside(loop.node):
            continue
        parent = definition.parent
        if parent is None or parent.kind != "assignment" or parent.child("right") is None:
            return False
        value = parent["right"].unparenthesized
        if value.kind == "unary_operator":
            value = value["argument"].unparenthesized
        path = loop.facts.path_of(value)
        is_infinity = path in ("numpy.inf", "math.inf") or value.text in (
            'float("inf")', "float('inf')", 'float("-inf")', "float('-inf')",
        )  # fmt: skip
        if value.kind not in ("integer", "float") and not is_infinity:
            return False
    return True
