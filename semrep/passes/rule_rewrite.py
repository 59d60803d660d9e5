"""From a match to the fewest text edits, or to the reason why there are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semrep.ir import emit
from semrep.ir.dialects import cost, meta
from semrep.ir.dialects.op import FREE
from semrep.ir.dialects.spell import CannotSpell, Written, as_written, spell
from semrep.ir.environment import Environment as ModuleNames
from semrep.ir.module import Module
from semrep.ir.pattern import (
    Apply,
    Hole,
    Items,
    Literal,
    Match,
    Pattern,
    holes,
    same_constant,
)
from semrep.ir.signature import LayerType
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.ir.value_state import EXTERNAL
from semrep.ir.value_types import NoType, as_argument
from semrep.ir.values import (
    ATTRIBUTE,
    CONSTANT,
    OP,
    OPAQUE,
    PARAMETER,
    TUPLE,
    Definition,
    Environment,
    Value,
    ValueGraph,
)
from semrep.passes.base import Refusal
from semrep.passes.rule_guards import describe, refusal, unknown


class Refused(Exception):
    """Carries a refusal out of a recursion; never leaves this module."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits, the new text, and the modelled seconds of what goes and what comes."""

    edits: tuple[Edit, ...]
    text: str
    seconds_before: float
    seconds_after: float


