"""What evaluating code may do besides giving a value.

Python lets almost every operator run user code, so an operation is harmless only where the
types of its operands are proven (`semrep.ir.types`). Inside a `@triton.jit` function another
language is spoken: there operators are pure and cannot raise.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from semrep.ir.environment import Environment
from semrep.ir.flow import Flow, flow
from semrep.ir.module import Module
from semrep.ir.scopes import COMPREHENSIONS, Binding, ScopeTree, scopes
from semrep.ir.tree import Node
from semrep.ir.types import (
    CONTAINERS,
    IMMUTABLE,
    INTEGERS,
    NUMBERS,
    SCALARS,
    TypeFacts,
    type_facts,
)
from semrep.ir.unit import Unit


class Effect(enum.Flag):
    """READS: of state that others can change. WRITES: of such state. RAISES: any exception.
    CALLS: of unknown code (implies all of the others). ALLOCATES: a new mutable object, so
    that evaluating once or twice can be told apart. DIVERGES: may never end. JUMPS: return,
    break, continue, raise. YIELDS: lets other code run before it goes on."""

    NONE = 0
    READS = 1
    WRITES = 2
    RAISES = 4
    CALLS = 8
    ALLOCATES = 16
    DIVERGES = 32
    JUMPS = 64
    YIELDS = 128


NONE = Effect.NONE
UNKNOWN_CODE = (
    Effect.READS | Effect.WRITES | Effect.RAISES | Effect.CALLS | Effect.ALLOCATES | Effect.DIVERGES
)

# Python's own functions that only look at proven scalars (or at the length of a container).
_HARMLESS_ON_SCALARS = frozenset(
    {"abs", "bool", "float", "repr", "str", "callable", "range", "min", "max", "id", "hash"}
)
_MAY_RAISE_ON_SCALARS = frozenset(
    {"int", "ord", "chr", "hex", "bin", "oct", "round", "divmod", "float", "hash", "range",
     "complex"}
)  # fmt: skip
_RAISING_OPERATORS = frozenset({"/", "//", "%", "**", "<<", ">>", "@"})
_MUTABLE = frozenset({"list", "dict", "set"})

# Methods of tensors in Triton's language that only compute.
_TRITON_METHODS = frozenset(
    {"to", "cast", "trans", "reshape", "view", "permute", "broadcast_to", "expand_dims", "abs",
     "exp", "log", "sqrt", "sum", "max", "min", "argmax", "argmin", "sigmoid", "cumsum", "ravel",
     "split", "join", "logical_and", "logical_or"}
)  # fmt: skip

# Python's own functions that Triton knows inside a kernel; there they only compute.
_TRITON_BUILTINS = frozenset(
    f"builtins.{name}" for name in ("range", "min", "max", "abs", "float", "int", "bool", "len")
)

_STATEMENT_EFFECTS = {
    "pass_statement": NONE,
    "global_statement": NONE,
    "nonlocal_statement": NONE,
    "break_statement": Effect.JUMPS,
    "continue_statement": Effect.JUMPS,
    "return_statement": Effect.JUMPS,
    "raise_statement": Effect.JUMPS | Effect.RAISES | Effect.CALLS,
    "import_statement": UNKNOWN_CODE,
    "import_from_statement": UNKNOWN_CODE,
    "yield": Effect.YIELDS | UNKNOWN_CODE,
    "await": Effect.YIELDS | UNKNOWN_CODE,
}


@dataclass(frozen=True, slots=True)
class Names:
    """Variables that code loads and stores (deletions count as stores)."""

    loads: frozenset[Binding]
    stores: frozenset[Binding]

    def conflicts_with(self, other: Names) -> bool:
        return bool(
            self.stores & other.loads or self.loads & other.stores or self.stores & other.stores
        )


class Facts:
    """All that is known about one function of a module: the door to the analyses.

    function: a `function_definition` (or the root of a top-level statement).
    """

    def __init__(self, module: Module, unit: Unit, function: Node) -> None:
        self.unit = unit
        self.function = function
        self.environment: Environment = module.environment
        self.scopes: ScopeTree = scopes(unit)
        self.is_triton = is_triton_kernel(unit, function, module.environment)
        self._effects: dict[int, Effect] = {}

    @property
    def flow(self) -> Flow:
        return flow(self.unit, self.function)

    @property
    def types(self) -> TypeFacts:
        return type_facts(self.unit, self.environment, self.function)

    def path_of(self, node: Node) -> str | None:
        return self.environment.path_of(self.unit, node)

    # -- names ------------------------------------------------------------------------------

    def names(self, node: Node) -> Names:
        """Variables touched by a node, nested functions and comprehensions included."""
        loads: set[Binding] = set()
        stores: set[Binding] = set()
        for identifier in node.find("identifier"):
            binding = self.scopes.binding(identifier)
            if binding is None:
                continue
            if id(identifier) in self.scopes.loads:
                loads.add(binding)
            if id(identifier) in self.scopes.stores or id(identifier) in self.scopes.deletes:
                stores.add(binding)
        return Names(frozenset(loads), frozenset(stores))

    # -- effects ----------------------------------------------------------------------------

    def effects(self, node: Node) -> Effect:
        """Effects of evaluating an expression or running a statement, apart from stores to
        local names (see `names`)."""
        # Kept, for what stands in formatted strings and defaults is asked for at each level.
        found = self._effects.get(id(node))
        if found is None:
            handler = _HANDLERS.get(node.kind)
            if handler is not None:
                found = handler(self, node)
            else:
                found = _STATEMENT_EFFECTS.get(node.kind, NONE) | self._children(node)
            self._effects[id(node)] = found
        return found

    def test(self, node: Node) -> Effect:
        """Effects of evaluating an expression and then asking whether it is true."""
        return self.effects(node) | self._truth(node)

    def is_pure(self, node: Node) -> bool:
        """True where the expression can be dropped, repeated or moved: no effect at all, and
        a value that nobody can tell from an equal one made elsewhere."""
        return self.effects(node) is NONE

    def is_droppable(self, node: Node) -> bool:
        """True where nobody notices if the expression is not evaluated."""
        return not self.effects(node) & ~(Effect.READS | Effect.ALLOCATES)

    def commute(self, first: Node, second: Node) -> bool:
        """True where evaluating two pieces of code in the other order changes nothing."""
        if self.names(first).conflicts_with(self.names(second)):
            return False
        a, b = self.effects(first), self.effects(second)
        if (a | b) & Effect.RAISES and self._is_watched(first):
            # A handler sees which of the names were stored before the exception.
            if a & Effect.RAISES and self.names(second).stores:
                return False
            if b & Effect.RAISES and self.names(first).stores:
                return False
        ordered = Effect.JUMPS | Effect.YIELDS | Effect.DIVERGES | Effect.CALLS
        if a & ordered or b & ordered:
            # One of two may run unknown code if the other has no effect that shows.
            harmless = ~Effect.ALLOCATES
            return not (a & harmless and b & harmless) and not (a | b) & (
                Effect.JUMPS | Effect.YIELDS
            )
        if a & Effect.RAISES and b & (Effect.RAISES | Effect.WRITES):
            return False
        if b & Effect.RAISES and a & Effect.WRITES:
            return False
        if a & Effect.WRITES and b & (Effect.READS | Effect.WRITES):
            return False
        return not (b & Effect.WRITES and a & Effect.READS)

    def _is_watched(self, node: Node) -> bool:
        """True inside `try` or `with`: code of this function may run after an exception."""
        for ancestor in node.ancestors():
            if ancestor is self.function:
                return False
            if ancestor.kind in ("try_statement", "with_statement"):
                return True
        return False

    def _children(self, node: Node) -> Effect:
        found = NONE
        for c in node.children:
            if c.named and c.kind not in ("comment", "type"):
                found |= self.effects(c)
        return found

    def _truth(self, node: Node) -> Effect:
        if self.is_triton:
            return NONE
        kind = node.unparenthesized.kind
        if kind in ("not_operator", "comparison_operator"):
            types = self.types.of(node)
            return NONE if types is not None else UNKNOWN_CODE
        types = self.types.of(node)
        if types is None or not types <= SCALARS | CONTAINERS:
            return UNKNOWN_CODE
        return Effect.READS if types & _MUTABLE else NONE

    def _leaf(self, node: Node) -> Effect:
        return NONE

    def _identifier(self, node: Node) -> Effect:
        binding = self.scopes.binding(node)
        if binding is None or id(node) not in self.scopes.loads:
            return NONE
        if binding.is_global:
            if self._is_mangled(node):
                return Effect.READS | Effect.RAISES
            found = self.environment.names.get(binding.name)
            if found is not None and found.is_stable or self.environment.is_builtin(binding.name):
                return NONE
            return Effect.READS | Effect.RAISES
        if self.is_triton:
            return NONE
        if binding.scope is not None and binding.scope.is_dynamic:
            return Effect.READS | Effect.RAISES
        if binding.scope is None or binding.scope.node is not self.function:
            if binding.scope is not None and binding.scope.kind in COMPREHENSIONS:
                return NONE
            return Effect.READS | Effect.RAISES
        found_effect = NONE if self.flow.is_bound(node) else Effect.RAISES
        return found_effect | (Effect.READS if binding.is_captured else NONE)

    def _is_mangled(self, node: Node) -> bool:
        """True where a class around the name makes `__name` another one."""
        name = node.text
        return (
            name.startswith("__")
            and not name.endswith("__")
            and (bool(self.unit.classes) or node.enclosing("class_definition") is not None)
        )

    def _attribute(self, node: Node) -> Effect:
        inner = self.effects(node["object"])
        if self.is_triton:
            return inner
        path = self.path_of(node)
        if path is not None:
            # Attributes of modules: state of the module, and maybe missing.
            return inner | Effect.READS | Effect.RAISES
        return inner | UNKNOWN_CODE

    def _subscript(self, node: Node) -> Effect:
        inner = self._children(node)
        if self.is_triton:
            return inner
        types = self.types.of(node["value"])
        if types is not None and types <= CONTAINERS - {"dict", "set"}:
            keys = [self.types.of(k) for k in node.fields("subscript")]
            if all(k is not None and k <= IMMUTABLE for k in keys):
                return inner | Effect.RAISES | Effect.READS
        return inner | UNKNOWN_CODE

    def _binary(self, node: Node) -> Effect:
        inner = self._children(node)
        if self.is_triton:
            return inner
        a, b = self.types.of(node["left"]), self.types.of(node["right"])
        operator = node.operator
        if a is None or b is None:
            return inner | UNKNOWN_CODE
        if a <= NUMBERS and b <= NUMBERS:
            if operator in _RAISING_OPERATORS:
                return inner | (
                    NONE if self._safe_right(operator, a, node["right"]) else Effect.RAISES
                )
            if operator in ("&", "|", "^"):
                return inner | (NONE if a <= INTEGERS and b <= INTEGERS else Effect.RAISES)
            # A huge int does not convert to float.
            return inner | self._conversion(a, node["left"], b, node["right"])
        if operator == "+" and a == b and len(a) == 1:
            if a <= {"str", "bytes", "tuple"}:
                return inner
            if a <= {"list"}:
                return inner | Effect.READS | Effect.ALLOCATES
        if a <= SCALARS and b <= SCALARS and operator != "%":
            return inner | Effect.RAISES
        return inner | UNKNOWN_CODE

    def _conversion(self, a: frozenset[str], left: Node, b: frozenset[str], right: Node) -> Effect:
        """RAISES where one operand may be a float and the other an int too large for one."""
        if "float" in b and "int" in a and not _is_small(left):
            return Effect.RAISES
        if "float" in a and "int" in b and not _is_small(right):
            return Effect.RAISES
        return NONE

    def _safe_right(self, operator: str, left: frozenset[str], right: Node) -> bool:
        """A literal that keeps division, shift or power from raising."""
        right = right.unparenthesized
        if right.kind not in ("integer", "float") or right.text[-1] in "jJ":
            return False
        try:
            value = float(int(right.text, 0)) if right.kind == "integer" else float(right.text)
        except (ValueError, OverflowError):
            return False
        if operator in ("//", "%"):
            # int // float converts the int, which may be too large
            return value != 0 and (right.kind == "integer" or left <= {"float"})
        if operator == "/":
            return value != 0 and left <= {"float"}
        if operator in ("<<", ">>"):
            return right.kind == "integer" and left <= INTEGERS and value <= 64
        return operator == "**" and right.kind == "integer" and left <= INTEGERS and value <= 64

    def _unary(self, node: Node) -> Effect:
        inner = self._children(node)
        if self.is_triton:
            return inner
        types = self.types.of(node["argument"])
        if types is None or not types <= NUMBERS:
            return inner | UNKNOWN_CODE
        return inner | (Effect.RAISES if node.operator == "~" and not types <= INTEGERS else NONE)

    def _not(self, node: Node) -> Effect:
        return self.test(node["argument"])

    def _comparison(self, node: Node) -> Effect:
        inner = self._children(node)
        operators = {" ".join(c.text.split()) for c in node.fields("operators")}
        if self.is_triton or operators <= {"is", "is not"}:
            return inner
        values = [c for c in node.operands if c.field != "operators"]
        types = [self.types.of(v) for v in values]
        if any(t is None or not t <= SCALARS for t in types):
            return inner | UNKNOWN_CODE
        if operators <= {"==", "!=", "is", "is not"}:
            return inner
        merged: frozenset[str] = frozenset().union(*(t for t in types if t is not None))
        comparable = merged <= NUMBERS or merged == {"str"} or merged == {"bytes"}
        return inner | (NONE if comparable and not operators & {"in", "not in"} else Effect.RAISES)

    def _boolean(self, node: Node) -> Effect:
        return self.test(node["left"]) | self.effects(node["right"])

    def _conditional(self, node: Node) -> Effect:
        yes, condition, no = node.operands
        return self.test(condition) | self.effects(yes) | self.effects(no)

    def _call(self, node: Node) -> Effect:
        path = self.path_of(node["function"])
        arguments = self._children(node["arguments"])
        if self.is_triton:
            function = node["function"]
            if path is None and function.kind == "attribute":
                if function["attribute"].text in _TRITON_METHODS:
                    return arguments | self.effects(function["object"])
            return arguments | self._triton_call(path)
        if path is None or not path.startswith("builtins."):
            return UNKNOWN_CODE | arguments | self.effects(node["function"])
        if node["arguments"].kind != "argument_list":
            return UNKNOWN_CODE | arguments
        name = path.removeprefix("builtins.")
        given = node["arguments"].operands
        if any(g.kind in ("list_splat", "dictionary_splat", "keyword_argument") for g in given):
            return UNKNOWN_CODE | arguments
        types = [self.types.of(g) for g in given]
        if name == "len" and len(given) == 1:
            if types[0] is not None and types[0] <= CONTAINERS:
                return arguments | (NONE if types[0] <= IMMUTABLE | {"tuple"} else Effect.READS)
        if all(t is not None and t <= SCALARS for t in types):
            return arguments | self._scalar_call(name, [t for t in types if t is not None])
        return UNKNOWN_CODE | arguments

    def _scalar_call(self, name: str, types: list[frozenset[str]]) -> Effect:
        merged: frozenset[str] = frozenset().union(*types)
        if name in ("bool", "callable") and len(types) == 1:
            return NONE
        if name in ("str", "repr") and len(types) == 1 and "int" not in merged:
            return NONE  # an int may have too many digits
        if name == "abs" and len(types) == 1 and merged <= NUMBERS:
            return NONE
        if name in ("min", "max") and len(types) > 1 and (merged <= NUMBERS or merged == {"str"}):
            return NONE
        if name == "int" and len(types) == 1 and merged <= INTEGERS:
            return NONE
        if name == "float" and len(types) == 1 and merged <= {"float", "bool"}:
            return NONE
        if name == "range" and merged <= INTEGERS and len(types) in (1, 2):
            return NONE
        if name in _HARMLESS_ON_SCALARS | _MAY_RAISE_ON_SCALARS:
            return Effect.RAISES
        return UNKNOWN_CODE

    def _triton_call(self, path: str | None) -> Effect:
        if path in _TRITON_BUILTINS:
            return NONE
        if path is None or not path.startswith("triton.language."):
            return UNKNOWN_CODE
        return _TRITON_EFFECTS.get(path.rpartition(".")[2], NONE)

    def _string(self, node: Node) -> Effect:
        found = NONE
        for interpolation in node.find("interpolation", "format_expression"):
            value = interpolation.child("expression")
            if value is None:
                return UNKNOWN_CODE
            found |= self.effects(value)
            types = self.types.of(value)
            if types is None or not types <= NUMBERS | {"str", "NoneType"}:
                found |= UNKNOWN_CODE
            elif "int" in types:
                found |= Effect.RAISES  # too many digits
            if any(c.kind == "format_specifier" for c in interpolation.children):
                found |= Effect.RAISES
        return found

    def _display(self, node: Node) -> Effect:
        found = self._children(node) | Effect.ALLOCATES
        if node.kind == "list":
            return found
        keys = node.operands
        if node.kind == "dictionary":
            keys = [p["key"] for p in keys if p.kind == "pair"]
        if any((t := self.types.of(k)) is None or not t <= SCALARS for k in keys):
            found |= UNKNOWN_CODE
        return found

    def _splat(self, node: Node) -> Effect:
        return self._children(node) | UNKNOWN_CODE

    def _function(self, node: Node) -> Effect:
        # Only defaults, decorators and annotations are evaluated now.
        found = Effect.ALLOCATES
        parameters = node.child("parameters")
        if parameters is not None:
            for c in parameters.walk():
                if c.field in ("value", "type") and c.parent is not None:
                    found |= self.effects(c)
        if (returns := node.child("return_type")) is not None:
            found |= self.effects(returns)
        return found

    def _comprehension(self, node: Node) -> Effect:
        found = Effect.ALLOCATES
        if node.kind == "generator_expression":
            # Runs later, whenever somebody asks.
            return found | UNKNOWN_CODE
        for c in node.operands:
            if c.kind == "for_in_clause":
                for source in c.fields("right"):
                    found |= self.effects(source) | self._iteration(source)
                found |= self._target(c["left"])
            elif c.kind == "if_clause":
                found |= self.test(c.operands[0])
            else:
                found |= self.effects(c)
        if node.kind != "list_comprehension":
            found |= UNKNOWN_CODE  # hashes what it collects
        return found

    def _iteration(self, iterable: Node) -> Effect:
        """Effects of stepping through an iterable."""
        if self.is_triton:
            return NONE
        types = self.types.of(iterable)
        if types is None or not types <= CONTAINERS:
            return UNKNOWN_CODE
        if types <= IMMUTABLE | {"tuple"}:
            return NONE
        return Effect.READS | (Effect.RAISES if types & {"dict", "set"} else NONE)

    def _for(self, node: Node) -> Effect:
        source = node["right"]
        found = self.effects(source) | self._iteration(source) | self._target(node["left"])
        body = node.child("body")
        if body is not None:
            found |= self.effects(body)
        alternative = node.child("alternative")
        return found | (self.effects(alternative) if alternative is not None else NONE)

    def _target(self, node: Node) -> Effect:
        """Effects of storing into a target, its own sub-expressions included."""
        if node.kind == "identifier":
            binding = self.scopes.binding(node)
            if binding is not None and binding.is_global or binding is None:
                return Effect.WRITES
            return Effect.WRITES if binding.is_captured else NONE
        if node.kind in ("pattern_list", "tuple_pattern", "list_pattern"):
            found = NONE if self.is_triton else Effect.RAISES | Effect.CALLS  # unpacking
            for c in node.operands:
                found |= self._target(c)
            return found
        if self.is_triton:
            return self._children(node)
        return UNKNOWN_CODE | self._children(node)

    def _assignment(self, node: Node) -> Effect:
        right = node.child("right")
        left = node["left"]
        if right is None:
            return NONE
        found = self.effects(right)
        if left.kind in ("pattern_list", "tuple_pattern"):
            value = right.unparenthesized
            if value.kind in ("expression_list", "tuple") and self._unpacks(left, value):
                for c in left.operands:
                    found |= self._target(c)
                return found
        return found | self._target(left)

    def _unpacks(self, pattern: Node, value: Node) -> bool:
        return len(pattern.operands) == len(value.operands) and not any(
            c.kind in ("list_splat", "list_splat_pattern")
            for c in (*pattern.operands, *value.operands)
        )

    def _augmented(self, node: Node) -> Effect:
        found = self.effects(node["right"]) | self._target(node["left"])
        if self.is_triton:
            return found
        left = node["left"]
        a = self.types.of(left) if left.kind == "identifier" else None
        b = self.types.of(node["right"])
        if left.kind == "identifier":
            found |= self._identifier(left)
        if a is not None and b is not None and a <= NUMBERS and b <= NUMBERS:
            operator = node.operator.removesuffix("=")
            if operator in _RAISING_OPERATORS:
                return found | (
                    NONE if self._safe_right(operator, a, node["right"]) else Effect.RAISES
                )
            if operator in ("&", "|", "^"):
                return found | (NONE if a <= INTEGERS and b <= INTEGERS else Effect.RAISES)
            return found | self._conversion(a, left, b, node["right"])
        if a is not None and a == b and a <= {"str", "bytes"} and node.operator == "+=":
            return found
        return found | UNKNOWN_CODE

    def _walrus(self, node: Node) -> Effect:
        return self.effects(node["value"]) | self._target(node["name"])

    def _if(self, node: Node) -> Effect:
        found = self.test(node["condition"])
        for c in node.operands:
            if c.field != "condition":
                found |= self.effects(c)
        return found

    def _while(self, node: Node) -> Effect:
        return self._if(node) | Effect.DIVERGES

    def _assert(self, node: Node) -> Effect:
        found = Effect.RAISES
        for c in node.operands:
            found |= self.test(c)
        return found

    def _delete(self, node: Node) -> Effect:
        found = NONE
        for c in node.operands:
            if c.kind != "identifier":
                return UNKNOWN_CODE
            found |= self._target(c)
            if not self.is_triton:
                found |= Effect.RAISES
        return found

    def _with(self, node: Node) -> Effect:
        return self._children(node) | UNKNOWN_CODE

    def _try(self, node: Node) -> Effect:
        return self._children(node) | Effect.RAISES

    def _unknown(self, node: Node) -> Effect:
        return self._children(node) | UNKNOWN_CODE


_TRITON_EFFECTS = {
    "load": Effect.READS, "store": Effect.WRITES,
    **dict.fromkeys(
        ("atomic_add", "atomic_cas", "atomic_xchg", "atomic_max", "atomic_min", "atomic_and",
         "atomic_or", "atomic_xor", "debug_barrier", "device_print", "device_assert",
         "inline_asm_elementwise", "static_assert", "static_print"),
        UNKNOWN_CODE,
    ),
}  # fmt: skip

_HANDLERS = {
    "identifier": Facts._identifier,
    **dict.fromkeys(
        ("integer", "float", "true", "false", "none", "ellipsis", "comment", "string_start",
         "string_content", "string_end", "type_conversion"),
        Facts._leaf,
    ),
    "string": Facts._string,
    "attribute": Facts._attribute,
    "subscript": Facts._subscript,
    "binary_operator": Facts._binary,
    "unary_operator": Facts._unary,
    "not_operator": Facts._not,
    "comparison_operator": Facts._comparison,
    "boolean_operator": Facts._boolean,
    "conditional_expression": Facts._conditional,
    "call": Facts._call,
    "list": Facts._display,
    "set": Facts._display,
    "dictionary": Facts._display,
    "list_splat": Facts._splat,
    "dictionary_splat": Facts._splat,
    "lambda": Facts._function,
    "function_definition": Facts._function,
    **dict.fromkeys(COMPREHENSIONS, Facts._comprehension),
    "for_statement": Facts._for,
    "assignment": Facts._assignment,
    "augmented_assignment": Facts._augmented,
    "named_expression": Facts._walrus,
    "if_statement": Facts._if,
    "elif_clause": Facts._if,
    "while_statement": Facts._while,
    "with_statement": Facts._with,
    "assert_statement": Facts._assert,
    "delete_statement": Facts._delete,
    "try_statement": Facts._try,
    "class_definition": Facts._unknown,
    "decorated_definition": Facts._unknown,
    "match_statement": Facts._unknown,
    "ERROR": Facts._unknown,
}  # fmt: skip


def _is_small(node: Node) -> bool:
    """A number literal that converts between int and float without error."""
    node = node.unparenthesized
    return node.kind in ("integer", "float") and len(node.text) < 16


def is_triton_kernel(unit: Unit, function: Node, environment: Environment) -> bool:
    """True for functions decorated with `triton.jit` (with or without arguments)."""
    holder = function.parent
    if holder is None or holder.kind != "decorated_definition":
        return False
    for decorator in holder.children:
        if decorator.kind == "decorator":
            called = decorator.operands[0]
            if called.kind == "call":
                called = called["function"]
            if environment.path_of(unit, called) in ("triton.jit", "triton.runtime.jit.jit"):
                return True
    return False


def facts(module: Module, unit: Unit, node: Node) -> Facts:
    """Facts about the function that holds a node (the node itself, if it is a function's
    definition, or the unit's root where there is none)."""
    function: Node | None = node
    while function is not None and function.kind != "function_definition":
        function = function.parent
    function = function or unit.root
    key = ("facts", id(function), module.environment.key)
    target = function
    return unit.fact(key, lambda: Facts(module, unit, target))
