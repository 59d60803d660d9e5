"""Compute in the memory of an array that is not needed any more.

Rewrite:     y = np.exp(x)              -->   y = np.exp(x)
             y = y * 2.0 + b                  y *= 2.0
                                              y += b
             (one operation at a time: `y = y * s`  -->  `y *= s`)
Legal when:  the array was made by this function in memory of its own, nothing but the variable
             holds it (every use of it before computes, or stores in it), and the result has its
             type and shape: the other operand is one number or an array of the same shape.
Numerics:    bitwise.
Refuses:     unknown-type, not-fresh, shared, other-shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.facts import ArrayFacts, array_facts
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.contract import BITWISE, Contract
from semrep.passes.registry import register

_OPERATORS = ("+", "-", "*", "/")
_COMPUTES = ("binary_operator", "unary_operator", "comparison_operator")
# Functions whose result shares no memory with their arguments.
_FUNCTIONS = frozenset(
    {"exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "abs", "sum", "mean", "max", "min", "prod",
     "dot", "matmul", "maximum", "minimum", "square", "where", "std", "var", "copy",
     "zeros_like", "empty_like", "ones_like"}
)  # fmt: skip


@register
@dataclass(frozen=True, slots=True)
class ReuseBuffers(NodePass):
    """Let an operation store its result where its dead operand was."""

    name: ClassVar[str] = "reuse-buffers"
    anchors: ClassVar[frozenset[str]] = frozenset({"assignment"})
    contract: ClassVar[Contract] = BITWISE.assuming(
        "arrays have the ranks and element types of the observed call"
    )

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        right = node.child("right")
        if unit.kind != FUNCTION or right is None or node["left"].kind != "identifier":
            return False
        if node.parent is None or node.parent.kind != "expression_statement":
            return False
        value = right.unparenthesized
        return (
            value.kind == "binary_operator"
            and value.operator in _OPERATORS
            and value["left"].unparenthesized.same_as(node["left"])
            and node.child("type") is None
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        arrays = array_facts(module, unit, facts)
        value = node["right"].unparenthesized
        load, other = value["left"].unparenthesized, value["right"]
        before, operand = arrays.of(load), arrays.of(other)
        if before is None or operand is None or before.framework != "numpy" or not before.rank:
            return refuse("unknown-type", "this is not known to be an array of NumPy", load)
        result = arrays.combined(value.operator, before, operand)
        if result is None or result.dtype != before.dtype:
            return refuse("unknown-type", "the result is not of the array's own type", value)
        if operand.rank and (None in before.shape or operand.shape != before.shape):
            return refuse("other-shape", "the result may have another shape", other)
        if other.text == load.text or any(n.text == load.text for n in other.find("identifier")):
            return refuse("shared", "the other operand uses the array, too", other)
        if refusal := _why_shared(arrays, load):
            return refusal
        start, end = node.start, other.start
        if b"\n" in node.source[start:end] or node["right"].kind != "binary_operator":
            return refuse("shared", "the expression spans lines", node)
        text = f"{node['left'].text} {value.operator}= ".encode()
        return [Edit(Span(start, end), text)]


def _why_shared(arrays: ArrayFacts, load: Node) -> Refusal | None:
    """Why somebody else may hold the array that a variable loads."""
    binding = arrays.scopes.binding(load)
    if binding is None or not binding.is_local:
        return refuse("shared", "other code can see this variable", load)
    waiting = list(arrays.flow.reaching(load))
    seen: set[int] = set()
    while waiting:
        store = waiting.pop()
        if not isinstance(store, Node) or store.parent is None:
            return refuse("not-fresh", "this is not made here", load)
        if id(store) in seen:
            continue
        seen.add(id(store))
        holder = store.parent
        if holder.kind == "augmented_assignment":
            waiting.extend(arrays.flow.reaching(store))  # what it was made of is still the array
        elif (
            holder.kind != "assignment"
            or store.field != "left"
            or holder.parent is None
            or holder.parent.kind != "expression_statement"
            or not _is_made(arrays, holder["right"])
        ):
            return refuse("not-fresh", "this is not made here", load)
        for use in arrays.flow.uses(store):
            if use is not load and not _only_computes(arrays, use):
                return refuse("shared", "this may keep the array", use)
    return None


def _is_made(arrays: ArrayFacts, node: Node) -> bool:
    """Whether an expression makes a new array."""
    node = node.unparenthesized
    if node.kind in ("binary_operator", "unary_operator"):
        return True
    if node.kind != "call":
        return False
    path = arrays.facts.path_of(node["function"]) or ""
    library, _, name = path.rpartition(".")
    makers = _FUNCTIONS | {"zeros", "ones", "empty", "full", "full_like"}
    return library == "numpy" and name in makers


def _only_computes(arrays: ArrayFacts, use: Node) -> bool:
    """Whether a load of an array keeps no reference to it."""
    node, parent = use, use.parent
    while parent is not None and parent.kind in ("parenthesized_expression",):
        node, parent = parent, parent.parent
    if parent is None:
        return False
    if parent.kind == "return_statement":
        # The function does nothing to it afterwards.
        return use.enclosing("try_statement", "with_statement") is None
    if parent.kind == "subscript" and node.field == "value":
        if parent.field == "left" and parent.parent is not None:
            return parent.parent.kind in ("assignment", "augmented_assignment")
        found = arrays.of(parent)
        if found is not None and not found.rank:
            return True
        above = parent.parent
        return above is not None and above.kind in _COMPUTES
    if parent.kind in _COMPUTES:
        return True
    if parent.kind == "augmented_assignment":
        return True
    if parent.kind == "attribute" and parent["attribute"].text in ("shape", "dtype", "ndim"):
        return True
    if parent.kind == "argument_list" and parent.parent is not None:
        path = arrays.facts.path_of(parent.parent["function"]) or ""
        library, _, name = path.rpartition(".")
        return library == "numpy" and name in _FUNCTIONS
    return False
