"""Code that jax may trace: expressions and functions that do nothing but compute jax arrays.

Everything that is not known to be such code is refused, so that what comes through may be run
once for all elements, or once for a whole loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from semrep.ir.effects import Facts
from semrep.ir.effects import facts as facts_of
from semrep.ir.flow import UNBOUND
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.signature import ScalarType, Signature, TensorType
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, STATEMENT, Unit
from semrep.passes.array.counted import Unproven
from semrep.passes.array.traced_calls import literal, matmul, method, power, result
from semrep.passes.array.traced_types import (
    DTYPES,
    Defaults,
    Items,
    Mistyped,
    Number,
    Traced,
    Value,
    Word,
)  # fmt: skip
from semrep.passes.scalar.literals import NotLiteral, value_of

_DEEPEST = 4
_FLIPPED = frozenset({"<", ">", "<=", ">=", "==", "!="})


@dataclass(slots=True)
class Tracing:
    """The types of the values in one function, or in one call of it.

    known: of variables that are looked at in one iteration or call. stored: variables of a
    loop's body, which have no type before the body gives them one. counters: variables that
    only take rows of arrays. hides_numbers: Python's
    numbers become arrays where this code is traced. sees_around: the code is that of the
    observed function, whose other variables can be followed to what they were computed from.
    """

    module: Module
    unit: Unit
    facts: Facts
    defaults: Defaults
    signature: Signature | None = None
    known: dict[Binding, Value] = field(default_factory=dict)
    stored: frozenset[Binding] = frozenset()
    counters: frozenset[Binding] = frozenset()
    hides_numbers: bool = False
    sees_around: bool = True
    depth: int = 0
    following: set[int] = field(default_factory=set)

    def of(self, node: Node) -> Value:
        """The type of an expression's value. Raises Unproven."""
        node = node.unparenthesized
        try:
            found = self._of(node)
        except Mistyped as error:
            raise Unproven("unknown-operation", str(error), node) from error
        if self.hides_numbers and isinstance(found, Number) and not is_literal(node):
            return Number(found.kind)
        return found

    def array(self, node: Node) -> Traced:
        """The type of an expression that gives a jax array. Raises Unproven."""
        found = self.of(node)
        if not isinstance(found, Traced):
            raise Unproven("unknown-type", "this is no jax array", node)
        return found

    def _of(self, node: Node) -> Value:
        constant = value_of(node)
        if isinstance(constant, str):
            return Word(constant)
        if isinstance(constant, (bool, int, float)):
            return Number(type(constant).__name__, constant)
        if node.kind == "identifier":
            return self._name(node)
        if node.kind in ("tuple", "list", "expression_list"):
            return Items(tuple(self.of(o) for o in node.operands))
        if node.kind == "attribute":
            return self._attribute(node)
        if node.kind == "subscript":
            return self._subscript(node)
        if node.kind == "unary_operator":
            found = self.of(node["argument"])
            if isinstance(found, Number) and node.operator in "+-" and found.kind != "bool":
                return _computed(node.operator, Number("int", 0), found)
            if isinstance(found, Traced) and (node.operator == "~") == (found.dtype == "bool"):
                return found
            raise Mistyped("what this gives is not known")
        if node.kind == "binary_operator":
            return self.binary(node.operator, self.of(node["left"]), self.of(node["right"]))
        if node.kind == "comparison_operator":
            values = [self.of(o) for o in node.operands if o.field != "operators"]
            operators = [o.text for o in node.fields("operators")]
            if len(values) != 2 or not set(operators) <= _FLIPPED:
                raise Mistyped("this asks for the truth of an array")
            if all(isinstance(v, Number) for v in values):
                raise Mistyped("what this gives is not known")
            return Traced("bool", self.defaults.joined(values).shape)
        if node.kind == "call":
            return self._call(node)
        raise Mistyped("this may do more than give an array")

    def binary(self, operator: str, left: Value, right: Value) -> Value:
        """Raises Mistyped."""
        if isinstance(left, Number) and isinstance(right, Number):
            return _computed(operator, left, right)
        if operator == "@":
            return matmul(self.defaults, left, right)
        if operator == "**":
            return power(self.defaults, left, right)
        found = self.defaults.joined([left, right])
        if operator in "&|^" and {self.defaults.array(v).dtype for v in (left, right)} == {"bool"}:
            return found
        if operator in "+-*" and found.dtype != "bool" or operator == "/" and found.is_float:
            return found
        raise Mistyped("what this gives is not known")

    def _name(self, node: Node) -> Value:
        binding = self.facts.scopes.binding(node)
        if binding is None:
            raise Mistyped("what this stands for is not known")
        if binding in self.known:
            return self.known[binding]
        if binding in self.stored:
            raise Unproven("carried", "this comes from another iteration", node)
        if binding.is_global:
            return self._global(binding.name)
        if binding.scope is None or binding.scope.is_dynamic or binding.deletes:
            raise Mistyped("what this stands for is not known")
        if not self.sees_around:
            raise Mistyped("what this stands for is not known")
        stores = binding.stores
        if len(stores) > 1:
            reach = self.facts.flow.reaching(node)
            if binding.is_captured or not reach or UNBOUND in reach:
                raise Mistyped("what this stands for is not known")
            stores = [s for s in reach if isinstance(s, Node)]
        return self.defined(stores)

    def defined(self, stores: list[Node]) -> Value:
        """The type that all of some definitions give. Raises Mistyped or Unproven."""
        if any(id(s) in self.following for s in stores):
            raise Mistyped("this is computed from itself")
        self.following.update(map(id, stores))
        try:
            found = {self._stored(s) for s in stores}
        finally:
            self.following.difference_update(map(id, stores))
        if len(found) != 1:
            raise Mistyped("the type of this is not known")
        return found.pop()

    def _stored(self, store: Node) -> Value:
        parent = store.parent
        if parent is not None and parent.kind == "assignment" and store.field == "left":
            right = parent.child("right")
            if right is not None and right.kind != "assignment":
                return self.of(right)
        if parent is not None and parent.kind == "pattern_list":
            holder = parent.parent
            if holder is not None and holder.kind == "assignment":
                found = self.of(holder["right"])
                if isinstance(found, Items) and len(found.items) == len(parent.operands):
                    return found.items[parent.operands.index(store)]
        if parent is not None and parent.kind in ("for_statement", "for_in_clause"):
            right = parent["right"].unparenthesized
            if self.facts.environment.is_builtin_call(self.unit, right, "range"):
                return Number("int")
            rows = self.of(right)
            if store.field == "left" and isinstance(rows, Traced) and rows.rank:
                return replace(rows, shape=rows.shape[1:])
        binding = self.facts.scopes.binding(store)
        is_own = binding is not None and binding.scope is not None
        if is_own and binding.scope.node is self.facts.function and binding.is_parameter:  # type: ignore[union-attr]
            return self._observed(store.text)
        raise Mistyped("the type of this is not known")

    def _observed(self, name: str) -> Value:
        seen = self.signature.of(name) if self.signature is not None else None
        if isinstance(seen, TensorType) and seen.framework == "jax" and seen.dtype in DTYPES:
            return Traced(seen.dtype, seen.shape)
        if isinstance(seen, ScalarType) and seen.name in ("int", "float"):
            return Number(seen.name)
        raise Mistyped("the type of this is not known")

    def _global(self, name: str) -> Value:
        found = self.module.environment.names.get(name)
        if found is not None and found.is_stable and found.kind == "value":
            for placed in self.module.units:
                root = placed.unit.root
                if placed.unit.kind != STATEMENT or root.kind != "expression_statement":
                    continue
                first = root.operands[0]
                if first.kind == "assignment" and first["left"].text == name:
                    right = first.child("right")
                    constant = value_of(right) if right is not None else None
                    if type(constant) in (int, float):
                        return Number(type(constant).__name__, constant)  # type: ignore[arg-type]
        raise Mistyped("what this stands for is not known")

    def _attribute(self, node: Node) -> Value:
        path = self.facts.path_of(node)
        if path is not None:
            base, _, name = path.rpartition(".")
            if base == "jax.numpy" and name in DTYPES:
                return Word(name)
            if path in ("jax.numpy.pi", "jax.numpy.e", "jax.numpy.inf", "math.pi", "math.inf"):
                return Number("float")
            raise Mistyped("what this stands for is not known")
        owner, name = self.array(node["object"]), node["attribute"].text
        if name == "shape":
            return Items(tuple(Number("int", n) for n in owner.shape))
        if name == "ndim":
            return Number("int", owner.rank)
        if name == "dtype" and not owner.weak:
            return Word(owner.dtype)
        if name == "T":
            return replace(owner, shape=owner.shape[::-1])
        raise Mistyped("what this gives is not known")

    def _subscript(self, node: Node) -> Value:
        base = self.of(node["value"])
        subscripts = node.fields("subscript")
        if isinstance(base, Items):
            place = literal(self.of(subscripts[0])) if len(subscripts) == 1 else None
            if type(place) is not int or not -len(base.items) <= place < len(base.items):
                raise Mistyped("what this gives is not known")
            return base.items[place]
        if not isinstance(base, Traced):
            raise Mistyped("what this gives is not known")
        taken = sum(s.kind not in ("none", "ellipsis") for s in subscripts)
        shape: list[int] = []
        position = 0
        if taken > base.rank or sum(s.kind == "ellipsis" for s in subscripts) > 1:
            raise Mistyped("what this gives is not known")
        for s in subscripts:
            if s.kind == "none" or self.facts.path_of(s) == "jax.numpy.newaxis":
                taken -= s.kind != "none"
                shape.append(1)
            elif s.kind == "ellipsis":
                shape += base.shape[position : position + base.rank - taken]
                position += base.rank - taken
            else:
                if s.kind == "slice":
                    shape.append(self._length(s, base.shape[position]))
                else:
                    index = self.of(s)
                    # Python's own integer: an array would be looked up where it is traced.
                    if not isinstance(index, Number) or index.kind != "int":
                        raise Mistyped("what this takes is not known")
                    is_row = self.facts.scopes.binding(s) in self.counters
                    if self.hides_numbers and index.value is None and not is_row:
                        raise Mistyped("what this takes is not a literal")
                position += 1
        return replace(base, shape=(*shape, *base.shape[position:]))

    def _length(self, node: Node, size: int) -> int:
        bounds: list[int | None] = [None, None, None]
        place = 0
        for child in node.children:
            if child.kind == ":":
                place += 1
            elif child.kind != "none":
                value = literal(self.of(child))
                if type(value) is not int:
                    raise Mistyped("this is no integer")
                bounds[place] = value
        if bounds[2] == 0:
            raise Mistyped("this step is 0")
        return len(range(*slice(*bounds).indices(size)))

    # -- calls ------------------------------------------------------------------------------

    def _call(self, node: Node) -> Value:
        function = node["function"].unparenthesized
        if function.kind == "call":
            return self._mapped(function, node)
        given, options = self.arguments(node)
        return self.called(function, given, options)

    def arguments(self, node: Node) -> tuple[list[Value], dict[str, Value]]:
        """The types of a call's arguments. Raises Mistyped or Unproven."""
        if node["arguments"].kind != "argument_list":
            raise Mistyped("this may do more than give an array")
        given: list[Value] = []
        options: dict[str, Value] = {}
        for argument in node["arguments"].operands:
            if argument.kind == "keyword_argument":
                options[argument["name"].text] = self.of(argument["value"])
            elif argument.kind in ("list_splat", "dictionary_splat"):
                raise Mistyped("these arguments are not told one by one")
            else:
                given.append(self.of(argument))
        return given, options

    def called(self, function: Node, given: list[Value], options: Mapping[str, Value]) -> Value:
        """The type of what a call of a function gives. Raises Mistyped or Unproven."""
        path = self.facts.path_of(function)
        if path is not None:
            if path == "builtins.len" and len(given) == 1 and not options:
                if isinstance(given[0], Traced) and given[0].rank:
                    return Number("int", given[0].shape[0])
            return result(self.defaults, path, given, options)
        if function.kind == "attribute":
            return method(
                self.defaults, function["attribute"].text, self.array(function["object"]), given,
                options,
            )  # fmt: skip
        if function.kind == "lambda":
            return self._applied(function, self.unit, self.facts, given, options)
        if function.kind != "identifier":
            raise Mistyped("this may do more than give an array")
        return self._function(function, given, options)

    def _function(self, name: Node, given: list[Value], options: Mapping[str, Value]) -> Value:
        binding = self.facts.scopes.binding(name)
        if binding is not None and not binding.is_global:
            if len(binding.stores) == 1 and self.sees_around and not binding.deletes:
                holder = binding.stores[0].parent
                if holder is not None and holder.kind == "assignment":
                    holder = holder.child("right")
                if holder is not None and holder.kind in ("function_definition", "lambda"):
                    return self._applied(holder, self.unit, self.facts, given, options)
            raise Mistyped("what is called here is not known")
        found = self.module.environment.names.get(name.text)
        if found is None or not found.is_stable or found.kind != "function":
            raise Mistyped("what is called here is not known")
        for placed in self.module.units:
            unit = placed.unit
            if unit.kind == FUNCTION and unit.qualified_name == name.text:
                definition = unit.definition
                assert definition is not None
                facts = facts_of(self.module, unit, definition["body"])
                return self._applied(definition, unit, facts, given, options)
        raise Mistyped("what is called here is not known")

    def _applied(
        self, function: Node, unit: Unit, facts: Facts, given: list[Value],
        options: Mapping[str, Value],
    ) -> Value:  # fmt: skip
        """What a function of the module gives. Raises Mistyped or Unproven."""
        if self.depth >= _DEEPEST:
            raise Mistyped("the calls are nested too deeply")
        is_inner = function is not unit.definition
        holder = function.parent
        if holder is not None and holder.kind == "decorated_definition":
            for decorator in holder.find("decorator"):
                if facts.path_of(decorator.operands[0]) != "jax.jit":
                    raise Mistyped("the decorator may do anything")
        if is_inner:
            # A closure sees the variables around it, with what they hold when it is called.
            inside = replace(self, known=dict(self.known), depth=self.depth + 1)
        else:
            inside = Tracing(
                self.module, unit, facts, self.defaults, sees_around=False, depth=self.depth + 1
            )
        for name, value in _bound(function, given, options):
            binding = facts.scopes.binding(name)
            if binding is None or len(binding.stores) != 1 and is_inner:
                raise Mistyped("what is called here is not understood")
            inside.known[binding] = value
        if function.kind == "lambda":
            return inside.of(function["body"])
        if not function.text.startswith("def"):
            raise Mistyped("this is run at another time")
        try:
            return inside.returned(function["body"])
        except Unproven as error:
            # The place lies in another unit, or is not what stands at the call.
            refusal = error.refusal
            raise Mistyped(f"in what is called here, {refusal.message}") from error

    def returned(self, body: Node) -> Value:
        """What a function's body gives. Raises Mistyped or Unproven."""
        statements = list(body.operands)
        if statements and _is_docstring(statements[0]):
            statements = statements[1:]
        *before, last = statements or [body]
        for statement in before:
            self.run(statement)
        if last.kind != "return_statement" or not last.operands:
            raise Unproven("unknown-statement", "this gives no value", last)
        return self.of(last.operands[0])

    def run(self, statement: Node) -> None:
        """Take note of an assignment. Raises Unproven for any other statement."""
        inner = statement.operands[0] if statement.kind == "expression_statement" else statement
        try:
            if inner.kind == "assignment" and inner.child("type") is None:
                right = inner.child("right")
                if right is not None and right.kind != "assignment":
                    self._assign(inner["left"], self.of(right))
                    return
            if inner.kind == "augmented_assignment" and inner["left"].kind == "identifier":
                before = self.of(inner["left"])
                found = self.binary(
                    inner.operator.removesuffix("="), before, self.of(inner["right"])
                )
                self._assign(inner["left"], found)
                return
        except Mistyped as error:
            raise Unproven("unknown-operation", str(error), statement) from error
        raise Unproven("unknown-statement", "this is no assignment to a variable", statement)

    def _assign(self, target: Node, value: Value) -> None:
        target = target.unparenthesized
        if target.kind in ("pattern_list", "tuple_pattern"):
            if not isinstance(value, Items) or len(value.items) != len(target.operands):
                raise Mistyped("what is taken apart here is not known")
            for one, item in zip(target.operands, value.items, strict=True):
                self._assign(one, item)
            return
        binding = self.facts.scopes.binding(target) if target.kind == "identifier" else None
        if binding is None or not binding.is_local:
            raise Mistyped("other code can see what is stored here")
        self.known[binding] = value

    def _mapped(self, vmap: Node, node: Node) -> Value:
        """The type of what `jax.vmap(…)(…)` gives."""
        if self.facts.path_of(vmap["function"]) != "jax.vmap":
            raise Mistyped("this may do more than give an array")
        function, *rest = vmap["arguments"].operands
        given, options = self.arguments(node)
        axes: tuple[Node | None, ...] = (None,) * len(given)
        if rest:
            if len(rest) != 1 or rest[0].kind != "keyword_argument":
                raise Mistyped("this call is not understood")
            value = rest[0]["value"].unparenthesized
            if rest[0]["name"].text != "in_axes" or value.kind != "tuple":
                raise Mistyped("this call is not understood")
            axes = tuple(value.operands)
        if len(axes) != len(given) or options or not given:
            raise Mistyped("this call is not understood")
        count: set[int] = set()
        rows: list[Value] = []
        for axis, one in zip(axes, given, strict=True):
            if axis is not None and axis.kind == "none":
                rows.append(one)
                continue
            if axis is not None and axis.text != "0" or not isinstance(one, Traced) or not one.rank:
                raise Mistyped("this call is not understood")
            count.add(one.shape[0])
            rows.append(replace(one, shape=one.shape[1:]))
        found = self.called(function, rows, {})
        if len(count) != 1 or not isinstance(found, Traced):
            raise Mistyped("this call is not understood")
        return replace(found, shape=(*count, *found.shape))


