"""Expressions to values: names, constants, attributes, operators, subscripts; what a nested
scope may see; and what code that is not understood may do."""

from __future__ import annotations

import ast
import operator
from typing import Any

from semrep.ir.dialects.bind import NONE, SCALAR, SEQUENCE, TENSOR, UNKNOWN, Bound, bind
from semrep.ir.dialects.catalogue import dtype_of_path, op_named
from semrep.ir.dialects.catalogue import method as array_method
from semrep.ir.dialects.op import Op, Purity
from semrep.ir.dialects.operators import (
    BINARY,
    COMPARISON,
    ROUNDS_DIFFERENTLY_IN_TRITON,
    UNARY,
)
from semrep.ir.environment import Environment as ModuleNames
from semrep.ir.scopes import COMPREHENSIONS, scopes
from semrep.ir.signature import LayerType, ScalarType, Signature, TensorType
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.ir.value_canonical import canonical
from semrep.ir.value_state import EXTERNAL, Fresh, State
from semrep.ir.value_types import boundary_type, constant_of, infer, scalar_type
from semrep.ir.values import (
    ATTRIBUTE,
    CONSTANT,
    OP,
    OPAQUE,
    PARAMETER,
    TUPLE,
    Binding,
    Use,
    Value,
    ValueGraph,
    is_number,
)

FRAMEWORKS = ("torch", "numpy", "jax", "triton")
_ESCAPES = frozenset({"returned", "stored", "captured", "passed"})
_CALLING = frozenset({"call", "await", "yield", "named_expression"})
_FOLDS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b, "floor_divide": lambda a, b: a // b, "remainder": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
}  # fmt: skip


_COMPARES = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def _is_cheap(name: str, left: object, right: object) -> bool:
    """Whether constants may be computed with: `2**10**9` takes longer than all else."""
    for number in (left, right):
        if isinstance(number, int) and number.bit_length() > 64:
            return False
    if name == "pow":
        return not isinstance(right, int) or abs(right) <= 64
    return name != "mul" or all(isinstance(v, (int, float)) for v in (left, right))


