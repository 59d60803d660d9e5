"""Write a small function's result where it is called.

Rewrite:     def scale(a, k): return a * k + 1; … scale(x, 2)   -->   x * 2 + 1
Legal when:  the function is defined once at the top of this module, undecorated, and its body
             is one `return` of an expression without scopes of its own; the arguments are
             plain and have no effect, or are evaluated first, once and in the same order there too.
Numerics:    bitwise: the same operations in the same order.
Refuses:     not-one-expression, decorated, signature-mismatch, recursive, name-capture,
             evaluation-order, duplicates-work, triton-kernel, comment-lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.arguments import by_parameter
from semrep.ir.effects import NONE, Facts
from semrep.ir.emit import binding_strength, is_inside_fstring, replace
from semrep.ir.module import Module
from semrep.ir.scopes import INTROSPECTION, scopes
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import NodePass, Refusal, refuse
from semrep.passes.registry import register
from semrep.passes.scalar.substitution import in_order, substituted

_BARRED = frozenset(
    {"lambda", "named_expression", "yield", "await", "list_comprehension", "set_comprehension",
     "dictionary_comprehension", "generator_expression", "interpolation", "comment",
     "list_splat", "dictionary_splat", "line_continuation"}
)  # fmt: skip
_PLAIN = ("identifier", "integer", "float", "true", "false", "none")
_FRAME_NAMES = INTROSPECTION | {"super", "__class__"}


@register
@dataclass(frozen=True, slots=True)
class InlineFunction(NodePass):
    """Replace a call of a one-expression function by its expression."""

    name: ClassVar[str] = "inline-function"
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    max_bytes: int = 120
    """Longest expression that is inlined."""

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        called = node["function"]
        if called.kind != "identifier" or unit.kind != FUNCTION:
            return False
        found = module.environment.names.get(called.text)
        if found is None or found.kind != "function" or not found.is_stable:
            return False
        binding = scopes(unit).binding(called)
        return binding is not None and binding.is_global

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        name = node["function"].text
        if facts.is_triton:
            return refuse("triton-kernel", "kernels are compiled function by function", node)
        placed = module.function(name)
        if placed is None or placed.unit.classes or placed.unit.root.kind != "function_definition":
            return refuse("decorated", f"{name!r} is not a plain function of this module", node)
        callee = placed.unit
        result = _single_result(callee)
        if result is None or len(result.span) > self.max_bytes:
            return refuse("not-one-expression", f"{name!r} does more than return an expression")
        given = _bind(callee.root, node)
        if given is None:
            return refuse("signature-mismatch", "parameters and arguments do not pair up", node)
        if callee is unit or _calls_itself(module, name):
            return refuse("recursive", f"{name!r} calls itself", node)
        return self._inlined(facts, callee, node, result, given)

    def _inlined(
        self, facts: Facts, callee: Unit, node: Node, result: Node, given: dict[str, Node]
    ) -> Iterable[Edit] | Refusal:
        for free in _free_names(callee, result, given):
            at = facts.scopes.scope_of(node)
            is_private = free.startswith("__") and not free.endswith("__")
            if is_private or facts.scopes.visible(free, at) is not None or at is facts.scopes.root:
                return refuse("name-capture", f"{free!r} may mean another thing here", node)
        if is_inside_fstring(node) or node.has_comment:
            return refuse("comment-lost", "the text here is not to be rewritten", node)
        uses = {
            p: [n for n in result.find("identifier") if n.text == p and _is_load(callee, n)]
            for p in given
        }
        effectful = [p for p, a in given.items() if facts.effects(a) is not NONE]
        if any(n.kind in ("named_expression", "yield", "await") for n in node.walk()):
            return refuse("evaluation-order", "an argument stores a name", node["arguments"])
        first = _loaded_first(facts, result, given)
        for p in effectful:
            if len(uses[p]) != 1 or p not in first:
                return refuse("evaluation-order", f"{p!r} would be evaluated later", given[p])
        if [p for p in first if p in effectful] != effectful:
            return refuse("evaluation-order", "the arguments change their order", node["arguments"])
        for p, argument in given.items():
            if len(uses[p]) > 1 and argument.unparenthesized.kind not in _PLAIN:
                return refuse("duplicates-work", f"{p!r} would be computed again", argument)
        places = {id(n): given[p] for p, found in uses.items() for n in found}
        outermost = places.get(id(result), result).unparenthesized
        return [replace(node, substituted(result, places), binding_strength(outermost))]


def _single_result(callee: Unit) -> Node | None:
    """The expression of a body that is nothing but `return expression`."""
    body = callee.root["body"].operands
    if len(body) > 1 and body[0].kind == "expression_statement":
        if body[0].operands and body[0].operands[0].kind == "string":
            body = body[1:]
    if len(body) != 1 or body[0].kind != "return_statement" or not body[0].operands:
        return None
    if callee.root.has_comment or any(c.kind == "async" for c in callee.root.children):
        return None
    result = body[0].operands[0].unparenthesized
    if result.kind == "expression_list" or "\n" in result.text:
        return None
    if any(n.kind in _BARRED for n in result.walk()):
        return None
    if any(n.text in _FRAME_NAMES for n in result.find("identifier")):
        return None
    return result


def _bind(definition: Node, call: Node) -> dict[str, Node] | None:
    """Arguments by parameter, in the order in which the call evaluates them."""
    parameters: list[str] = []
    for p in definition["parameters"].operands:
        name = p if p.kind == "identifier" else None
        if p.kind == "typed_parameter":
            name = p.operands[0] if p.operands[0].kind == "identifier" else None
        if name is None:
            return None
        parameters.append(name.text)
    given = by_parameter(call, parameters)
    return given if given is not None and len(given) == len(parameters) else None


def _is_load(callee: Unit, identifier: Node) -> bool:
    return id(identifier) in scopes(callee).loads


def _free_names(callee: Unit, result: Node, given: dict[str, Node]) -> set[str]:
    loads = {n.text for n in result.find("identifier") if _is_load(callee, n)}
    return loads - given.keys()


def _calls_itself(module: Module, name: str) -> bool:
    """Whether a function, or one that it may call, comes back to itself."""
    finished: set[str] = set()

    def meets_cycle(current: str, path: tuple[str, ...]) -> bool:
        if current in path:
            return True
        placed = module.function(current)
        if current in finished or placed is None:
            return False
        finished.add(current)
        names = {n.text for n in placed.unit.nodes("identifier")} - {current}
        recursive = any(
            n.text == current and n.parent is not None and n.field != "name"
            for n in placed.unit.nodes("identifier")
        )
        inner = (*path, current)
        return recursive or any(meets_cycle(n, inner) for n in sorted(names))

    return meets_cycle(name, ())


def _loaded_first(facts: Facts, expression: Node, given: dict[str, Node]) -> list[str]:
    """Parameters that are loaded before the expression does anything that shows."""
    found: list[str] = []
    for node in in_order(expression):
        if node is not None and node.text in given:
            found.append(node.text)
        elif node is None or not facts.environment.is_defined(node.text):
            break
    return found
