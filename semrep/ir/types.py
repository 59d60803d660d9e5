"""Which of Python's own types a value must have, proven from the code alone.

Annotations prove nothing in Python, and what one run was called with proves nothing about the
next, so neither is used. What is not proven is unknown (None).
"""

from __future__ import annotations

from semrep.ir.environment import Environment
from semrep.ir.flow import UNBOUND, Flow, flow
from semrep.ir.scopes import scopes
from semrep.ir.tree import Node
from semrep.ir.unit import Unit

Types = frozenset[str]
"""Possible exact types, by name (no subclasses). Empty: no value gets there."""

NUMBERS = frozenset({"int", "float", "bool"})
INTEGERS = frozenset({"int", "bool"})
SCALARS = NUMBERS | {"str", "bytes", "NoneType", "complex", "ellipsis"}
IMMUTABLE = SCALARS | {"range", "slice", "function"}
CONTAINERS = frozenset({"tuple", "list", "dict", "set", "range", "str", "bytes"})

_LITERALS = {
    "integer": "int", "float": "float", "true": "bool", "false": "bool", "none": "NoneType",
    "list": "list", "list_comprehension": "list", "dictionary": "dict",
    "dictionary_comprehension": "dict", "set": "set", "set_comprehension": "set",
    "tuple": "tuple", "expression_list": "tuple", "lambda": "function", "ellipsis": "ellipsis",
    "not_operator": "bool", "generator_expression": "generator",
}  # fmt: skip

_RESULTS = {
    "len": "int", "ord": "int", "hash": "int", "id": "int", "int": "int", "float": "float",
    "chr": "str", "hex": "str", "bin": "str", "oct": "str", "bool": "bool",
    "isinstance": "bool", "issubclass": "bool", "callable": "bool", "hasattr": "bool",
    "any": "bool", "all": "bool", "range": "range", "list": "list", "tuple": "tuple",
    "dict": "dict", "set": "set", "sorted": "list", "print": "NoneType", "input": "str",
}  # fmt: skip

# What these give is up to their argument (`__str__` may return a subclass of str), unless
# that is a scalar itself.
_RESULTS_ON_SCALARS = {
    "str": "str", "repr": "str", "ascii": "str", "format": "str", "bytes": "bytes",
    "divmod": "tuple",
}  # fmt: skip


