"""Put the value of a variable that is used once into its place, and the inverse.

Rewrite:     t = E
             return f(t)   -->   return f(E)
Legal when:  the use is in the next statement, runs exactly once, and nothing that is evaluated
             before it there can change E or be changed by it.
Numerics:    bitwise.
Refuses:     used-elsewhere, captured, evaluation-order, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import NONE, Facts
from semrep.ir.emit import (
    binding_strength,
    delete_statement,
    encode,
    fresh_name,
    insert_before,
    is_inside_fstring,
    is_only_statement,
    replace,
    stands_alone,
    statement_of,
)
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal, refuse
from semrep.passes.registry import register

_REPEATED = (
    "lambda", "list_comprehension", "set_comprehension", "dictionary_comprehension",
    "generator_expression", "function_definition", "class_definition",
)  # fmt: skip
_SOMETIMES = ("boolean_operator", "conditional_expression", "comparison_operator")
_CONSTANTS = ("integer", "float", "string", "true", "false", "none", "ellipsis")

# What tree-sitter-python reads after the star in `return a, *b`.
_BEHIND_A_STAR = ("identifier", "attribute", "subscript", "call")


def _is_in_bare_splat(use: Node) -> bool:
    splat = use.enclosing("list_splat")
    brackets = ("argument_list", "list", "tuple", "set", "parenthesized_expression", "subscript")
    return (
        splat is not None
        and use.parent is splat
        and splat.parent is not None
        and splat.parent.kind not in brackets
    )


def _assigned(statement: Node) -> Node | None:
    """The assignment of one local name that is a whole statement."""
    if statement.kind != "expression_statement" or len(statement.operands) != 1:
        return None
    inner = statement.operands[0]
    plain = inner.kind == "assignment" and inner["left"].kind == "identifier"
    if not plain or inner.child("type") is not None or inner.child("right") is None:
        return None
    return None if inner["right"].kind in ("assignment", "yield") else inner


def evaluated_first(facts: Facts, node: Node, statement: Node) -> Node | None:
    """None where nothing with an effect, and no variable that others can change, is evaluated
    in a statement before `node` is; else what is."""
    child = node
    while child is not statement and child.parent is not None:
        parent = child.parent
        siblings = [c for c in parent.operands if c is not child]
        if parent.kind == "assignment":
            earlier = []  # the value comes first
        elif parent.kind == "augmented_assignment":
            earlier = [parent["left"]] if child is parent["right"] else []
        elif parent.kind == "conditional_expression":
            test = parent.operands[1]
            earlier = [] if child is test else [test]
        elif parent.kind == "keyword_argument":
            earlier = []
        else:
            earlier = [s for s in siblings if s.start < child.start]
        for other in earlier:
            if other.kind in _CONSTANTS or other.field == "attribute":
                continue
            if not _is_settled(facts, other):
                return other
        child = parent
    return None


def _is_settled(facts: Facts, node: Node) -> bool:
    if node.kind == "identifier":
        binding = facts.scopes.binding(node)
        if binding is None or binding.is_local:
            return binding is None or facts.effects(node) is NONE
        known = facts.environment.names.get(binding.name)
        return binding.is_global and (
            facts.environment.is_builtin(binding.name) or (known is not None and known.is_stable)
        )
    return facts.effects(node) is NONE and all(
        _is_settled(facts, i) for i in node.find("identifier")
    )


@register
@dataclass(frozen=True, slots=True)
class InlineTemporary(NodePass):
    """Put the value of a variable that is used once into its place."""

    name: ClassVar[str] = "inline-temporary"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"expression_statement"})
    inverse: ClassVar[str | None] = "name-temporary"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        following = node.next_sibling
        return (
            unit.kind == FUNCTION
            and node.parent is not None
            and _assigned(node) is not None
            and following is not None
            and following.kind in ("expression_statement", "return_statement")
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        inner, following = _assigned(node), node.next_sibling
        assert inner is not None and following is not None
        facts = self.facts(module, unit, node)
        store, value = inner["left"], inner["right"]
        binding = facts.scopes.binding(store)
        if binding is None or not binding.is_local or binding.scope is None:
            return refuse("captured", "others can see this variable", store)
        if binding.scope.is_dynamic:
            return refuse("captured", "local names are read through strings here", store)
        uses = facts.flow.uses(store)
        if len(uses) != 1 or not uses[0].is_inside(following) or binding.deletes:
            return refuse("used-elsewhere", "the variable is not used just once, next", store)
        use = uses[0]
        if len(binding.stores) == 1 and len(binding.loads) > 1:
            return refuse("used-elsewhere", "without this the name is a global one", store)
        if facts.flow.reaching(use) != {store} or id(use) in facts.scopes.stores:
            return refuse("used-elsewhere", "the use may see another value", use)
        if (
            node.has_comment
            or not stands_alone(node)
            or "\n" in value.text
            or is_inside_fstring(use)
        ):
            return refuse("layout", "the value spans or shares lines")
        if _is_in_bare_splat(use) and value.kind not in _BEHIND_A_STAR:
            return refuse("layout", "the parser cannot read this behind a star", value)
        if b"#" in node.source[node.end : following.start] or is_only_statement(node):
            return refuse("layout", "a comment stands between the two")
        for outer in use.ancestors():
            if outer is following:
                break
            if outer.kind in _SOMETIMES and facts.effects(value) is not NONE:
                if not use.is_inside(outer.operands[0]) or outer.kind == "conditional_expression":
                    return refuse("evaluation-order", "the use may not run at all", use)
        if facts.names(value).stores:
            return refuse("evaluation-order", "the value stores to a variable", value)
        if facts.effects(value) is not NONE or not _is_settled(facts, value):
            blocker = evaluated_first(facts, use, following)
            if blocker is not None:
                return refuse("evaluation-order", "this is evaluated before the use", blocker)
        changed = facts.names(following).stores & facts.names(value).loads
        if any(not self._stored_last(facts, following, b) for b in changed):
            return refuse("evaluation-order", "the next statement changes what the value reads")
        return [delete_statement(unit, node), replace(use, value.text, binding_strength(value))]

    def _stored_last(self, facts: Facts, statement: Node, binding: object) -> bool:
        """True where a statement stores the name only when it has evaluated everything."""
        inner = statement.operands[0] if statement.operands else statement
        stores = [
            i for i in statement.find("identifier")
            if facts.scopes.binding(i) is binding and id(i) in facts.scopes.stores
        ]  # fmt: skip
        return inner.kind == "assignment" and all(s.parent is inner for s in stores)


@register
@dataclass(frozen=True, slots=True)
class NameTemporary(NodePass):
    """Give a name to the operand that a statement evaluates first.

    Rewrite:     return a * b + c   -->   value = a * b
                                          return value + c
    Legal when:  nothing is evaluated before the operand, and it always is, once.
    Numerics:    bitwise.
    Refuses:     evaluation-order, layout.
    """

    name: ClassVar[str] = "name-temporary"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"binary_operator", "call"})
    inverse: ClassVar[str | None] = "inline-temporary"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        parent = node.parent
        return (
            unit.kind == FUNCTION
            and parent is not None
            and parent.kind in ("binary_operator", "argument_list", "return_statement")
            and (parent.kind != "return_statement" or node.kind == "call")
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        statement = statement_of(node)
        if statement is None or statement.kind not in ("expression_statement", "return_statement"):
            return refuse("layout", "the operand belongs to a header")
        if node.has_comment or "\n" in node.text or is_inside_fstring(node):
            return refuse("layout", "the operand spans lines")
        for outer in node.ancestors():
            if outer is statement:
                break
            if outer.kind in (*_REPEATED, *_SOMETIMES, "yield", "await", "list_splat"):
                return refuse("evaluation-order", "it may run never, or more than once", outer)
        if facts.names(node).stores or any(node.find("yield", "await")):
            return refuse("evaluation-order", "the operand has stores, or suspends", node)
        blocker = evaluated_first(facts, node, statement)
        if blocker is not None and facts.effects(node) is not NONE:
            return refuse("evaluation-order", "this is evaluated before the operand", blocker)
        name = fresh_name(unit, "value")
        before = insert_before(unit, statement, f"{name} = {node.text}")
        if before is None or not stands_alone(statement):
            return refuse("layout", "the statement shares its line", statement)
        return [before, Edit(node.span, encode(name))]
