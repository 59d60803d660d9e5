"""What code that never runs still does to its function: it makes names local and functions
generators."""

from __future__ import annotations

from semrep.ir.scopes import FUNCTION_SCOPES, scopes
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import Refusal, refuse


def why_not_removable(unit: Unit, *removed: Node) -> Refusal | None:
    """Why code that is known not to run, or not to matter, has to stay; None where it can go."""
    tree = scopes(unit)
    for node in removed:
        for inner in node.walk():
            if inner.kind in ("yield", "await") and not _is_in_inner_function(inner, node):
                return refuse("yields", "without this the function is another kind", inner)
            if inner.kind in ("global_statement", "nonlocal_statement"):
                if not _is_in_inner_function(inner, node):
                    return refuse("binds-name", "this acts on the whole function", inner)
            if inner.kind == "async" and not _is_in_inner_function(inner, node):
                return refuse("yields", "without this the function is another kind", inner)
            if inner.kind != "identifier":
                continue
            binding = tree.binding(inner)
            if binding is None or id(inner) not in tree.stores and id(inner) not in tree.deletes:
                continue
            if binding.scope is not None and binding.scope.node is not None:
                if binding.scope.node.is_inside(node):
                    continue  # a name of a scope that goes as a whole

            def stays(use: Node) -> bool:
                return not any(use.is_inside(r) for r in removed)

            if any(map(stays, binding.stores)):
                continue
            if any(map(stays, binding.loads)) or any(map(stays, binding.deletes)):
                return refuse("binds-name", f"without this {binding.name!r} is another name", inner)
    return None


def _is_in_inner_function(node: Node, outer: Node) -> bool:
    return any(
        a.kind in (*FUNCTION_SCOPES, "generator_expression") and a.is_inside(outer)
        for a in node.ancestors()
    )