@dataclass(slots=True)
class Rewriter:
    """Rewrites one match in one unit.

    constants: metavariables that the rule itself computed (a scale, a permutation).
    """

    module: Module
    unit: Unit
    graph: ValueGraph
    match: Match
    constants: Mapping[str, Any] = field(default_factory=dict)
    dead: frozenset[Definition] = frozenset()
    environment: Environment | None = None
    kept: list[Node] = field(default_factory=list)
    shared: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Metavariables that stand for a computation and are used again: their name and its text."""

    def plan(self, replacement: Pattern) -> Plan | Refusal:
        try:
            return self._plan(replacement)
        except Refused as refused:
            return refused.refusal
        except CannotSpell as missing:
            return refusal("no-name", str(missing), self.match.root)

    def _plan(self, replacement: Pattern) -> Plan:
        root = self.match.root
        if root.node is None or root.statement is None:
            raise Refused(Refusal("no-place", "the value has no expression of its own"))
        if root.tensor is None and not isinstance(root.type, tuple):
            raise Refused(unknown(self._culprit()))
        self.environment = self.graph.before(root.statement)
        if self.environment is None:
            raise Refused(refusal("no-place", "inside a statement that is not followed", root))
        self._check_interior()
        self.dead = self._find_dead()
        self._check_places()
        self._check_type(replacement)
        self._check_alias(replacement)
        self._share(replacement)
        written = self._write(replacement)
        self._check_kept(root.node)
        after = self._seconds(replacement)
        before = sum(_seconds_of(v) for v in self.match.interior)
        return Plan(tuple(self._edits(root.node, written)), written.text, before, after)

    def _culprit(self) -> Value:
        """The innermost matched thing without a type: what the user can say something about."""
        for value in (*self.match.holes.values(), *reversed(self.match.interior)):
            if value.type is None and not value.is_constant:
                return value
        return self.match.root

    # -- legality ---------------------------------------------------------------------------

    def _check_interior(self) -> None:
        root = self.match.root
        inside = {id(v) for v in self.match.interior}
        for value in self.match.interior:
            is_kept_apart = value is not root and value.is_in_place and self._is_private(value)
            if not value.is_pure and not is_kept_apart:
                raise Refused(
                    refusal("has-effects", f"{describe(value)} does more than give a value", value)
                )
            if value.is_tainted:
                message = "something is changed in the middle of this statement"
                raise Refused(refusal("mutation", message, value))
            if value.region != root.region:
                message = f"{describe(value)} is computed in another loop, `with` or `try` block"
                raise Refused(refusal("other-block", message, value))
            if 0 in value.region:
                message = "the surrounding `with` block may change what operations mean"
                raise Refused(refusal("context", message, value))
            if value is root:
                continue
            for use in value.uses:
                if use.user is None or id(use.user) not in inside:
                    what = {"returned": "returned", "captured": "captured by a nested function",
                            "mutated": "changed in place"}.get(use.how, "used again")  # fmt: skip
                    place = Refusal(
                        "used-elsewhere", f"{describe(value)} is {what} here",
                        use.node.span if use.node is not None else None,
                    )  # fmt: skip
                    raise Refused(place)

    def _is_private(self, value: Value) -> bool:
        """Whether an operation writes to an array that was made just for it: nothing else holds
        or sees that array, so a new one for the result is no difference."""
        written = value.written
        if written.kind != OP or written.is_in_place or EXTERNAL in written.storage:
            return False
        if any(use.user is not value and use.node is not value.node for use in written.uses):
            return False
        for other in self.graph:
            if other is value:
                return True
            if other is not written and other.storage & written.storage:
                return False
        return False

    def _writers(self, value: Value) -> list[Value]:
        """Matched operations that write to the value: without them, what they gave is the value."""
        return [v for v in self.match.interior if v.is_in_place and v.written is value]

    def _find_dead(self) -> frozenset[Definition]:
        """Assignments that hold interior values, and nothing else needs once the root is gone."""
        root = self.match.root
        assert root.node is not None
        candidates = [
            d for v in self.match.interior if v is not root for d in self.graph.definitions_of(v)
        ]
        # Names of an array that is no longer written to keep their assignment, not its new value.
        written = [
            d
            for v in self.match.interior
            if v.is_in_place
            for d in self.graph.definitions_of(v.written)
        ]
        gone = [root.node, *(d.statement for d in candidates)]
        for definition in (*candidates, *written):
            for load in definition.loads:
                if not any(load.is_inside(g) for g in gone):
                    message = f"`{definition.name}` may be used again here"
                    raise Refused(Refusal("used-elsewhere", message, load.span))
            if definition.is_pinned:
                message = f"`{definition.name}` may be read by other code"
                raise Refused(Refusal("used-elsewhere", message, definition.target.span))
        return frozenset(candidates)

    def _check_places(self) -> None:
        """Each interior expression lies in what is replaced or deleted, and nothing else that
        matters lies there with it."""
        root = self.match.root
        assert root.node is not None
        statements = {id(d.statement): d for d in self.dead}
        inside = {id(v) for v in self.match.interior}
        for value in self.match.interior:
            if value.node is None:
                raise Refused(
                    refusal("no-place", f"{describe(value)} has no expression of its own", root)
                )
            in_root = value.node.is_inside(root.node)
            in_dead = value.statement is not None and id(value.statement) in statements
            if not in_root and not in_dead:
                message = f"{describe(value)} is part of a statement that has to stay"
                raise Refused(refusal("used-elsewhere", message, value))
        for value in self.graph:
            if (
                value.statement is None
                or id(value.statement) not in statements
                or id(value) in inside
            ):
                continue
            if value.is_pure or value.kind in (CONSTANT, ATTRIBUTE, PARAMETER, TUPLE):
                continue
            message = f"{describe(value)} would be evaluated later, or not at all"
            raise Refused(refusal("has-effects", message, value))
        for definition in self.dead:
            if definition.statement.has_comment:
                message = "a comment inside this statement would be lost"
                raise Refused(Refusal("comment", message, definition.statement.span))

    def _check_type(self, replacement: Pattern) -> None:
        root = self.match.root
        found = self._type(replacement)
        if found is None:
            raise Refused(unknown(self._culprit()))
        before = meta.tensors_in((root.type,))
        after = meta.tensors_in((found,))
        if [(t.dtype, t.shape) for t in before] != [(t.dtype, t.shape) for t in after]:
            new, old = (", ".join(map(str, types)) for types in (after, before))
            message = f"the result would be {new} instead of {old}"
            raise Refused(refusal("type-changes", message, root))

    def _type(self, pattern: Pattern) -> Any:
        if isinstance(pattern, Hole):
            if pattern.name in self.constants:
                return self.constants[pattern.name]
            try:
                return as_argument(self.match.holes[pattern.name], True)
            except NoType:
                return None
        if isinstance(pattern, Literal):
            return pattern.constant
        if isinstance(pattern, Items):
            items = tuple(self._type(i) for i in pattern.items)
            return None if any(i is None for i in items) else items
        operands: list[Any] = []
        attributes: dict[str, Any] = {}
        for name, argument in pattern.arguments:
            parameter = pattern.op.parameter(name)
            assert parameter is not None
            found = self._type(argument)
            if found is None and not self._is_none(argument):
                return None
            if parameter.is_operand:
                operands.append(found)
            elif found != parameter.default:
                attributes[name] = found
        return meta.infer(pattern.op, tuple(operands), attributes)

    def _is_none(self, pattern: Pattern) -> bool:
        if isinstance(pattern, Literal):
            return pattern.constant is None
        if isinstance(pattern, Hole):
            if pattern.name in self.constants:
                return self.constants[pattern.name] is None
            return self.match.holes[pattern.name].constant is None
        return False

    def _check_alias(self, replacement: Pattern) -> None:
        """Where the new result would share storage that the old one did not, nobody may see."""
        source = _alias_source(replacement)
        root = self.match.root
        if source is None or source in self.constants:
            return
        value = self.match.holes[source]
        if value.tensor is None or root.storage & value.storage:
            return
        graph = self.graph
        new, old = _storage(root), _storage(value)
        both_seen = bool(new & graph.escaped) and (EXTERNAL in old or bool(old & graph.escaped))
        if both_seen or (new | old) & graph.mutated:
            message = (
                f"the result would share memory with {describe(value)}, and others can see that"
            )
            raise Refused(refusal("may-alias", message, root))

    # -- cost -------------------------------------------------------------------------------

    def _seconds(self, pattern: Pattern) -> float:
        if isinstance(pattern, Items):
            return sum(map(self._seconds, pattern.items))
        if not isinstance(pattern, Apply):
            return 0.0
        total = sum(self._seconds(a) for _, a in pattern.arguments)
        operands = tuple(
            self._type(a) for n, a in pattern.arguments
            if (p := pattern.op.parameter(n)) is not None and p.is_operand
        )  # fmt: skip
        return total + cost.seconds(pattern.op, operands, self._type(pattern))

    # -- text -------------------------------------------------------------------------------

    def _share(self, replacement: Pattern) -> None:
        """Names for computations that the replacement uses more than once."""
        counts = Counter(holes(replacement))
        root = self.match.root
        assert root.node is not None and root.statement is not None
        for name, count in counts.items():
            if count < 2 or name in self.constants or name in self.shared:
                continue
            value = self.match.holes[name]
            if _costs_nothing(value):
                continue
            written = self._materialize(value)
            if _is_path(written.text):
                continue
            if not _is_always_evaluated(root.node, root.statement) or not value.is_pure:
                message = f"{describe(value)} would be evaluated more than once"
                raise Refused(refusal("evaluated-twice", message, value))
            taken = {chosen for chosen, _ in self.shared.values()}
            chosen = emit.fresh_name(self.unit, _name_for(value))
            if chosen in taken:
                raise Refused(refusal("evaluated-twice", "two parts would need names", value))
            self.shared[name] = (chosen, written.text)

    def _write(self, pattern: Pattern) -> Written:
        if isinstance(pattern, Hole):
            if pattern.name in self.constants:
                return as_written(self.constants[pattern.name], self._name_of)
            if pattern.name in self.shared:
                return Written(self.shared[pattern.name][0])
            return self._materialize(self.match.holes[pattern.name])
        if isinstance(pattern, Literal):
            return as_written(pattern.constant, self._name_of)
        if isinstance(pattern, Items):
            return Written(f"[{', '.join(self._write(i).text for i in pattern.items)}]")
        if (layer := self._layer_call(pattern)) is not None:
            inner = self._write(pattern.arguments[0][1])
            return Written(f"{layer}({inner.text})")
        arguments: dict[str, Any] = {}
        for name, argument in pattern.arguments:
            parameter = pattern.op.parameter(name)
            assert parameter is not None
            if self._is_none(argument):
                arguments[name] = None
            elif isinstance(argument, Literal):
                arguments[name] = argument.constant
            elif isinstance(argument, Hole) and argument.name in self.constants:
                arguments[name] = self.constants[argument.name]
            elif (
                isinstance(argument, Hole)
                and not parameter.is_operand
                and self._is_default(argument, parameter.default)
            ):
                arguments[name] = parameter.default
            else:
                arguments[name] = self._write(argument)
        for name, value in list(arguments.items()):
            parameter = pattern.op.parameter(name)
            assert parameter is not None
            if parameter.is_operand and not isinstance(value, Written) and value is not None:
                arguments[name] = as_written(value, self._name_of)
        framework = self.match.root.framework or "torch"
        return spell(pattern.op, framework, arguments, self._name_of)

    def _layer_call(self, pattern: Apply) -> str | None:
        """The layer that the matched code called for this very operation, where all but its
        input stays as it was."""
        signature = self.graph.signature
        if signature is None:
            return None
        for value in self.match.interior:
            node = value.node
            if value.op is not pattern.op or node is None or node.kind != "call":
                continue
            if value.is_in_place and isinstance(pattern.arguments[0][1], Hole):
                continue  # what it wrote to was made for it; what a hole stands for was not
            function = node["function"]
            if not isinstance(signature.of(function.text), LayerType):
                continue
            if not self._reads_the_same(function):
                continue
            if all(
                self._stays(argument, value.arguments[name])
                for name, argument in pattern.arguments[1:]
            ):
                return function.text
        return None

    def _stays(self, argument: Pattern, before: Value) -> bool:
        if isinstance(argument, Hole):
            return self.match.holes.get(argument.name) is before
        return (
            isinstance(argument, Literal)
            and before.is_constant
            and same_constant(argument.constant, before.constant)
        )

    def _is_default(self, hole: Hole, default: Any) -> bool:
        value = self.match.holes[hole.name]
        return (
            value.kind == CONSTANT
            and type(value.constant) is type(default)
            and value.constant == default
        )

    def _name_of(self, path: str) -> str | None:
        return name_of_path(self.module.environment, self.unit, path)

    def _materialize(self, value: Value) -> Written:
        """Text that gives the value at the root's place."""
        root_node = self.match.root.node
        assert root_node is not None and self.environment is not None
        if value.kind == CONSTANT:
            if value.node is not None:
                return Written(value.node.text, emit.binding_strength(value.node))
            return as_written(value.constant, self._name_of)
        for known in (value, *self._writers(value)):
            if (name := self.environment.name_of(known, self.dead)) is not None:
                return Written(name)
        if value.kind == ATTRIBUTE and self._is_attribute_here(value):
            return Written(value.label)
        if (
            value.node is not None
            and value.node.is_inside(root_node)
            and self._reads_the_same(value.node)
        ):
            self.kept.append(value.node)
            return Written(value.node.text, emit.binding_strength(value.node))
        if value.kind == TUPLE:
            items = [self._materialize(v).text for v in value.elements]
            return Written(f"({', '.join(items)}{',' if len(items) == 1 else ''})")
        if value.kind == OP and value.op is not None and self._is_movable(value):
            if value.node is not None and self._reads_the_same(value.node):
                return Written(value.node.text, emit.binding_strength(value.node))
            arguments: dict[str, Any] = {}
            for parameter in value.op.parameters:
                argument = value.arguments[parameter.name]
                plain = argument.kind == CONSTANT and argument.node is None
                arguments[parameter.name] = (
                    argument.constant if plain else self._materialize(argument)
                )
            return spell(value.op, value.framework or "torch", arguments, self._name_of)
        if value.kind == OPAQUE and value.node is not None and self._is_pure_text(value):
            return Written(value.node.text, emit.binding_strength(value.node))
        message = f"no name stands for {describe(value)} where it is needed"
        raise Refused(refusal("not-available", message, value))

    def _is_pure_text(self, value: Value) -> bool:
        """Arithmetic on numbers (`math.sqrt(d)`), which may be written again at the root."""
        assert value.node is not None
        if value.region != self.match.root.region or not self._reads_the_same(value.node):
            return False
        parts = [v for v in self.graph if v.node is not None and v.node.is_inside(value.node)]
        return all(
            (v.is_pure and not v.is_tainted) or v.kind in (CONSTANT, ATTRIBUTE, PARAMETER)
            for v in parts
        )

    def _is_attribute_here(self, value: Value) -> bool:
        """Whether loading the attribute path here gives this value: nothing may have replaced
        it since, and the path's first name must mean the same object."""
        assert self.environment is not None
        if self.environment.attributes.get(value.label) is not value:
            return False
        if "." not in value.label:
            return True
        binding = self.environment.binding(value.label.partition(".")[0], self.dead)
        return binding is not None and binding.value.kind == PARAMETER

    def _reads_the_same(self, node: Node) -> bool:
        """Whether the names in a piece of text mean the same at the root's place, with dead
        statements gone."""
        assert self.environment is not None
        for identifier in node.find("identifier"):
            if self.graph.unit is None or self._is_no_variable(identifier):
                continue
            loaded = self.graph.loaded(identifier)
            if loaded is None:
                if self._is_global(identifier):
                    continue
                return False
            here = self.environment.binding(identifier.text, self.dead)
            if here is None or here.value is not loaded.value:
                return False
        for attribute in node.find("attribute"):
            value = self.graph.of(attribute)
            if value is not None and value.kind == ATTRIBUTE:
                if self.environment.attributes.get(value.label) is not value:
                    return False
        return True

    def _is_no_variable(self, identifier: Node) -> bool:
        return identifier.field == "attribute" or (
            identifier.field == "name"
            and identifier.parent is not None
            and identifier.parent.kind == "keyword_argument"
        )

    def _is_global(self, identifier: Node) -> bool:
        from semrep.ir.scopes import scopes

        binding = scopes(self.unit).binding(identifier)
        return binding is not None and binding.is_global

    def _is_movable(self, value: Value) -> bool:
        """Whether an operation may be written again at the root: its old text goes, or it costs
        next to nothing."""
        if not value.is_pure or value.is_in_place or value.is_tainted or value.op is None:
            return False
        if value.region != self.match.root.region:
            return False
        if value.op.cost == FREE:
            return True
        goes = any(value.statement is d.statement for d in self.dead)
        return goes and len(value.users) == 1

    def _check_kept(self, root: Node) -> None:
        """Impure parts of the replaced text are kept, once each and in their order."""
        for value in self.graph:
            if value.node is None or value.is_pure or value.kind not in (OP, OPAQUE):
                continue
            if not value.node.is_inside(root) or value.node is root:
                continue
            if value.kind == OPAQUE and value.is_constant:
                continue
            holders = [k for k in self.kept if value.node.is_inside(k)]
            if len(holders) != 1:
                times = len(holders)
                message = f"{describe(value)} may have effects, and would run {times} times"
                raise Refused(refusal("has-effects", message, value))
        impure = [k for k in self.kept if any(
            v.node is not None and v.node.is_inside(k) and not v.is_pure and v.kind in (OP, OPAQUE)
            for v in self.graph)]  # fmt: skip
        if [k.start for k in impure] != sorted(k.start for k in impure):
            raise Refused(
                refusal("has-effects", "effects would happen in another order", self.match.root)
            )
        for comment in root.find("comment"):
            if not any(comment.is_inside(k) for k in self.kept):
                raise Refused(Refusal("comment", "a comment would be lost", comment.span))

    def _edits(self, root: Node, written: Written) -> list[Edit]:
        edits = [
            emit.delete_statement(self.unit, s) for s in _distinct([d.statement for d in self.dead])
        ]
        statement = self.match.root.statement
        assert statement is not None
        if self.shared:
            lines = [f"{name} = {text}" for name, text in self.shared.values()]
            before = emit.insert_before(self.unit, statement, *lines)
            if before is None:
                message = "there is no room for another statement here"
                raise Refused(refusal("evaluated-twice", message, self.match.root))
            edits.append(before)
        target = _single_target(statement, root)
        if (
            target is not None
            and target.text == written.text
            and not emit.is_only_statement(statement)
        ):
            return [*edits, emit.delete_statement(self.unit, statement)]
        edit = emit.replace(root, written.text, written.precedence)
        return [*edits, emit.wrapped(self.unit, root, edit)]


