"""Statements: walks a function once and fills its value graph."""

from __future__ import annotations

from collections.abc import Iterable

from semrep.ir.dialects.catalogue import op_named
from semrep.ir.dialects.operators import BINARY
from semrep.ir.environment import Environment as ModuleNames
from semrep.ir.signature import ScalarType, Signature, TensorType
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.ir.value_calls import _finish
from semrep.ir.value_expressions import Evaluator, _framework
from semrep.ir.value_state import EXTERNAL, Fresh, State, join
from semrep.ir.value_types import boundary_type
from semrep.ir.values import (
    OPAQUE,
    PARAMETER,
    TUPLE,
    Binding,
    Definition,
    Value,
    ValueGraph,
    is_number,
)

_MOST_PASSES = 6  # of a loop body until its entry is stable
_DEEPEST_LOOP = 4

# Context managers that change nothing that a rewrite of array code could see.
_HARMLESS_CONTEXTS = frozenset(
    {"torch.no_grad", "torch.inference_mode", "torch.enable_grad", "torch.profiler.record_function",
     "torch.autograd.profiler.record_function", "jax.named_scope", "torch.set_grad_enabled",
     "numpy.errstate"}
)  # fmt: skip


def build_graph(
    names: ModuleNames, unit: Unit, signature: Signature | None, whole: Signature | None = None
) -> ValueGraph:
    """The graph of a function unit; `unsupported` says why where there is none."""
    builder = Builder(names, unit, signature, whole)
    definition = unit.definition
    if unit.kind != FUNCTION or definition is None or definition.kind != "function_definition":
        builder.graph.unsupported = "not a function"
    elif unit.has_error:
        builder.graph.unsupported = "a syntax error"
    else:
        builder.run(definition)
    return builder.graph