class Evaluator:
    """Evaluates expressions against `state`; `recording` is off while a loop's effects are
    only being found out. signature: of this function; whole: of the entry, which knows what its
    other functions gave."""

    def __init__(
        self,
        names: ModuleNames,
        unit: Unit,
        signature: Signature | None,
        whole: Signature | None = None,
    ) -> None:
        self.module_names = names
        self.unit = unit
        self.signature = signature
        self.whole = whole
        self.scopes = scopes(unit)
        self.graph = ValueGraph(unit, signature)
        self.state = State()
        self.recording = True
        self.statement: Node | None = None
        self.region: tuple[int, ...] = ()
        self.next_storage = 1
        self.changes: set[str] = set()  # names and paths written, for loops
        self.mutations = 0
        self.receiver = ""  # the name of the first parameter of a method
        arrays = [f for f in FRAMEWORKS if f in names.libraries]
        self.default_framework = arrays[0] if len(arrays) == 1 else None
        if "triton" in arrays and self._is_kernel():
            self.default_framework = "triton"

    def _is_kernel(self) -> bool:
        root = self.unit.root
        if root.kind != "decorated_definition":
            return False
        return any("jit" in c.text for c in root.children if c.kind == "decorator")

    # -- making values ----------------------------------------------------------------------

    def new_storage(self) -> frozenset[int]:
        self.next_storage += 1
        return frozenset({self.next_storage})

    def add(self, value: Value, node: Node | None) -> Value:
        value.node, value.statement, value.region = node, self.statement, self.region
        if self.recording:
            self.graph.values.append(value)
            if value.kind == OP:
                self.graph._by_op.setdefault(value.op_name, []).append(value)
            for argument in value.arguments.values():
                argument.uses.append(Use("operand", value, node))
        return value

    def use(self, value: Value, how: str, node: Node | None) -> None:
        if self.recording:
            value.uses.append(Use(how, None, node))
            if how in _ESCAPES:
                self.graph.escaped |= value.storage

    def constant(self, constant: Any, node: Node | None = None) -> Value:
        return self.add(Value(CONSTANT, constant=constant, type=scalar_type(constant)), node)

    def tuple_of(self, items: list[Value], node: Node | None) -> Value:
        storage: frozenset[int] = frozenset().union(*(v.storage for v in items))
        value = Value(TUPLE, arguments={str(n): v for n, v in enumerate(items)}, storage=storage)
        if all(v.is_constant and v.op_name != "slice" for v in items):
            value.constant = tuple(v.constant for v in items)
        return self.add(value, node)

    def opaque(
        self,
        label: str,
        operands: list[Value],
        node: Node | None,
        storage: frozenset[int] | None = None,
    ) -> Value:
        """A value of which nothing is known but what it may share storage with."""
        for operand in operands:
            self.use(operand, "passed", node)
        if storage is None:
            storage = self.new_storage().union(*(v.storage for v in operands))
        return self.add(Value(OPAQUE, label=label, storage=storage, is_pure=False), node)

    def run_unknown(self, operands: list[Value], node: Node, label: str) -> Value:
        """Code that may do anything to what it can reach."""
        reached = self.state.leaked.union(*(v.storage for v in operands))
        self.state.leaked = reached
        self.mutate(reached, Fresh(False, f"may be changed by {label}"))
        self.state.forget_attributes()
        self.changes.add("*")
        return self.opaque(f"result of {label}", operands, node, reached | self.new_storage())

    def mutate(self, storages: frozenset[int], fresh: Fresh, keep: str | None = None) -> None:
        self.mutations += 1
        if self.recording:
            self.graph.mutated |= storages
        self.changes.update(self.state.mutate(storages, fresh, keep))

    def apply(
        self,
        op: Op,
        arguments: dict[str, Value],
        node: Node | None,
        framework: str | None,
        by_function: bool = False,
        in_place: bool = False,
    ) -> Value:
        """An operation as a value: canonical form, type, purity, storage."""
        op, arguments = canonical(op, arguments, self.constant)
        ordered = {p.name: arguments[p.name] for p in op.parameters}
        found = infer(op, ordered) if self.signature is not None else None
        value = Value(OP, op=op, arguments=ordered, framework=framework)
        purity = _purity(op, ordered)
        self._set_type(value, found)
        operands = [v for v in ordered.values() if not v.is_constant]
        arrays = any(v.is_array for v in operands)
        value.is_array = value.tensor is not None or (
            found is None and (by_function or arrays) and op.cost != "free" and op.results == 1
        )
        value.is_pure = purity.is_pure and not in_place
        value.is_in_place = in_place
        if purity.kind in ("view", "may-alias") and purity.argument in ordered:
            shared = ordered[purity.argument].storage
            value.storage = shared if purity.kind == "view" else shared | self.new_storage()
        elif in_place:
            value.storage = ordered[op.parameters[0].name].storage
        else:
            value.storage = self.new_storage()
        return self.add(value, node)

    def _set_type(self, value: Value, found: Any) -> None:
        if found is None:
            return
        if isinstance(found, TensorType):
            value.type, value.framework = found, found.framework
        elif isinstance(found, tuple) and any(isinstance(t, TensorType) for t in found):
            value.type = found
        else:
            value.constant = found
            value.type = scalar_type(found)

    # -- expressions ------------------------------------------------------------------------

    def evaluate(self, node: Node) -> Value:
        node = node.unparenthesized
        handler = _EXPRESSIONS.get(node.kind)
        value = handler(self, node) if handler is not None else self.other(node)
        if self.recording:
            self.graph._of_node[id(node)] = value
        return value

    def other(self, node: Node) -> Value:
        """An expression that is not followed: its parts are evaluated, the result is opaque."""
        parts = [self.evaluate(c) for c in node.operands if c.kind not in ("type", "lambda")]
        return self.opaque(node.kind, parts, node)

    def identifier(self, node: Node) -> Value:
        name = node.text
        binding = self.scopes.binding(node)
        if binding is None or binding.is_global:
            path = self.module_names.path_of(self.unit, node)
            return self.global_value(name, path, node)
        found = self.state.names.get(name)
        if found is None or binding.scope is None or binding.scope.node is not self.function_node:
            # A name of an enclosing or nested scope, or not assigned on the way here.
            return self.opaque(f"variable {name}", [], node, frozenset({EXTERNAL}))
        if self.recording:
            self.graph._loads[id(node)] = found
            for definition in found.definitions:
                definition.loads.append(node)
        if self._is_rebound_elsewhere(binding):
            return self.opaque(f"variable {name}", [], node, found.value.storage | {EXTERNAL})
        return found.value

    function_node: Node

    def _is_rebound_elsewhere(self, binding: Any) -> bool:
        """A nested function may assign the name whenever it is called."""
        if not binding.is_captured:
            return False
        return any(self.scopes.scope_of(s) is not binding.scope for s in binding.stores) and any(
            self.scopes.function_of(s) is not self.function_node for s in binding.stores
        )

    def global_value(self, name: str, path: str | None, node: Node) -> Value:
        if path is not None and (dtype := dtype_of_path(path)) is not None:
            return self.add(Value(CONSTANT, constant=dtype), node)
        known = self.state.attributes.get(name)
        if known is None:
            type_ = boundary_type(self.signature, name)
            known = Value(
                ATTRIBUTE, label=name, type=type_, constant=constant_of(type_),
                storage=frozenset({EXTERNAL}), framework=_framework(type_),
                is_array=isinstance(type_, TensorType),
            )  # fmt: skip
            self.add(known, None)
            found = self.module_names.names.get(name)
            if found is not None and found.is_stable:
                self.state.attributes[name] = known
        return known

    def literal(self, node: Node) -> Value:
        try:
            return self.constant(ast.literal_eval(node.text), node)
        except (ValueError, SyntaxError):
            return self.other(node)

    def string(self, node: Node) -> Value:
        if any(True for _ in node.find("interpolation")):
            parts = [self.evaluate(c) for i in node.find("interpolation") for c in i.operands[:1]]
            return self.opaque("f-string", parts, node, frozenset())
        return self.literal(node)

    def sequence(self, node: Node) -> Value:
        items = [self.evaluate(c) for c in node.operands]
        if any(c.kind == "list_splat" for c in node.operands):
            return self.opaque("sequence", items, node)
        return self.tuple_of(items, node)

    def list_(self, node: Node) -> Value:
        # A list is mutable: as a literal argument it reads like a tuple, held by a name it
        # is opaque (see `assign`).
        return self.sequence(node)

    def attribute(self, node: Node) -> Value:
        path = self.module_names.path_of(self.unit, node)
        if path is not None:
            if (dtype := dtype_of_path(path)) is not None:
                return self.add(Value(CONSTANT, constant=dtype), node)
            if path in ("math.pi", "math.inf", "math.e", "math.nan") or path in (
                "numpy.pi", "torch.pi", "numpy.inf", "torch.inf", "jax.numpy.inf", "numpy.nan",
            ):  # fmt: skip
                import math

                return self.constant(getattr(math, path.rpartition(".")[2]), node)
            return self.opaque(path, [], node, frozenset({EXTERNAL}))
        owner = self.evaluate(node["object"])
        name = node["attribute"].text
        if self._may_be_array(owner):
            framework = owner.framework or self.default_framework
            spellings = array_method(framework, name) if framework is not None else ()
            if spellings and spellings[0].form == "property":
                bound = bind(spellings, owner, [], {}, self.kind_of)
                if bound is not None:
                    return self.apply_bound(bound, node, framework)
        if owner.kind in (PARAMETER, ATTRIBUTE):
            return self.attribute_path(owner, name, node)
        if (
            owner.kind == OP
            and owner.op is not None
            and owner.op.results > 1
            and name in ("values", "indices")
        ):
            index = self.constant(0 if name == "values" else 1)
            return self.apply(
                op_named("getitem"), {"input": owner, "index": index}, node, owner.framework
            )
        self.use(owner, "operand", node)
        return self.opaque(f"attribute {name}", [], node, owner.storage | {EXTERNAL})

    def attribute_path(self, owner: Value, name: str, node: Node | None) -> Value:
        path = f"{owner.label}.{name}"
        known = self.state.attributes.get(path)
        if known is None:
            type_ = None if self.state.stale else boundary_type(self.signature, path)
            known = Value(
                ATTRIBUTE, label=path, type=type_, constant=constant_of(type_),
                storage=frozenset({EXTERNAL}) | owner.storage, framework=_framework(type_),
                is_array=isinstance(type_, TensorType),
            )  # fmt: skip
            self.add(known, None)
            self.state.attributes[path] = known
        return known

    def _may_be_array(self, value: Value) -> bool:
        if value.is_array:
            return True
        if value.type is not None or value.is_constant or value.kind == TUPLE:
            return False
        return not (value.kind == PARAMETER and value.label == self.receiver)

    def kind_of(self, value: Value) -> str:
        if value.is_array:
            return TENSOR
        if value.is_constant:
            if value.constant is None:
                return NONE
            if isinstance(value.constant, (tuple, list)):
                return SEQUENCE
            return SCALAR
        if isinstance(value.type, ScalarType):
            return SCALAR
        return SEQUENCE if value.kind == TUPLE else UNKNOWN

    def binary(self, node: Node) -> Value:
        left, right = self.evaluate(node["left"]), self.evaluate(node["right"])
        return self.operate(node.operator, left, right, node)

    def operate(self, token: str, left: Value, right: Value, node: Node) -> Value:
        name = BINARY.get(token)
        framework = left.framework or right.framework or self.default_framework
        if name is None or framework == "triton" and token in ROUNDS_DIFFERENTLY_IN_TRITON:
            return self.opaque(token, [left, right], node)
        if is_number(left) and is_number(right):
            return self.scalar_operation(name, left, right, node)
        if left.kind == TUPLE or right.kind == TUPLE or _is_text(left) or _is_text(right):
            return self.opaque(token, [left, right], node)
        op = op_named(name)
        arguments = dict(zip((p.name for p in op.operands), (left, right), strict=True))
        for parameter in op.attributes:
            arguments[parameter.name] = self.constant(parameter.default)
        return self.apply(op, arguments, node, framework)

    def scalar_operation(self, name: str, left: Value, right: Value, node: Node) -> Value:
        value = self.opaque(name, [left, right], node, frozenset())
        value.is_pure = True
        if left.is_constant and right.is_constant and name in _FOLDS:
            if not _is_cheap(name, left.constant, right.constant):
                return value
            try:
                value.constant = _FOLDS[name](left.constant, right.constant)
            except (ArithmeticError, TypeError, ValueError):
                return value
            value.type = scalar_type(value.constant)
        elif name in ("add", "sub", "mul"):
            kinds = {getattr(v.type, "name", "") for v in (left, right)}
            if kinds <= {"int", "float"}:
                value.type = ScalarType("float" if "float" in kinds else "int")
        return value

    def unary(self, node: Node) -> Value:
        operand = self.evaluate(node["argument"])
        token = node.operator
        if isinstance(operand.constant, (int, float)) and token in "-+":
            folded = -operand.constant if token == "-" else +operand.constant
            if operand.kind == CONSTANT:
                return self.constant(folded, node)
            value = self.opaque(token, [operand], node, frozenset())
            value.constant, value.type, value.is_pure = folded, scalar_type(folded), True
            return value
        if token in UNARY and not is_number(operand):
            op = op_named(UNARY[token])
            return self.apply(
                op, {"input": operand}, node, operand.framework or self.default_framework
            )
        return self.opaque(token, [operand], node)

    def comparison(self, node: Node) -> Value:
        operands = [
            c for c in node.children if c.named and c.field != "operators" and c.kind != "comment"
        ]
        values = [self.evaluate(c) for c in operands]
        tokens = [" ".join(c.text.split()) for c in node.fields("operators")]
        if len(values) == 2 and len(tokens) == 1 and tokens[0] in COMPARISON:
            if not any(is_number(v) or v.is_constant or v.kind == TUPLE for v in values[:1]):
                op = op_named(COMPARISON[tokens[0]])
                framework = values[0].framework or self.default_framework
                return self.apply(
                    op, dict(zip(("input", "other"), values, strict=True)), node, framework
                )
        value = self.opaque("comparison", values, node, frozenset())
        if len(values) == 2 and len(tokens) == 1 and tokens[0] in _COMPARES:
            left, right = values
            if is_number(left) and is_number(right) and left.is_constant and right.is_constant:
                value.constant = _COMPARES[tokens[0]](left.constant, right.constant)
                value.type, value.is_pure = ScalarType("bool", repr(value.constant)), True
        return value

    def branching(self, node: Node) -> Value:
        """`a and b`, `a if c else b`: only some operands are evaluated."""
        first = node.operands[1] if node.kind == "conditional_expression" else node.operands[0]
        values = [self.evaluate(first)]
        before = self.state.copy()
        ends = [before]
        for part in node.operands:
            if part is not first:
                self.state = before.copy()
                outer, self.region = self.region, (*self.region, part.start)
                values.append(self.evaluate(part))
                self.region = outer
                ends.append(self.state)
        from semrep.ir.value_state import join

        self.state = join(ends)
        return self.opaque("depends on a condition", values, node)

    def walrus(self, node: Node) -> Value:
        value = self.evaluate(node["value"])
        self.mutations += 1  # names change in the middle of a statement
        self.bind_name(node["name"], value, None)
        return value

    def bind_name(self, target: Node, value: Value, definition: Any) -> None:
        self.changes.add(target.text)
        self.state.assign(target.text, value, definition)

    def subscript(self, node: Node) -> Value:
        base = self.evaluate(node["value"])
        indices = [self.index(c) for c in node.fields("subscript")]
        if any(i is None for i in indices):
            parts = [self.evaluate(p) for c in node.fields("subscript") for p in c.operands]
            return self.opaque("subscript", [base, *parts], node)
        items = [i for i in indices if i is not None]
        comma = any(c.kind == "," for c in node.children)
        index = self.tuple_of(items, None) if len(items) > 1 or comma else items[0]
        if base.kind == TUPLE and isinstance(index.constant, int):
            elements = base.elements
            if -len(elements) <= index.constant < len(elements):
                return elements[index.constant]
        if (
            base.type is not None
            and isinstance(base.type, (LayerType, ScalarType))
            and not base.is_constant
        ):
            return self.opaque("subscript", [base, index], node)
        framework = base.framework or self.default_framework
        return self.apply(op_named("getitem"), {"input": base, "index": index}, node, framework)

    def index(self, node: Node) -> Value | None:
        if node.kind == "slice":
            parts: list[Any] = [None]
            for c in node.children:
                if c.kind == ":":
                    parts.append(None)
                elif c.named and c.kind != "comment":
                    value = self.evaluate(c)
                    if not value.is_constant:
                        return None
                    parts[-1] = value
            parts += [None] * (3 - len(parts))
            bounds = [p.constant if isinstance(p, Value) else None for p in parts]
            if all(p is None or p.kind == CONSTANT for p in parts):
                return self.constant(slice(*bounds))
            # The facts fix the bounds, not the text: an operation, never a literal.
            arguments = {
                name: p if p is not None else self.constant(None)
                for name, p in zip(("start", "stop", "step"), parts, strict=True)
            }
            op = op_named("slice")
            return self.add(Value(OP, op=op, arguments=arguments, constant=slice(*bounds)), node)
        if node.kind == "ellipsis":
            return self.constant(Ellipsis)
        return self.evaluate(node)

    def nested(self, node: Node) -> Value:
        """A comprehension or lambda: whatever it loads, it may keep or change."""
        captured: list[Value] = []
        names: set[str] = set()
        for identifier in node.find("identifier"):
            binding = self.scopes.binding(identifier)
            if binding is None or binding.is_global or id(identifier) in self.scopes_stores:
                continue
            found: Binding | None = self.state.names.get(binding.name)
            if (
                found is None
                or binding.scope is None
                or binding.scope.node is not self.function_node
            ):
                continue
            if self.recording:
                for definition in found.definitions:
                    definition.loads.append(identifier)
                    definition.is_pinned = True
            if binding.name not in names:
                names.add(binding.name)
                captured.append(found.value)
                self.use(found.value, "captured", identifier)
        if any(n.kind in _CALLING for n in node.walk()) or node.kind in (
            "lambda",
            "function_definition",
        ):
            if node.kind in COMPREHENSIONS:
                return self.run_unknown(captured, node, "a comprehension")
            self.state.leaked = self.state.leaked.union(*(v.storage for v in captured))
        return self.opaque(node.kind, captured, node)

    scopes_stores: frozenset[int] = frozenset()

    def suspended(self, node: Node) -> Value:
        parts = [self.evaluate(c) for c in node.operands]
        return self.run_unknown(parts, node, node.kind)

    def call(self, node: Node) -> Value:
        from semrep.ir.value_calls import evaluate_call

        return evaluate_call(self, node)

    def apply_bound(self, bound: Bound[Value], node: Node, framework: str | None) -> Value:
        from semrep.ir.value_calls import apply_bound

        return apply_bound(self, bound, node, framework)