class TypeFacts:
    """Types of the expressions in one function. Flow-sensitive; loops reach a fixed point."""

    def __init__(self, unit: Unit, environment: Environment, flow: Flow) -> None:
        self._unit = unit
        self._environment = environment
        self._flow = flow
        self._scopes = scopes(unit)
        self._stores: dict[int, Types | None] = {}
        self._known: dict[int, Types | None] = {}
        self._is_solved = False
        self._solve()
        self._is_solved = True

    def of(self, node: Node) -> Types | None:
        """The types an expression may have; None where nothing is proven."""
        node = node.unparenthesized
        kind = node.kind
        if kind in _LITERALS:
            if kind == "integer" or kind == "float":
                return (
                    frozenset({"complex"})
                    if node.text[-1] in "jJ"
                    else frozenset({_LITERALS[kind]})
                )
            return frozenset({_LITERALS[kind]})
        if kind in ("string", "concatenated_string"):
            first = next(node.find("string"))
            start = first.children[0].text.lower() if first.children else ""
            return frozenset({"bytes" if "b" in start.rstrip("\"'") else "str"})
        handler = _HANDLERS.get(kind)
        if handler is None:
            return None
        if not self._is_solved:
            return handler(self, node)
        # Asked for at each level of a deep expression, this must not go down each time.
        if id(node) not in self._known:
            self._known[id(node)] = handler(self, node)
        return self._known[id(node)]

    def of_store(self, store: Node) -> Types | None:
        """The types of the values that a store (an identifier) may store."""
        return self._stores.get(id(store), frozenset())

    def is_a(self, node: Node, allowed: Types) -> bool:
        found = self.of(node)
        return found is not None and found <= allowed

    # -- expressions ------------------------------------------------------------------------

    def _identifier(self, node: Node) -> Types | None:
        binding = self._scopes.binding(node)
        if binding is None or not binding.is_local:
            return None
        scope = binding.scope
        if scope is None or scope.is_dynamic or scope.node is not self._flow.function:
            return None
        result: Types = frozenset()
        for definition in self._flow.reaching(node):
            if definition is UNBOUND:
                continue
            found = self._stores.get(id(definition), frozenset())
            if found is None:
                return None
            result |= found
        return result

    def _binary(self, node: Node) -> Types | None:
        return self._combine(node.operator, self.of(node["left"]), self.of(node["right"]), node)

    def _combine(self, operator: str, a: Types | None, b: Types | None, node: Node) -> Types | None:
        if a is None or b is None:
            return None
        if not a or not b:
            return frozenset()
        if a <= NUMBERS and b <= NUMBERS:
            if operator == "/":
                return frozenset({"float"})
            if operator == "**":
                exponent = node["right"].unparenthesized
                if exponent.kind == "integer" and exponent.text[-1] not in "jJ":
                    return a - {"bool"} | ({"int"} if "bool" in a else frozenset())
                return frozenset({"int", "float", "complex"})
            if operator in ("&", "|", "^"):
                if a == b == {"bool"}:
                    return frozenset({"bool"})
                return frozenset({"int", "bool"}) if "bool" in a & b else frozenset({"int"})
            if a <= INTEGERS and b <= INTEGERS:
                return frozenset({"int"})
            if "float" in a and a <= {"float"} or b <= {"float"}:
                return frozenset({"float"})
            return frozenset({"int", "float"})
        if operator == "+" and a == b and len(a) == 1 and a <= {"str", "bytes", "tuple", "list"}:
            return a
        if operator == "*" and a <= {"str", "bytes", "tuple", "list"} and b <= INTEGERS:
            return a
        if operator == "%" and a == {"str"}:
            return a
        return None

    def _unary(self, node: Node) -> Types | None:
        found = self.of(node["argument"])
        if found is None or not found <= NUMBERS:
            return found if found == frozenset({"complex"}) and node.operator != "~" else None
        return frozenset("int" if t == "bool" else t for t in found)

    def _comparison(self, node: Node) -> Types | None:
        operators = {c.text for c in node.fields("operators")}
        operators = {" ".join(o.split()) for o in operators}
        if operators <= {"is", "is not", "in", "not in"}:
            return frozenset({"bool"})
        if all(
            (t := self.of(o)) is not None and t <= SCALARS
            for o in node.operands
            if o.field != "operators"
        ):
            return frozenset({"bool"})
        return None

    def _boolean(self, node: Node) -> Types | None:
        return _join(self.of(node["left"]), self.of(node["right"]))

    def _conditional(self, node: Node) -> Types | None:
        yes, _, no = node.operands
        return _join(self.of(yes), self.of(no))

    def _walrus(self, node: Node) -> Types | None:
        return self.of(node["value"])

    def _chained(self, node: Node) -> Types | None:
        """`a = b = value`: what is assigned to the right of an assignment."""
        right = node.child("right")
        return self.of(right) if right is not None else None

    def _call(self, node: Node) -> Types | None:
        path = self._environment.path_of(self._unit, node["function"])
        if path is None or not path.startswith("builtins."):
            return None
        name = path.removeprefix("builtins.")
        arguments = node["arguments"]
        given = arguments.operands if arguments.kind == "argument_list" else []
        plain = all(
            a.kind not in ("list_splat", "dictionary_splat", "keyword_argument") for a in given
        )
        if name in _RESULTS:
            # Constructors return exactly their type when they are called by their own name.
            return frozenset({_RESULTS[name]})
        if name in _RESULTS_ON_SCALARS and plain and all(self.is_a(a, SCALARS) for a in given):
            return frozenset({_RESULTS_ON_SCALARS[name]})
        if name == "abs" and len(given) == 1 and plain:
            found = self.of(given[0])
            if found is not None and found <= NUMBERS:
                return frozenset("int" if t == "bool" else t for t in found)
        if name in ("min", "max") and len(given) > 1 and plain:
            result: Types | None = frozenset()
            for a in given:
                result = _join(result, self.of(a))
            return result
        return None

    def _subscript(self, node: Node) -> Types | None:
        found = self.of(node["value"])
        if found is not None and found <= {"str"}:
            return found
        return None

    # -- definitions ------------------------------------------------------------------------

    def _solve(self) -> None:
        stores = [s for p in self._flow.points for s in p.stores]
        if self._flow.function.kind == "function_definition":
            for binding in self._scopes.scope_for(self._flow.function).names.values():
                for s in binding.stores:
                    if self._flow._is_parameter(s):
                        self._stores[id(s)] = self._parameter(s)
        for _ in range(8):
            changed = False
            for s in stores:
                old = self._stores.get(id(s), frozenset())
                new = _join(old, self._stored(s))
                if new != old:
                    self._stores[id(s)] = new
                    changed = True
            if not changed:
                return
        for s in stores:
            self._stores[id(s)] = None

    def _parameter(self, store: Node) -> Types | None:
        parent = store.parent
        if parent is not None and parent.kind == "list_splat_pattern":
            return frozenset({"tuple"})
        if parent is not None and parent.kind == "dictionary_splat_pattern":
            return frozenset({"dict"})
        return None

    def _stored(self, store: Node) -> Types | None:
        parent = store.parent
        if parent is None:
            return None
        if parent.kind == "assignment" and store.field == "left":
            right = parent.child("right")
            return self.of(right) if right is not None else frozenset()
        if parent.kind == "augmented_assignment":
            return self._combine(
                parent.operator.rstrip("=") or parent.operator,
                self._identifier(store), self.of(parent["right"]), parent,
            )  # fmt: skip
        if parent.kind == "named_expression":
            return self.of(parent["value"])
        if parent.kind == "for_statement" and store.field == "left":
            return self._element(parent["right"])
        if parent.kind in ("function_definition",) and store.field == "name":
            return (
                frozenset({"function"})
                if parent.parent is None or parent.parent.kind != "decorated_definition"
                else None
            )
        if parent.kind in ("pattern_list", "tuple_pattern"):
            return self._unpacked(store, parent)
        return None

    def _element(self, iterable: Node) -> Types | None:
        if self._environment.is_builtin_call(self._unit, iterable.unparenthesized, "range"):
            return frozenset({"int"})
        found = self.of(iterable)
        if found is not None and found <= {"str"}:
            return frozenset({"str"})
        return None

    def _unpacked(self, store: Node, pattern: Node) -> Types | None:
        holder = pattern.parent
        if holder is None:
            return None
        position = pattern.operands.index(store)
        if holder.kind == "assignment" and pattern.field == "left":
            right = holder["right"].unparenthesized
            if right.kind in ("expression_list", "tuple"):
                values = right.operands
                splats = any(v.kind == "list_splat" for v in values) or any(
                    t.kind == "list_splat_pattern" for t in pattern.operands
                )
                if not splats and len(values) == len(pattern.operands):
                    return self.of(values[position])
        if holder.kind == "for_statement" and position == 0:
            if self._environment.is_builtin_call(self._unit, holder["right"], "enumerate"):
                arguments = holder["right"]["arguments"].operands
                return frozenset({"int"}) if len(arguments) == 1 else None
        return None


def _join(a: Types | None, b: Types | None) -> Types | None:
    return None if a is None or b is None else a | b


_HANDLERS = {
    "identifier": TypeFacts._identifier,
    "binary_operator": TypeFacts._binary,
    "unary_operator": TypeFacts._unary,
    "comparison_operator": TypeFacts._comparison,
    "boolean_operator": TypeFacts._boolean,
    "conditional_expression": TypeFacts._conditional,
    "named_expression": TypeFacts._walrus,
    "assignment": TypeFacts._chained,
    "call": TypeFacts._call,
    "subscript": TypeFacts._subscript,
}


def type_facts(unit: Unit, environment: Environment, function: Node) -> TypeFacts:
    """Types in a function of the unit (a `function_definition`, or a statement's root)."""
    return unit.fact(
        ("types", id(function), environment.key),
        lambda: TypeFacts(unit, environment, flow(unit, function)),
    )
