"""Python constructs that mean something else to Triton's compiler than to Python.

The interpreter runs a kernel as Python. `and`, `or` and `not` then ask a whole block for its
truth and get True; the compiler applies them to each element. Python numbers have no `.to`,
and what is passed to a compile-time parameter has no `.value`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any


def install(interpreter: Any) -> None:
    """Rewrites these constructs in every kernel before it runs."""
    import triton.language as tl

    semantic = interpreter.interpreter_semantic

    def to_method(value: Any) -> Any:
        if isinstance(value, (bool, int, float)):
            value = semantic.to_tensor(value)
        return value.to

    def value_of(given: Any) -> Any:
        return given.value if hasattr(given, "value") else given

    def negated(value: Any) -> Any:
        return value.__not__() if isinstance(value, tl.tensor) else not value

    def combined(method: str, *operands: Callable[[], Any]) -> Any:
        """As the compiler does: tensors never cut the evaluation short, other values do."""
        tensors = []
        value = None
        for operand in operands:
            value = operand()
            if isinstance(value, tl.tensor):
                tensors.append(value)
            elif bool(value) is (method == "logical_or"):
                return value
        if not tensors:
            return value
        result = tensors.pop()
        while tensors:
            result = getattr(tensors.pop(), method)(result)
        return result

    interpreter._semrep_to = to_method
    interpreter._semrep_value = value_of
    interpreter._semrep_not = negated
    interpreter._semrep_combined = combined
    interpreter.FunctionRewriter.ast_transformer = _transformer(interpreter.ASTTransformer)


def _transformer(base: type[ast.NodeTransformer]) -> ast.NodeTransformer:
    class Transformer(base):  # type: ignore[valid-type, misc]
        def visit_Call(self, node: ast.Call) -> ast.AST:
            node = self.generic_visit(node)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "to":
                node.func = _call("_semrep_to", node.func.value)
            return node

        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            node = self.generic_visit(node)
            if node.attr == "value" and isinstance(node.ctx, ast.Load):
                return ast.copy_location(_call("_semrep_value", node.value), node)
            return node

        def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
            node = self.generic_visit(node)
            if isinstance(node.op, ast.Not):
                return ast.copy_location(_call("_semrep_not", node.operand), node)
            return node

        def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
            node = self.generic_visit(node)
            if any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(node)):
                return node  # a name bound inside must stay visible outside
            method = "logical_and" if isinstance(node.op, ast.And) else "logical_or"
            thunks = [ast.Lambda(_NO_ARGUMENTS, value) for value in node.values]
            call = _call("_semrep_combined", ast.Constant(method), *thunks)
            return ast.copy_location(call, node)

    return Transformer()


_NO_ARGUMENTS = ast.arguments(
    posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
)  # fmt: skip


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])