def _purity(op: Op, arguments: dict[str, Value]) -> Purity:
    if op.name.startswith("dropout"):
        training, p = arguments["training"], arguments["p"]
        if training.constant is False or (p.is_constant and p.constant == 0):
            return Purity("may-alias", "input")
    if op.name == "scaled_dot_product_attention":
        dropout = arguments["dropout_p"]
        if not (dropout.is_constant and dropout.constant == 0):
            return Purity("random")
    if op.name in ("batch_norm", "instance_norm"):
        mean = arguments["running_mean"]
        flag = arguments["training" if op.name == "batch_norm" else "use_input_stats"]
        if not (mean.is_constant and mean.constant is None) and flag.constant is not False:
            return Purity("effect")
    return op.purity


def _framework(type_: Any) -> str | None:
    return type_.framework if isinstance(type_, TensorType) else None


def _is_text(value: Value) -> bool:
    return isinstance(value.constant, (str, list, tuple, dict)) and value.is_constant


_EXPRESSIONS = {
    "identifier": Evaluator.identifier,
    "attribute": Evaluator.attribute,
    "call": Evaluator.call,
    "integer": Evaluator.literal,
    "float": Evaluator.literal,
    "true": Evaluator.literal,
    "false": Evaluator.literal,
    "none": Evaluator.literal,
    "string": Evaluator.string,
    "concatenated_string": Evaluator.string,
    "tuple": Evaluator.sequence,
    "expression_list": Evaluator.sequence,
    "list": Evaluator.list_,
    "binary_operator": Evaluator.binary,
    "unary_operator": Evaluator.unary,
    "comparison_operator": Evaluator.comparison,
    "boolean_operator": Evaluator.branching,
    "conditional_expression": Evaluator.branching,
    "named_expression": Evaluator.walrus,
    "subscript": Evaluator.subscript,
    "lambda": Evaluator.nested,
    "await": Evaluator.suspended,
    "yield": Evaluator.suspended,
    **dict.fromkeys(COMPREHENSIONS, Evaluator.nested),
}