def _is_always_evaluated(node: Node, statement: Node) -> bool:
    """Whether the statement evaluates an expression of its own whenever it runs."""
    if statement.kind not in ("expression_statement", "return_statement"):
        return False
    conditional = ("conditional_expression", "boolean_operator", "lambda", "comparison_operator",
                   "list_comprehension", "set_comprehension", "dictionary_comprehension",
                   "generator_expression")  # fmt: skip
    for outer in node.ancestors():
        if outer is statement:
            return True
        if outer.kind in conditional:
            return False
    return False


def _storage(value: Value) -> frozenset[int]:
    """What the value may share. A name that leaves a loop, or comes round again, no longer
    tells which array of the body it holds: all of them are outside then."""
    return value.storage | {EXTERNAL} if value.region else value.storage


def _costs_nothing(value: Value) -> bool:
    """Whether it is a name, or views of one."""
    if value.kind != OP or value.op is None:
        return True
    return value.op.cost == FREE and all(map(_costs_nothing, value.elements))


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _name_for(value: Value) -> str:
    names = {"stack": "stacked", "div": "scaled", "mul": "scaled", "matmul": "product"}
    return names.get(value.op_name, "inner")


def _single_target(statement: Node, root: Node) -> Node | None:
    """The name that a statement assigns the root to, where that is all it does."""
    if statement.kind != "expression_statement" or len(statement.operands) != 1:
        return None
    assignment = statement.operands[0]
    right = assignment.child("right")
    if assignment.kind != "assignment" or right is None or right.unparenthesized is not root:
        return None
    left = assignment["left"]
    return left if left.kind == "identifier" and assignment.child("type") is None else None


