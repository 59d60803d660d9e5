"""What an operation is, and how one is written in a framework's source text.

Both are read from one line of text each, in Python's own signature syntax:

    op("sum", "input, /, dim=None, keepdim=False")

operands stand before the slash, attributes after it; an operand annotated `tensor` is never
a Python scalar. A spelling gives a dotted path and its own parameters, each annotated with
the canonical parameter it means where the names differ:

    "np.sum, ndarray.sum(a: input, axis: dim=None, *, keepdims: keepdim=False)"

Parameters of a framework's function that a spelling leaves out (`out=`, `where=`) are not
understood: a call that uses them does not bind, and so stays opaque.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class _Required:
    """The default of a parameter that has none."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REQUIRED"

    def __reduce__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class DType:
    """An element type as a constant: the long name ("float32")."""

    name: str

    @property
    def is_floating(self) -> bool:
        return self.name.startswith(("float", "bfloat"))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Purity:
    """kind: `pure`; `view` or `may-alias` (the result shares, or may share, storage with
    `argument`); `mutates` (writes `argument`, and returns it); `random` (reads and advances
    a generator); `effect` (does something else that can be seen)."""

    kind: str
    argument: str = ""

    @property
    def is_pure(self) -> bool:
        """Whether an evaluation can be moved, repeated or left out."""
        return self.kind in ("pure", "view", "may-alias")


PURE = Purity("pure")
RANDOM = Purity("random")
EFFECT = Purity("effect")


def view_of(argument: str) -> Purity:
    return Purity("view", argument)


def may_alias(argument: str) -> Purity:
    return Purity("may-alias", argument)


def mutates(argument: str) -> Purity:
    return Purity("mutates", argument)


# Classes of cost, cheapest first; see semrep.ir.dialects.cost.
FREE, ELEMENTWISE, TRANSCENDENTAL, REDUCTION, GATHER, MATMUL, CONVOLUTION = (
    "free", "elementwise", "transcendental", "reduction", "gather", "matmul", "convolution",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """is_operand: an array (or, unless is_tensor, a scalar); otherwise an attribute."""

    name: str
    default: Any
    is_operand: bool
    is_tensor: bool


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation, whatever the framework.

    reference: dotted path of a torch function, or of one in `references` (`:name`), that takes
        the operands in order and the attributes by name; run on meta tensors it gives the
        result's shape and dtype.
    monotone: `increasing` where x <= y implies f(x) <= f(y) for the floating-point function
        too, not only for the real one.
    results: number of results, where more than one.
    """

    name: str
    parameters: tuple[Parameter, ...]
    purity: Purity = PURE
    reference: str = ""
    cost: str = ELEMENTWISE
    is_commutative: bool = False
    is_elementwise: bool = False
    monotone: str = ""
    results: int = 1

    @property
    def operands(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.is_operand)

    @property
    def attributes(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if not p.is_operand)

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        from semrep.ir.dialects.catalogue import op_named

        return op_named, (self.name,)


@dataclass(frozen=True, slots=True)
class SpelledParameter:
    """name: as the framework calls it; means: the canonical parameter."""

    name: str
    means: str
    default: Any
    positional: bool
    keyword: bool
    variadic: bool = False


FUNCTION, METHOD, PROPERTY = "function", "method", "property"


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write an op. path: dotted, unabbreviated; fixed: attributes that the spelling
    itself decides; in_place: the result is written into the first operand."""

    op: Op
    path: str
    form: str
    parameters: tuple[SpelledParameter, ...]
    fixed: tuple[tuple[str, Any], ...] = ()
    in_place: bool = False

    @property
    def framework(self) -> str:
        return self.path.partition(".")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.path} = {self.op.name}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer class as a functional op.

    arguments: canonical parameter → `.attribute` of the layer, or a constant; the parameters
        not named are the call's own arguments, in order.
    requires: settings that must have these values for the layer to be this op.
    """

    path: str
    op: Op
    arguments: Mapping[str, Any]
    requires: Mapping[str, Any] = field(default_factory=dict)


def parse_parameters(text: str) -> tuple[Parameter, ...]:
    """The parameters of an op from "input, /, dim=None"."""
    arguments = _signature(text).args
    found: list[Parameter] = []
    ordered = [*arguments.posonlyargs, *arguments.args]
    operands = len(arguments.posonlyargs)
    defaults: list[Any] = [REQUIRED] * (len(ordered) - len(arguments.defaults))
    defaults += [ast.literal_eval(d) for d in arguments.defaults]
    for index, (argument, default) in enumerate(zip(ordered, defaults, strict=True)):
        means = argument.annotation
        is_tensor = isinstance(means, ast.Name) and means.id == "tensor"
        found.append(Parameter(argument.arg, default, index < operands, is_tensor))
    return tuple(found)


def parse_spelled(text: str) -> tuple[tuple[SpelledParameter, ...], tuple[tuple[str, Any], ...]]:
    """Parameters and fixed attributes from "a: input, *, axis: dim=None) -> dict(p=2"."""
    function = _signature(text)
    arguments = function.args
    found: list[SpelledParameter] = []

    def add(a: ast.arg, default: Any, positional: bool, keyword: bool, variadic: bool) -> None:
        means = a.annotation.id if isinstance(a.annotation, ast.Name) else a.arg
        found.append(SpelledParameter(a.arg, means, default, positional, keyword, variadic))

    ordered = [*arguments.posonlyargs, *arguments.args]
    defaults: list[Any] = [REQUIRED] * (len(ordered) - len(arguments.defaults))
    defaults += [ast.literal_eval(d) for d in arguments.defaults]
    for argument, default in zip(ordered, defaults, strict=True):
        add(argument, default, True, argument not in arguments.posonlyargs, False)
    if arguments.vararg is not None:
        add(arguments.vararg, REQUIRED, True, True, True)
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        add(argument, REQUIRED if value is None else ast.literal_eval(value), False, True, False)
    fixed: tuple[tuple[str, Any], ...] = ()
    if isinstance(function.returns, ast.Call):
        fixed = tuple((k.arg or "", _constant(k.value)) for k in function.returns.keywords)
    return tuple(found), fixed


def _constant(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):  # DType('float16')
        return DType(ast.literal_eval(node.args[0]))
    return ast.literal_eval(node)


def _signature(text: str) -> ast.FunctionDef:
    function = ast.parse(f"def f({text}): pass" if "->" not in text else f"def f({text}: pass")
    statement = function.body[0]
    assert isinstance(statement, ast.FunctionDef)
    return statement
