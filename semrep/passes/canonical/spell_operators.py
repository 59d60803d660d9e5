"""Write array operations with Python's operators, and the inverse.

Rewrite:     torch.matmul(a, b), x.mul(2), np.add(a, b)   -->   a @ b, x * 2, a + b
Legal when:  both operands are arrays (or one a number) by the facts at the function's boundary,
             and no option is given that the operator does not have.
Numerics:    bitwise.
Refuses:     unknown-operand, options, comment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.dialects.operators import TOKEN_OF
from semrep.ir.emit import (
    binding_strength,
    bracketed,
    is_inside_fstring,
    operator_strength,
    replace,
)
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.ir.values import OP, Value, is_number, value_graph
from semrep.passes.base import PYTHON, TENSOR, NodePass, Refusal, refuse
from semrep.passes.contract import BITWISE, Contract
from semrep.passes.registry import register

_TOKENS = ("+", "-", "*", "/", "@")
_ARITHMETIC = frozenset(name for name, token in TOKEN_OF.items() if token in _TOKENS)
_NAMES = frozenset(
    {b"matmul", b"mm", b"bmm", b"dot", b"add", b"sub", b"subtract", b"mul", b"multiply", b"div",
     b"divide", b"true_divide"}
)  # fmt: skip
_FUNCTIONS = {
    "@": {"torch": "matmul", "numpy": "matmul", "jax": "matmul"},
    "+": {"torch": "add", "numpy": "add", "jax": "add"},
    "-": {"torch": "sub", "numpy": "subtract", "jax": "subtract"},
    "*": {"torch": "mul", "numpy": "multiply", "jax": "multiply"},
}
_HOMES = {"torch": "torch", "numpy": "numpy", "jax": "jax.numpy"}


def _operation(module: Module, unit: Unit, node: Node) -> Value | None:
    """The operation that an expression is, where it has two operands and nothing else to say."""
    value = value_graph(module, unit).of(node)
    if value is None or value.kind != OP or value.op is None or value.op.name not in _ARITHMETIC:
        return None
    return value


def _operands(value: Value) -> tuple[Value, Value] | Refusal:
    assert value.op is not None
    names = [p.name for p in value.op.operands]
    for parameter in value.op.parameters:
        given = value.arguments.get(parameter.name)
        if parameter.name in names or given is None:
            continue
        if not given.is_constant or given.constant != parameter.default:
            return refuse("options", f"the operator has no {parameter.name!r}", value.node)
    if len(names) != 2 or value.is_in_place:
        return refuse("options", "the operator takes two operands", value.node)
    left, right = (value.arguments[n] for n in names)
    if left.tensor is None and right.tensor is None:
        return refuse("unknown-operand", "these are not proven to be arrays", value.node)
    for side in (left, right):
        if side.tensor is None and not is_number(side):
            return refuse("unknown-operand", "this is not proven to be an array", side.node)
        if side.tensor is not None and side.tensor.framework != value.framework:
            return refuse("unknown-operand", "this array is of another framework", side.node)
    return left, right


@register
@dataclass(frozen=True, slots=True)
class SpellOperators(NodePass):
    """Write array operations with Python's operators."""

    name: ClassVar[str] = "spell-operators"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TENSOR})
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})
    inverse: ClassVar[str | None] = "spell-functions"
    contract: ClassVar[Contract] = BITWISE.assuming("arrays are those of the observed run")

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        function = node["function"]
        return (
            unit.kind == FUNCTION
            and function.kind == "attribute"
            and function["attribute"].bytes in _NAMES
            and not is_inside_fstring(node)
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        value = _operation(module, unit, node)
        if value is None or value.op is None:
            return refuse("unknown-operand", "this is not proven to be an array operation", node)
        operands = _operands(value)
        if isinstance(operands, Refusal):
            return operands
        given = node["arguments"].operands
        if len(given) == 1:
            given = [node["function"]["object"], *given]
        graph = value_graph(module, unit)
        if [graph.of(g) for g in given] != list(operands):
            return refuse("options", "the operands are named, or in another order", node)
        left, right = given
        if node.has_comment or "\n" in left.text + right.text:
            return refuse("comment", "a comment or line break lies between the operands", node)
        token = TOKEN_OF[value.op.name]
        strength = operator_strength(token)
        text = (
            f"{bracketed(left.text, binding_strength(left), strength)} {token} "
            f"{bracketed(right.text, binding_strength(right), strength + 1)}"
        )
        return [replace(node, text, strength)]


@register
@dataclass(frozen=True, slots=True)
class SpellFunctions(NodePass):
    """Write operators on arrays as calls of the framework's functions.

    Rewrite:     a @ b   -->   torch.matmul(a, b)
    Legal when:  both operands are arrays (or one a number) by the facts at the function's
                 boundary, and a name for the framework is in scope.
    Numerics:    bitwise.
    Refuses:     unknown-operand, no-name, comment.
    """

    name: ClassVar[str] = "spell-functions"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TENSOR})
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator"})
    inverse: ClassVar[str | None] = "spell-operators"
    is_opt_in: ClassVar[bool] = True
    contract: ClassVar[Contract] = BITWISE.assuming("arrays are those of the observed run")

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return unit.kind == FUNCTION and node.operator in _FUNCTIONS and not is_inside_fstring(node)

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        value = _operation(module, unit, node)
        if value is None or value.framework not in _HOMES:
            return refuse("unknown-operand", "this is not proven to be an array operation", node)
        operands = _operands(value)
        if isinstance(operands, Refusal):
            return operands
        if operands[0].tensor is None:
            return refuse("unknown-operand", "functions want the array first", node["left"])
        home = _HOMES[value.framework]
        names = module.environment.names.values()
        alias = next((g.name for g in names if g.path == home and g.is_stable), None)
        if alias is None or not self._is_visible(module, unit, node, alias):
            return refuse("no-name", f"no name in scope stands for {home}", node)
        if node.has_comment:
            return refuse("comment", "a comment lies between the operands", node)
        function = _FUNCTIONS[node.operator][value.framework]
        sides = ", ".join(node[f].unparenthesized.text for f in ("left", "right"))
        return [replace(node, f"{alias}.{function}({sides})")]

    def _is_visible(self, module: Module, unit: Unit, node: Node, alias: str) -> bool:
        scopes = self.facts(module, unit, node).scopes
        return scopes.visible(alias, scopes.scope_of(node)) is None