def _distinct(nodes: list[Node]) -> list[Node]:
    return list({id(n): n for n in nodes}.values())


def _seconds_of(value: Value) -> float:
    assert value.op is not None
    operands = []
    for parameter in value.op.operands:
        try:
            operands.append(as_argument(value.arguments[parameter.name], True))
        except NoType:
            operands.append(None)
    return cost.seconds(value.op, tuple(operands), value.type)


def _alias_source(pattern: Pattern) -> str | None:
    """The metavariable whose storage the replacement's result would share."""
    if isinstance(pattern, Hole):
        return pattern.name
    if isinstance(pattern, Apply) and pattern.op.purity.kind in ("view", "may-alias"):
        for name, argument in pattern.arguments:
            if name == pattern.op.purity.argument:
                return _alias_source(argument)
    return None


def name_of_path(names: ModuleNames, unit: Unit, path: str) -> str | None:
    """How the module writes a dotted path, the longest import first; None where it cannot, or
    where the unit has a variable of that name."""
    from semrep.ir.scopes import scopes

    best: str | None = None
    longest = -1
    for found in names.names.values():
        if not found.is_stable or found.path is None:
            continue
        if path != found.path and not path.startswith(found.path + "."):
            continue
        if any(found.name in s.names for s in scopes(unit).scopes):
            continue
        if len(found.path) > longest:
            longest = len(found.path)
            best = found.name + path[len(found.path) :]
    return best
