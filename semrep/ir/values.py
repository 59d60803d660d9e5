"""Dataflow of one function as a graph of canonical operations.

`x = self.linear(x); return x.sum(1)` is one expression here: statements, names and spellings
are gone, spans remain. A value is one evaluation, not an equivalence class: two calls of the
same function give two values, which `same_structure` compares.

What makes rewriting sound: a name may stand for a value at a point only if the environment at
that point maps the name to that very value. Assignment, mutation (of anything that may share
storage), branches, loops and calls of unknown code all change the mapping, so this one check
covers them. Taken on trust, as everywhere in array code: operators and attribute loads of
objects do not write to other objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from semrep.ir.dialects.op import Op
from semrep.ir.signature import ScalarType, Signature, TensorType
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit

if TYPE_CHECKING:
    import networkx

    from semrep.ir.module import Module

OP, CONSTANT, PARAMETER, ATTRIBUTE, TUPLE, OPAQUE = (
    "op", "constant", "parameter", "attribute", "tuple", "opaque",
)  # fmt: skip


class _Unknown:
    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_CONSTANT"


NOT_CONSTANT: Final = _Unknown()


@dataclass(eq=False, slots=True)
class Definition:
    """One assignment to one name. is_pinned: others may read the name (closures, `global`),
    so the assignment can never be dropped."""

    name: str
    statement: Node
    target: Node
    loads: list[Node] = field(default_factory=list)
    is_pinned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """What a name stands for. previous: what it stood for before its only definition, where
    no join lies between: with that statement gone, the name would mean `previous` again."""

    value: Value
    definitions: frozenset[Definition] = frozenset()
    previous: Binding | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """how: `operand` (of `user`), `returned`, `stored` (to an attribute, element or
    container), `captured` (by a nested scope), `passed` (to unknown code), `condition`, or
    `mutated`."""

    how: str
    user: Value | None
    node: Node | None


@dataclass(eq=False, slots=True)
class Value:
    """One evaluation.

    kind: OP, CONSTANT, PARAMETER, ATTRIBUTE, TUPLE or OPAQUE. arguments: by canonical parameter
    name, defaults filled in (of a tuple: "0", "1", …). constant: the Python constant that it
    is, or that it must be given the signature's facts. type: a TensorType, ScalarType,
    LayerType, a tuple of types, or None. node: its expression (None for a default). statement:
    the statement that evaluates it. region: the loops, `with` and `try` blocks around it.
    storage: ids of the storages it may share. label: the dotted path of a parameter or
    attribute, or why it is opaque.
    """

    kind: str
    op: Op | None = None
    arguments: dict[str, Value] = field(default_factory=dict)
    constant: Any = NOT_CONSTANT
    type: Any = None
    node: Node | None = None
    statement: Node | None = None
    region: tuple[int, ...] = ()
    storage: frozenset[int] = frozenset()
    framework: str | None = None
    label: str = ""
    is_array: bool = False
    is_pure: bool = True
    is_in_place: bool = False
    is_tainted: bool = False
    """Something in its own statement is mutated, so operands may not be what they seem."""
    uses: list[Use] = field(default_factory=list)

    @property
    def op_name(self) -> str:
        return self.op.name if self.op is not None else ""

    @property
    def is_constant(self) -> bool:
        return self.constant is not NOT_CONSTANT

    @property
    def tensor(self) -> TensorType | None:
        return self.type if isinstance(self.type, TensorType) else None

    @property
    def written(self) -> Value:
        """What an in-place operation writes to."""
        return next(iter(self.arguments.values()))

    @property
    def elements(self) -> tuple[Value, ...]:
        return tuple(self.arguments.values())

    @property
    def users(self) -> list[Value]:
        """Operations that read it, each once."""
        found = {id(u.user): u.user for u in self.uses if u.user is not None}
        return list(found.values())

    @property
    def escapes(self) -> list[Use]:
        """Uses other than as an operand of an operation."""
        return [u for u in self.uses if u.user is None]

    def __str__(self) -> str:
        if self.kind == CONSTANT:
            return repr(self.constant)
        if self.kind == OP:
            inner = ", ".join(f"{n}={v}" for n, v in self.arguments.items())
            return f"{self.op_name}({inner})"
        if self.kind == TUPLE:
            return f"({', '.join(map(str, self.elements))})"
        return self.label or self.kind

    def __repr__(self) -> str:
        return f"<value {str(self)[:80]}: {self.type}>"


def same_structure(a: Value, b: Value) -> bool:
    """Whether two values are equal by construction: the same operations on the same sources.
    Opaque, random and in-place values are equal to themselves only."""
    if a is b:
        return True
    if a.kind == CONSTANT and b.kind == CONSTANT:
        return type(a.constant) is type(b.constant) and bool(a.constant == b.constant)
    if a.kind != b.kind or a.op is not b.op or a.kind in (OPAQUE, PARAMETER, ATTRIBUTE):
        return False
    if (
        not (a.is_pure and b.is_pure)
        or a.is_in_place
        or b.is_in_place
        or a.is_tainted
        or b.is_tainted
    ):
        return False
    return a.arguments.keys() == b.arguments.keys() and all(
        same_structure(v, b.arguments[n]) for n, v in a.arguments.items()
    )


@dataclass(frozen=True, slots=True, eq=False)
class Environment:
    """What names and attribute paths stand for before a statement."""

    names: Mapping[str, Binding]
    attributes: Mapping[str, Value]

    def binding(self, name: str, dead: frozenset[Definition] = frozenset()) -> Binding | None:
        """What a name stands for, were some definitions gone."""
        found = self.names.get(name)
        while found is not None and found.definitions & dead:
            found = found.previous if found.definitions <= dead else None
        return found

    def name_of(self, value: Value, dead: frozenset[Definition] = frozenset()) -> str | None:
        """A name or attribute path that stands for the value here, the shortest one."""
        names = [n for n in self.names if (b := self.binding(n, dead)) and b.value is value]
        for path, known in self.attributes.items():
            if known is value and self._is_reachable(path, dead):
                names.append(path)
        return min(names, key=lambda n: (n.count("."), len(n), n), default=None)

    def _is_reachable(self, path: str, dead: frozenset[Definition]) -> bool:
        """The path's first name must mean what it meant when the path was loaded."""
        binding = self.binding(path.partition(".")[0], dead)
        return binding is not None and binding.value.kind == PARAMETER