def _computed(operator: str, left: Number, right: Number) -> Number:
    """What Python makes of two numbers. Raises Mistyped."""
    if "bool" in (left.kind, right.kind) or operator not in ("+", "-", "*", "/", "//", "**"):
        raise Mistyped("what this gives is not known")
    kind = "float" if operator == "/" or "float" in (left.kind, right.kind) else "int"
    if operator == "**":
        kind = "float"  # of integers it is one or the other
    a, b = left.value, right.value
    if kind == "float" or not isinstance(a, int) or not isinstance(b, int):
        return Number(kind)
    if operator == "//":
        return Number(kind, a // b if b else None)
    return Number(kind, {"+": a + b, "-": a - b, "*": a * b}[operator])


def _bound(
    function: Node, given: list[Value], options: Mapping[str, Value]
) -> Iterator[tuple[Node, Value]]:
    """The parameters of a function with their types in a call. Raises Mistyped."""
    parameters = function.child("parameters")
    left, named = list(given), dict(options)
    for parameter in parameters.operands if parameters is not None else ():
        default = None
        if parameter.kind in ("default_parameter", "typed_default_parameter"):
            name, default = parameter["name"], parameter["value"]
        elif parameter.kind == "typed_parameter":
            name = parameter.operands[0]
        else:
            name = parameter
        if name.kind != "identifier":
            raise Mistyped("the parameters of what is called here are not understood")
        if left:
            yield name, left.pop(0)
        elif name.text in named:
            yield name, named.pop(name.text)
        elif default is not None and isinstance(value_of(default), (int, float)):
            constant = value_of(default)
            assert isinstance(constant, (int, float))
            yield name, Number(type(constant).__name__, constant)
        else:
            raise Mistyped("the parameters of what is called here are not understood")
    if left or named:
        raise Mistyped("the parameters of what is called here are not understood")


def is_literal(node: Node) -> bool:
    """Whether a node is one of Python's own values, written out."""
    return not isinstance(value_of(node), NotLiteral)


def _is_docstring(statement: Node) -> bool:
    return (
        statement.kind == "expression_statement"
        and len(statement.operands) == 1
        and statement.operands[0].kind == "string"
    )