class Builder(Evaluator):
    def run(self, function: Node) -> None:
        scope = self.scopes.scope_for(function)
        if scope.is_dynamic:
            self.graph.unsupported = "names are looked up by strings (eval, locals, …)"
            return
        if scope.is_generator or scope.is_async:
            self.graph.unsupported = "a generator or coroutine"
            return
        self.function_node = function
        self.scopes_stores = frozenset(id(s) for b in self.scopes.bindings() for s in b.stores)
        parameters = function.child("parameters")
        if self.unit.classes and parameters is not None and parameters.operands:
            self.receiver = parameters.operands[0].text
        for binding in scope.names.values():
            if binding.is_parameter:
                self._parameter(binding.name)
        body = function.child("body")
        if body is not None:
            self.block(body)

    def _parameter(self, name: str) -> None:
        type_ = boundary_type(self.signature, name)
        value = Value(
            PARAMETER, label=name, type=type_,  # its value may differ in the next call
            # `self` has no elements: unknown code changes its attributes, not which object it is.
            storage=frozenset() if name == self.receiver else frozenset({EXTERNAL}),
            framework=_framework(type_), is_array=isinstance(type_, TensorType),
        )  # fmt: skip
        self.add(value, None)
        self.state.names[name] = Binding(value)

    # -- blocks -----------------------------------------------------------------------------

    def block(self, node: Node) -> None:
        for statement in node.operands:
            self.run_statement(statement)

    def run_statement(self, node: Node) -> None:
        outer, self.statement = self.statement, node
        if self.recording:
            self.graph._before[id(node)] = self.state.snapshot()
        first, mutations = len(self.graph.values), self.mutations
        handler = _STATEMENTS.get(node.kind)
        if handler is not None:
            handler(self, node)
        else:
            self._unknown_statement(node)
        if self.mutations - mutations > 0 and node.kind not in _COMPOUND:
            self._taint(self.graph.values[first:], self.mutations - mutations)
        self.statement = outer

    def _taint(self, made: Iterable[Value], mutations: int) -> None:
        """Values of a statement that mutates in the middle may have seen either state."""
        values = list(made)
        if mutations == 1 and values and (values[-1].is_in_place or values[-1].kind == OPAQUE):
            # The mutation is the last thing that happens: what came before it is sound.
            return
        for value in values:
            value.is_tainted = True

    def _unknown_statement(self, node: Node) -> None:
        self._havoc(node)

    def _havoc(self, node: Node) -> None:
        """A statement that is not followed: all it names changes, and unknown code runs."""
        loaded = [
            self.evaluate(n)
            for n in node.find("identifier")
            if id(n) in self.scopes.loads and self._is_own(n)
        ]
        for value in loaded:
            self.use(value, "captured", node)
        self.run_unknown(loaded, node, node.kind.replace("_", " "))
        self._forget(self._stored_names(node))

    def _is_own(self, identifier: Node) -> bool:
        binding = self.scopes.binding(identifier)
        return (
            binding is not None
            and binding.scope is not None
            and binding.scope.node is self.function_node
        )

    def _stored_names(self, node: Node) -> set[str]:
        return {
            n.text
            for n in node.find("identifier")
            if id(n) in self.scopes_stores and self._is_own(n)
        }

    def _forget(self, names: Iterable[str], label: str = "depends on the path taken") -> None:
        """Make names opaque, keeping alive every definition they may come from."""
        for name in names:
            old = self.state.names.get(name)
            definitions = frozenset(d for d in self.graph.definitions if d.name == name)
            storage = frozenset({EXTERNAL}) | (
                old.value.storage if old is not None else frozenset()
            )
            if old is not None:
                definitions |= old.definitions
            fresh = Value(OPAQUE, label=label, storage=storage | self.state.leaked)
            self.state.names[name] = Binding(fresh, definitions)
            self.state.attributes = {
                p: v for p, v in self.state.attributes.items() if not p.startswith(name + ".")
            }
            self.changes.add(name)

    # -- simple statements ------------------------------------------------------------------

    def expression_statement(self, node: Node) -> None:
        for child in node.operands:
            if child.kind == "assignment":
                self.assignment(child)
            elif child.kind == "augmented_assignment":
                self.augmented(child)
            else:
                self.evaluate(child)

    def assignment(self, node: Node) -> None:
        right = node.child("right")
        if right is None:
            return
        targets = [node["left"]]
        while right.kind == "assignment":  # a = b = value
            targets.append(right["left"])
            inner = right.child("right")
            if inner is None:
                return
            right = inner
        value = self.evaluate(right)
        for target in targets:
            self.assign(target, value, right, is_only=len(targets) == 1)

    def assign(self, target: Node, value: Value, right: Node | None, is_only: bool = False) -> None:
        if target.kind == "identifier":
            binding = self.scopes.binding(target)
            if (
                binding is None
                or binding.scope is None
                or binding.scope.node is not self.function_node
            ):
                self.use(value, "stored", target)
                self.state.leaked |= value.storage
                return
            if right is not None and right.unparenthesized.kind in ("list", "dictionary", "set"):
                # A mutable container: its elements can change behind the name.
                value = self.opaque("container", [value], None, value.storage | self.new_storage())
            definition = None
            if self.statement is not None:
                definition = Definition(target.text, self.statement, target)
                definition.is_pinned = binding.is_captured or not is_only
                if self.recording:
                    self.graph.definitions.append(definition)
                    if is_only:
                        self.graph._defined_by.setdefault(id(value), []).append(definition)
            self.bind_name(target, value, definition)
        elif target.kind in (
            "pattern_list",
            "tuple_pattern",
            "list_pattern",
            "expression_list",
            "tuple",
        ):
            self._unpack(target, value)
        elif target.kind == "attribute":
            owner = self.evaluate(target["object"])
            name = target["attribute"].text
            self.use(value, "stored", target)
            self.state.leaked |= value.storage | owner.storage
            self.state.forget_attributes(name)
            self.changes.add(f"*.{name}")
            if owner.is_array:  # x.data = …, x.shape = …
                self.mutate(owner.storage, Fresh(False, f"attribute {name} assigned"))
        elif target.kind == "subscript":
            owner = self.evaluate(target["value"])
            parts = [
                self.evaluate(c) if c.kind != "slice" else self.other(c)
                for c in target.fields("subscript")
            ]
            for part in parts:
                self.use(part, "passed", target)
            self.use(value, "stored", target)
            self.use(owner, "mutated", target)
            if not owner.is_array:
                self.state.leaked |= value.storage | owner.storage
                self.mutate(
                    self.state.leaked | owner.storage, Fresh(False, "an element was assigned")
                )
            else:
                self.mutate(owner.storage, Fresh(True, "an element was assigned"))
        else:
            self.use(value, "stored", target)
            self.state.leaked |= value.storage
            self._forget(self._stored_names(target))

    def _unpack(self, target: Node, value: Value) -> None:
        parts = target.operands
        if any(p.kind == "list_splat_pattern" for p in parts):
            self.use(value, "passed", target)
            self._forget(self._stored_names(target))
            return
        if value.kind == TUPLE and len(value.elements) == len(parts):
            for part, element in zip(parts, value.elements, strict=True):
                self.use(element, "operand", target)
                self.assign(part, element, None)
            return
        for number, part in enumerate(parts):
            index = self.constant(number)
            framework = value.framework or self.default_framework
            element = self.apply(
                op_named("getitem"), {"input": value, "index": index}, None, framework
            )
            element.storage |= value.storage
            self.assign(part, element, None)

    def augmented(self, node: Node) -> None:
        target, token = node["left"], node.operator.removesuffix("=")
        if target.kind != "identifier":
            right = self.evaluate(node["right"])
            old = self.evaluate(target)
            self.use(right, "operand", node)
            self.use(old, "mutated", node)
            self.assign(target, self.opaque(f"{token}=", [old, right], None), None)
            return
        old = self.evaluate(target)
        right = self.evaluate(node["right"])
        name = BINARY.get(token)
        rebinds = is_number(old) or old.framework == "jax" or old.framework == "triton"
        if isinstance(old.type, ScalarType) or rebinds or name is None:
            new = self.operate(token, old, right, node)
            self.assign(target, new, None)
            return
        op = op_named(name)
        arguments = dict(zip((p.name for p in op.operands), (old, right), strict=True))
        for parameter in op.attributes:
            arguments[parameter.name] = self.constant(parameter.default)
        framework = old.framework or right.framework or self.default_framework
        value = _finish(self, op, arguments, node, framework, False, True)
        binding = self.state.names.get(target.text)
        if binding is None or binding.value is not value:
            self.assign(target, value, None)
        elif self.statement is not None:
            # Whoever drops an earlier definition would drop what this one writes to.
            definition = Definition(target.text, self.statement, target, is_pinned=True)
            self.state.names[target.text] = Binding(value, binding.definitions | {definition})

    def return_statement(self, node: Node) -> None:
        for child in node.operands:
            value = self.evaluate(child)
            for escaping in value.elements if value.kind == TUPLE else ():
                self.use(escaping, "returned", node)
            self.use(value, "returned", node)
        self.state.terminated = True

    def raising(self, node: Node) -> None:
        for child in node.operands:
            self.use(self.evaluate(child), "passed", node)
        self.state.terminated = True

    def leaving(self, node: Node) -> None:
        self.state.terminated = True

    def asserting(self, node: Node) -> None:
        for child in node.operands:
            self.use(self.evaluate(child), "condition", node)

    def deleting(self, node: Node) -> None:
        for child in node.operands:
            if child.kind == "identifier":
                # `del x` needs x to exist: its definition stays.
                binding = self.state.names.pop(child.text, None)
                self.changes.add(child.text)
                if binding is not None and self.recording:
                    for definition in binding.definitions:
                        definition.is_pinned = True
            else:
                self._havoc(child)

    def nothing(self, node: Node) -> None:
        return

    # -- compound statements ----------------------------------------------------------------

    def _branch(self, body: Node | None, state: State) -> State:
        self.state = state.copy()
        if body is not None:
            self.block(body) if body.kind == "block" else self.run_statement(body)
        return self.state

    def if_statement(self, node: Node) -> None:
        self.use(self.evaluate(node["condition"]), "condition", node)
        before = self.state
        ends = [self._branch(node.child("consequence"), before)]
        rest = before
        has_else = False
        for clause in node.fields("alternative"):
            self.state = rest.copy()
            if clause.kind == "elif_clause":
                self.use(self.evaluate(clause["condition"]), "condition", clause)
                rest = self.state
                ends.append(self._branch(clause.child("consequence"), rest))
            else:
                has_else = True
                ends.append(self._branch(clause.child("body"), rest))
        if not has_else:
            ends.append(rest)
        self.state = join(ends)

    def for_statement(self, node: Node) -> None:
        iterable = self.evaluate(node["right"])
        self.use(iterable, "passed", node)
        self._loop(node, node["left"], iterable.storage)

    def while_statement(self, node: Node) -> None:
        self._loop(node, None, frozenset())

    def _loop(self, node: Node, target: Node | None, storage: frozenset[int]) -> None:
        entry, outer_region = self.state, self.region
        targets = self._stored_names(target) if target is not None else set()
        if len([r for r in outer_region if r]) >= _DEEPEST_LOOP:
            self._havoc(node)
            return
        variant = set(targets)
        recording, outer_changes = self.recording, self.changes
        self.region = (*outer_region, node.start + 1)
        self.recording = False
        for _ in range(_MOST_PASSES):
            self.changes = set()
            self.state = self._entry(entry, variant)
            self._body(node, target, storage)
            found = {
                c
                for c in self.changes
                if c == "*" or "." in c or c in self.state.names or c in entry.names
            }
            if found <= variant:
                break
            variant |= found
        else:
            variant |= self._stored_names(node) | {"*"}
        self.recording = recording
        first = len(self.graph.definitions)
        self.state = self._entry(entry, variant)
        self.changes = set()
        self._body(node, target, storage)
        self._pin_carried(node, first)
        leaked = self.state.leaked
        self.changes = outer_changes | variant
        self.region = outer_region
        after = self._entry(entry, variant | self._stored_names(node))
        after.leaked |= leaked
        self.state = after
        if (otherwise := node.child("alternative")) is not None:
            end = self._branch(otherwise.child("body"), after)
            self.state = join([after, end])

    def _pin_carried(self, node: Node, first: int) -> None:
        """Definitions of one iteration that the next may load are not for dropping."""
        carried = {
            n.text
            for n in node.find("identifier")
            if (b := self.graph._loads.get(id(n))) is not None and b.value.kind == OPAQUE
        }
        for definition in self.graph.definitions[first:]:
            if definition.name in carried:
                definition.is_pinned = True

    def _entry(self, entry: State, variant: set[str]) -> State:
        """The state in which any iteration may start, or the loop may end."""
        self.state = entry.copy()
        names = {v for v in variant if v in entry.names or ("." not in v and v != "*")}
        self._forget(names, "changes in the loop")
        if "*" in variant:
            self.state.attributes = {}
            for name, binding in list(self.state.names.items()):
                if binding.value.storage & self.state.leaked:
                    self._forget([name], "changes in the loop")
        for path in variant:
            if "." in path:
                self.state.attributes = {
                    p: v for p, v in self.state.attributes.items()
                    if p != path and p.rpartition(".")[2] != path.rpartition(".")[2]
                }  # fmt: skip
        self.state.terminated = False
        return self.state

    def _body(self, node: Node, target: Node | None, storage: frozenset[int]) -> None:
        if target is None:
            self.use(self.evaluate(node["condition"]), "condition", node)
        else:
            element = self.opaque("loop variable", [], None, storage | {EXTERNAL})
            self.assign(target, element, None)
        body = node.child("body")
        if body is not None:
            self.block(body)

    def with_statement(self, node: Node) -> None:
        harmless = True
        for item in node.find("with_item"):
            if item.enclosing("with_statement") is not node:
                continue
            expression = item["value"]
            target: Node | None = None
            if expression.kind == "as_pattern":
                target = expression.child("alias")
                expression = expression.operands[0]
            called = expression.child("function") if expression.kind == "call" else None
            path = self.module_names.path_of(self.unit, called) if called is not None else None
            if path in _HARMLESS_CONTEXTS:
                for argument in expression["arguments"].operands:
                    self.evaluate(argument.child("value") or argument)
            else:
                harmless = False
                value = self.evaluate(expression)
                self.run_unknown([value], item, "a context manager")
            if target is not None:
                self._forget(self._stored_names(target))
        region = self.region
        # 0: a context in which operations may mean something else (autocast).
        self.region = (*region, node.start + 1, *(() if harmless else (0,)))
        body = node.child("body")
        if body is not None:
            self.block(body)
        self.region = region
        if not harmless and body is not None:
            self.run_unknown([], node, "a context manager")
            self._forget(self._stored_names(body))  # it may swallow an exception

    def try_statement(self, node: Node) -> None:
        entry, region = self.state, self.region
        self.region = (*region, node.start + 1)
        body = node.child("body")
        ends = [self._branch(body, entry)]
        written = self._stored_names(body) if body is not None else set()
        dirty = entry.copy()
        dirty.leaked |= ends[0].leaked
        self.state = dirty
        self.run_unknown([], node, "a try block")
        self._forget(written)
        dirty = self.state
        for clause in node.children:
            self.region = (*region, clause.start + 1)
            if clause.kind in ("except_clause", "except_group_clause"):
                self.state = dirty.copy()
                self._forget(self._stored_names(clause) - self._stored_names_of_block(clause))
                ends.append(self._branch(_block_of(clause), self.state))
            elif clause.kind == "else_clause":
                ends[0] = self._branch(clause.child("body"), ends[0])
        self.state = join(ends)
        for clause in node.children:
            if clause.kind == "finally_clause":
                self.state = join([self.state, dirty])
                self.state.terminated = False
                self.region = (*region, clause.start + 1)
                block = _block_of(clause)
                if block is not None:
                    self.block(block)
                self.state.terminated = all(e.terminated for e in ends)
        self.region = region

    def _stored_names_of_block(self, clause: Node) -> set[str]:
        block = _block_of(clause)
        return self._stored_names(block) if block is not None else set()

    def definition(self, node: Node) -> None:
        """A nested function or class: what it captures, it may keep and change later."""
        self.nested(node)
        inner = node.child("definition") or node
        name = inner.child("name")
        if name is not None:
            self._forget([name.text], "a nested definition")


def _block_of(clause: Node) -> Node | None:
    return next((c for c in clause.children if c.kind == "block"), None)


_COMPOUND = frozenset(
    {"if_statement", "for_statement", "while_statement", "with_statement", "try_statement",
     "function_definition", "class_definition", "decorated_definition", "match_statement"}
)  # fmt: skip

_STATEMENTS = {
    "expression_statement": Builder.expression_statement,
    "return_statement": Builder.return_statement,
    "if_statement": Builder.if_statement,
    "for_statement": Builder.for_statement,
    "while_statement": Builder.while_statement,
    "with_statement": Builder.with_statement,
    "try_statement": Builder.try_statement,
    "raise_statement": Builder.raising,
    "assert_statement": Builder.asserting,
    "break_statement": Builder.leaving,
    "continue_statement": Builder.leaving,
    "pass_statement": Builder.nothing,
    "comment": Builder.nothing,
    "global_statement": Builder.nothing,
    "nonlocal_statement": Builder.nothing,
    "delete_statement": Builder.deleting,
    "function_definition": Builder.definition,
    "decorated_definition": Builder.definition,
    "class_definition": Builder.definition,
}