class ValueGraph:
    """All values of one function, in order of evaluation.

    unsupported: why nothing is known about the function ("" in the ordinary case).
    mutated: storages that something writes. escaped: storages that are returned, stored,
        captured or passed to other code, under whatever name.
    signature: the facts that it was built with.
    """

    def __init__(self, unit: Unit, signature: Signature | None = None) -> None:
        self.unit = unit
        self.signature = signature
        self.values: list[Value] = []
        self.definitions: list[Definition] = []
        self.unsupported = ""
        self.mutated: frozenset[int] = frozenset()
        self.escaped: frozenset[int] = frozenset()
        self._of_node: dict[int, Value] = {}
        self._before: dict[int, Environment] = {}
        self._loads: dict[int, Binding] = {}
        self._by_op: dict[str, list[Value]] = {}
        self._defined_by: dict[int, list[Definition]] = {}

    def of(self, node: Node) -> Value | None:
        """The value of an expression."""
        return self._of_node.get(id(node.unparenthesized))

    def before(self, statement: Node) -> Environment | None:
        """The environment before a statement; None inside nested functions."""
        return self._before.get(id(statement))

    def loaded(self, identifier: Node) -> Binding | None:
        """The binding that a loaded name had when it was loaded."""
        return self._loads.get(id(identifier))

    def with_op(self, name: str) -> list[Value]:
        """Values made by an operation, in order of evaluation."""
        return self._by_op.get(name, [])

    def definitions_of(self, value: Value) -> list[Definition]:
        """The assignments whose right-hand side is the value."""
        return self._defined_by.get(id(value), [])

    def op_names(self) -> frozenset[str]:
        return frozenset(self._by_op)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    def graph(self) -> networkx.DiGraph:
        """Values as nodes (with `label`, `op`, `span`, `type`), operand → user as edges (with
        the parameter's name)."""
        import networkx

        found = networkx.DiGraph()
        for number, value in enumerate(self.values):
            span = value.node.span if value.node is not None else None
            label = value.op_name or str(value)
            found.add_node(number, label=label, op=value.op_name, span=span, type=value.type)
        number_of = {id(v): n for n, v in enumerate(self.values)}
        for value in self.values:
            for name, argument in value.arguments.items():
                if id(argument) in number_of:
                    found.add_edge(number_of[id(argument)], number_of[id(value)], parameter=name)
        return found


def value_graph(module: Module, unit: Unit, signature: Signature | None = None) -> ValueGraph:
    """The value graph of a function unit, computed once for its text, the module's names and
    the signature: by default what was seen of the function's calls, where all had the same
    types."""
    if signature is None:
        seen = module.signatures_of(unit)
        signature = seen[0] if len(seen) == 1 else None
    whole = module.signature if signature is not None else None
    key = ("values", module.environment.key, signature, whole)

    def build() -> ValueGraph:
        from semrep.ir.value_build import build_graph

        return build_graph(module.environment, unit, signature, whole)

    return unit.fact(key, build)


def is_number(value: Value) -> bool:
    """A Python number: a literal, or a scalar by the signature."""
    if isinstance(value.type, ScalarType):
        return value.type.name in ("int", "float", "bool")
    constant = value.constant
    return isinstance(constant, (int, float)) and value.tensor is None


__all__ = ["FUNCTION", "Environment", "Value", "ValueGraph", "value_graph"]
