"""What is known of arrays and integers in one function: from its signature, and from the code
that makes and indexes arrays. What is not known is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from semrep.ir.effects import Facts
from semrep.ir.effects import facts as facts_of
from semrep.ir.environment import Environment
from semrep.ir.flow import UNBOUND, Definition
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.signature import OtherType, ScalarType, TensorType
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.array.affine import Affine, Atom, quotient
from semrep.passes.array.calls import arguments, is_plain, returned
from semrep.passes.array.dtypes import division, is_known, is_named, promoted

Shape = tuple[Affine | None, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """An array, tensor, or (rank 0) an element of one.

    weak: one of Python's own numbers, whose type gives way to the arrays' it meets.
    roots: the memory that it may be a view of, none for a value without a name; None: unknown.
    is_whole: it is all of its one root, laid out the same way.
    """

    framework: str
    dtype: str
    shape: Shape = ()
    weak: bool = False
    roots: frozenset[object] | None = frozenset()
    is_whole: bool = False
    is_mixed: bool = False
    """In some runs it is an element, in others one of Python's own numbers."""

    @property
    def rank(self) -> int:
        return len(self.shape)

    def may_share(self, other: Array) -> bool:
        """Whether both may lie in the same memory. What has no name may lie anywhere."""
        return not self.roots or not other.roots or bool(self.roots & other.roots)


def number(dtype: str) -> Array:
    return Array("python", dtype, weak=True)


_ELEMENTWISE = frozenset(
    {"sin", "cos", "tan", "exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "tanh", "sinh",
     "cosh", "arcsin", "arccos", "arctan", "floor", "ceil", "rsqrt", "sigmoid", "erf", "square",
     "reciprocal", "relu"}
)  # fmt: skip
_KEEPS_TYPE = frozenset({"abs", "absolute", "fabs", "negative", "copy", "clone", "square"})
_PAIRWISE = frozenset({"maximum", "minimum", "fmax", "fmin", "add", "subtract", "multiply"})
_MAKERS = {"zeros": 0, "ones": 0, "empty": 0, "full": 0, "ndarray": 0}
_LIKE = frozenset({"zeros_like", "ones_like", "empty_like", "full_like"})
_DTYPES = {
    "float64": "float64", "double": "float64", "float": "float64", "float32": "float32",
    "int64": "int64", "int32": "int32", "int": "int64", "bool": "bool", "bool_": "bool",
    "complex128": "complex128", "complex64": "complex64", "complex": "complex128",
}  # fmt: skip
_RESHAPERS = frozenset({"resize", "resize_", "set_", "setflags", "squeeze_", "unsqueeze_", "t_"})
LIBRARIES = frozenset({"numpy", "torch"})
_DEEPEST = 3
"""Calls within calls that are looked into for the type of a result."""


class ArrayFacts:
    """The door to them. One object for each (module, function)."""

    def __init__(
        self,
        module: Module,
        unit: Unit,
        facts: Facts,
        given: Mapping[str, Array | None] | None = None,
    ) -> None:
        """given: the types of the parameters, where another call than the observed one is
        looked at."""
        self.facts = facts
        self.module = module
        self.unit = unit
        self.flow = facts.flow
        self.scopes = facts.scopes
        self.environment: Environment = module.environment
        signature = module.signature
        is_entry = signature is not None and signature.entry == unit.qualified_name
        is_whole = facts.function is unit.definition
        self.given = given
        self.signature = signature if is_entry and is_whole else None
        self.is_observed = self.signature is not None or given is not None
        self._assumed: dict[object, Array | None] = {}
        self._calling: frozenset[str] = frozenset()
        self._has_reshapers = any(
            n["attribute"].text in _RESHAPERS
            or n["attribute"].text in ("shape", "dtype", "strides", "data")
            and n.parent is not None
            and n.field == "left"
            for n in unit.nodes("attribute")
        )

    # -- arrays -----------------------------------------------------------------------------

    def of(self, node: Node) -> Array | None:
        """The type of an expression's value."""
        node = node.unparenthesized
        handler = _HANDLERS.get(node.kind)
        return handler(self, node) if handler is not None else None

    def variable(self, binding: Binding, reach: frozenset[Definition]) -> Array | None:
        """The type that a variable has with any of some definitions."""
        if not binding.is_local or not reach or UNBOUND in reach:
            return None
        if binding.scope is None or binding.scope.node is not self.facts.function:
            return None
        if binding.scope.is_dynamic:
            return None
        key = (id(binding), frozenset(map(id, reach)))
        if key in self._assumed:
            return self._assumed[key]
        stores = [d for d in reach if isinstance(d, Node)]
        # A definition in a loop may use the name itself: what the others give is assumed for
        # it, and must then come out of it again.
        self._assumed[key] = None
        try:
            first = [self._defined(s) for s in stores]
            known = [f for f in first if f is not None]
            if not known:
                return None
            candidate = _joined(known)
            if candidate is None or len(known) == len(first):
                return candidate
            self._assumed[key] = candidate
            again = [self._defined(s) for s in stores]
            if any(a is None for a in again):
                return None
            result = _joined([a for a in again if a is not None])
            if result is None or _core(result) != _core(candidate):
                return None
            if result.shape != candidate.shape:
                return replace(result, shape=(None,) * result.rank)
            return result
        finally:
            del self._assumed[key]

    def _defined(self, store: Node) -> Array | None:
        parent = store.parent
        if parent is None:
            return None
        if self.flow._is_parameter(store):
            return self._parameter(store)
        if parent.kind == "assignment" and store.field == "left":
            right = parent.child("right")
            if right is None or parent.child("type") is not None:
                return None
            if right.kind == "assignment":
                while right is not None and right.kind == "assignment":
                    right = right.child("right")
                if right is None:
                    return None
            found = self.of(right)
            if found is not None and _is_maker(self, right):
                found = replace(found, roots=frozenset({("made", id(right))}), is_whole=True)
            return found
        if parent.kind == "augmented_assignment":
            before = self.of_load(store)
            if before is None:
                return None
            if before.rank or before.framework == "torch":
                return before
            return self.combined(
                parent.operator.removesuffix("="), before, self.of(parent["right"])
            )
        if parent.kind == "for_statement" and store.field == "left":
            if self.environment.is_builtin_call(
                self.unit, parent["right"].unparenthesized, "range"
            ):
                return number("int64")
        if parent.kind in ("pattern_list", "tuple_pattern"):
            return self._unpacked(store, parent)
        return None

    def _unpacked(self, store: Node, pattern: Node) -> Array | None:
        holder = pattern.parent
        if holder is None or holder.kind != "assignment" or pattern.field != "left":
            return None
        right = holder["right"].unparenthesized
        if any(c.kind != "identifier" for c in pattern.operands):
            return None
        if self._shape_of(right) is not None:
            return number("int64")
        if right.kind in ("expression_list", "tuple"):
            if len(right.operands) == len(pattern.operands):
                value = right.operands[pattern.operands.index(store)]
                return self.of(value) if value.kind != "list_splat" else None
        return None

    def of_load(self, identifier: Node) -> Array | None:
        binding = self.scopes.binding(identifier)
        if binding is None or binding.is_global:
            return None
        return self.variable(binding, self.flow.reaching(identifier))

    def _parameter(self, store: Node) -> Array | None:
        parent = store.parent
        if parent is not None and parent.kind in ("list_splat_pattern", "dictionary_splat_pattern"):
            return None
        if self.given is not None:
            return None if self._has_reshapers else self.given.get(store.text)
        seen = self.signature.of(store.text) if self.signature is not None else None
        if isinstance(seen, ScalarType):
            dtype = {"int": "int64", "float": "float64", "bool": "bool"}.get(seen.name)
            return number(dtype) if dtype is not None else None
        if isinstance(seen, OtherType):
            library, _, dtype = seen.name.rpartition(".")
            return Array("numpy", dtype) if library == "numpy" and is_known(dtype) else None
        if isinstance(seen, TensorType) and seen.framework in LIBRARIES and is_named(seen.dtype):
            if seen.requires_grad or self._has_reshapers:
                return None
            shape = tuple(
                Affine([(Atom(("shape", id(store), k), f"{store.text}.shape[{k}]", 0, size), 1)])
                for k, size in enumerate(seen.shape)
            )
            root = frozenset({("argument", store.text)})
            return Array(seen.framework, seen.dtype, shape, roots=root, is_whole=True)
        return None

    # -- expressions ------------------------------------------------------------------------

    def _identifier(self, node: Node) -> Array | None:
        return self.of_load(node)

    def _literal(self, node: Node) -> Array | None:
        if node.text[-1] in "jJ":
            return number("complex128")
        return number("int64" if node.kind == "integer" else "float64")

    def _bool(self, node: Node) -> Array | None:
        return number("bool")

    def _attribute(self, node: Node) -> Array | None:
        path = self.facts.path_of(node)
        if path is not None:
            if path in ("numpy.pi", "numpy.e", "numpy.inf", "math.pi", "math.e", "math.inf"):
                return number("float64")
            return None
        name = node["attribute"].text
        base = self.of(node["object"])
        if base is None or base.weak:
            return None
        if name == "T" and base.rank == 2:
            return replace(base, shape=base.shape[::-1], is_whole=False)
        if name == "size" and base.framework == "numpy":
            return number("int64")
        if name == "ndim":
            return number("int64")
        return None

    def _shape_of(self, node: Node) -> Array | None:
        """The array of which an expression is the shape."""
        node = node.unparenthesized
        if node.kind == "attribute" and node["attribute"].text == "shape":
            found = self.of(node["object"])
            return found if found is not None and not found.weak else None
        return None

    def _subscript(self, node: Node) -> Array | None:
        if self._shape_of(node["value"]) is not None:
            return number("int64") if len(node.fields("subscript")) == 1 else None
        base = self.of(node["value"])
        if base is None or base.weak:
            return None
        shape: list[Affine | None] = []
        position = 0
        subscripts = node.fields("subscript")
        if sum(s.kind == "ellipsis" for s in subscripts) > 1:
            return None
        taken = sum(s.kind not in ("none", "ellipsis") for s in subscripts)
        for s in subscripts:
            if s.kind == "ellipsis":
                kept = base.rank - taken
                shape += base.shape[position : position + kept]
                position += kept
                continue
            if s.kind == "none" or self.facts.path_of(s) == "numpy.newaxis":
                taken -= s.kind != "none"
                shape.append(Affine((), 1))
                continue
            if position >= base.rank:
                return None
            if s.kind == "slice":
                shape.append(self._slice_size(s, base.shape[position]))
            elif not self.is_integer(s):
                return None
            position += 1
        shape += base.shape[position:]
        return replace(base, shape=tuple(shape), is_whole=False)

    def _slice_size(self, node: Node, size: Affine | None) -> Affine | None:
        return size if node.text.strip() == ":" else None

    def is_integer(self, node: Node) -> bool:
        """Whether an expression is one of Python's or NumPy's integers, bool apart."""
        found = self.of(node)
        return (
            found is not None
            and not found.rank
            and found.dtype in ("int64", "int32")
            and found.framework != "torch"
        )

    def _unary(self, node: Node) -> Array | None:
        found = self.of(node["argument"])
        if found is None or found.dtype == "bool" or node.operator not in "+-":
            return None
        if node.operator == "+" and found.framework == "torch":
            return None  # is the tensor itself
        return replace(found, roots=frozenset(), is_whole=False)

    def _binary(self, node: Node) -> Array | None:
        return self.combined(node.operator, self.of(node["left"]), self.of(node["right"]))

    def combined(self, operator: str, a: Array | None, b: Array | None) -> Array | None:
        """The type of a binary operation's result."""
        if a is None or b is None:
            return None
        frameworks = {a.framework, b.framework} - {"python"}
        if len(frameworks) > 1:
            return None
        framework = frameworks.pop() if frameworks else "python"
        mixed = False
        if a.is_mixed or b.is_mixed:
            if a.dtype != b.dtype:
                return None
            mixed = a.is_mixed and b.is_mixed or a.weak or b.weak
            if mixed and (a.dtype != "float64" or operator not in "+-*"):
                return None
        dtype = promoted(a.dtype, a.weak, b.dtype, b.weak, framework)
        if dtype is None or operator in ("<<", ">>", "&", "|", "^"):
            if a.dtype == b.dtype and operator in ("&", "|", "^"):
                dtype = a.dtype
            else:
                return None
        if operator == "@":
            return self._product(a, b, dtype, framework)
        if operator == "/":
            dtype = division(dtype, framework)
        if operator == "**" and a.weak and b.weak:
            if a.dtype != "float64":
                return None
        if dtype == "bool" and operator not in ("&", "|", "^"):
            return None
        shape = _broadcast(a.shape, b.shape)
        return Array(framework, dtype, shape, a.weak and b.weak, is_mixed=mixed)

    def _product(self, a: Array, b: Array, dtype: str, framework: str) -> Array | None:
        if not a.rank or not b.rank or a.rank > 2 or b.rank > 2:
            return None
        shape = a.shape[:-1] + (b.shape[1:] if b.rank > 1 else ())
        return Array(framework, dtype, shape)

    def _comparison(self, node: Node) -> Array | None:
        operands = [o for o in node.operands if o.field != "operators"]
        operators = {" ".join(c.text.split()) for c in node.fields("operators")}
        if len(operands) != 2 or not operators <= {"<", "<=", ">", ">=", "==", "!="}:
            return None
        found = self.combined("-", *(self._plain(o) for o in operands))
        return replace(found, dtype="bool", is_mixed=False) if found is not None else None

    def _plain(self, node: Node) -> Array | None:
        found = self.of(node)
        return replace(found, dtype="int64") if found and found.dtype == "bool" else found

    def _conditional(self, node: Node) -> Array | None:
        yes, _, no = node.operands
        return either(self.of(yes), yes, self.of(no), no)

    def _call(self, node: Node) -> Array | None:
        if node["arguments"].kind != "argument_list":
            return None
        path = self.facts.path_of(node["function"])
        given = node["arguments"].operands
        if any(g.kind in ("list_splat", "dictionary_splat") for g in given):
            return None
        plain = [g for g in given if g.kind != "keyword_argument"]
        named = {g["name"].text: g["value"] for g in given if g.kind == "keyword_argument"}
        if path is None:
            if node["function"].kind == "identifier":
                return self._own_function(node)
            return self._method(node, plain, named)
        library, _, name = path.rpartition(".")
        types = [self.of(g) for g in plain]
        if library == "builtins":
            return self._builtin(name, types, plain)
        if library == "math":
            return number("float64") if all(t is not None and not t.rank for t in types) else None
        if library not in LIBRARIES:
            return None
        if name in _LIKE and len(plain) == 1 and types[0] is not None:
            dtype = self._dtype(named.get("dtype"), types[0].dtype)
            is_plain = set(named) <= {"dtype"} and not types[0].weak
            return replace(types[0], dtype=dtype) if dtype is not None and is_plain else None
        if name in _MAKERS:
            return self._made(library, name, plain, named)
        if name == "eye" and library == "numpy" and len(plain) == 1:
            found = self._made(library, name, plain, named)
            return replace(found, shape=found.shape * 2) if found and found.rank == 1 else None
        if named or not types or any(t is None for t in types):
            return self._reduced(library, name, plain, named)
        return self._called(library, name, [t for t in types if t is not None], plain)

    def _own_function(self, node: Node) -> Array | None:
        """The type of what a function of this module returns."""
        name = node["function"].text
        found, placed = self.environment.names.get(name), self.module.function(name)
        binding = self.scopes.binding(node["function"])
        if binding is None or not binding.is_global or found is None or placed is None:
            return None
        if not found.is_stable or found.kind != "function" or name in self._calling:
            return None
        unit, function = placed.unit, placed.unit.definition
        if function is None or len(self._calling) >= _DEEPEST:
            return None
        given = arguments(function, node, self) if is_plain(function) else None
        if given is None:
            return None
        known = ArrayFacts(self.module, unit, facts_of(self.module, unit, function), given)
        known._calling = self._calling | {name}
        return returned(function, known)

    def _builtin(self, name: str, types: list[Array | None], given: list[Node]) -> Array | None:
        if name == "len":
            return number("int64")
        if name == "abs" and len(types) == 1 and types[0] is not None and types[0].dtype != "bool":
            return replace(types[0], roots=frozenset(), is_whole=False)
        if name == "float" and len(types) == 1 and types[0] is not None and not types[0].rank:
            return number("float64")
        if name in ("min", "max") and len(types) == 2 and all(t and not t.rank for t in types):
            return either(types[0], given[0], types[1], given[1])
        return None

    def _called(
        self, library: str, name: str, types: list[Array], given: list[Node]
    ) -> Array | None:
        first = types[0]
        if any(t.is_mixed and t.dtype != "float64" or not is_known(t.dtype) for t in types):
            return None
        if len(types) == 1 and name in (*_ELEMENTWISE, *_KEEPS_TYPE):
            dtype = first.dtype
            if dtype.startswith(("int", "bool")) and name not in _KEEPS_TYPE:
                dtype = division(dtype, library)
            return Array(library, dtype, first.shape)
        if len(types) == 2 and name in _PAIRWISE:
            found = self.combined("+", *types)
            if found is None:
                return None
            return replace(found, framework=library, weak=False, is_mixed=False)
        if name in ("dot", "matmul") and len(types) == 2:
            return self.combined("@", *types)
        if name == "outer" and [t.rank for t in types] == [1, 1]:
            found = self.combined("*", replace(types[0], shape=()), replace(types[1], shape=()))
            shape = types[0].shape + types[1].shape
            return replace(found, shape=shape) if found is not None else None
        return self._reduced(library, name, given, {})

    def _reduced(
        self, library: str, name: str, given: list[Node], named: dict[str, Node]
    ) -> Array | None:
        if name not in ("sum", "mean", "max", "min", "amax", "amin", "prod", "std", "var"):
            return None
        axes = {"axis", "dim"}
        if not given or len(given) > 2 or set(named) - axes - {"keepdims"}:
            return None
        keeps = named["keepdims"].kind == "true" if "keepdims" in named else False
        if "keepdims" in named and not keeps and named["keepdims"].kind != "false":
            return None
        found = self.of(given[0])
        if found is None or found.weak or not found.dtype.startswith(("float", "complex")):
            return None
        axis = given[1] if len(given) == 2 else next((named[a] for a in axes if a in named), None)
        taken = reduced_axes(axis, found.rank)
        if taken is None or library == "torch" and name not in ("sum", "mean"):
            return None
        one = Affine((), 1)
        kept = [one if k in taken else s for k, s in enumerate(found.shape)]
        shape = tuple(s for k, s in enumerate(kept) if keeps or k not in taken)
        return Array(found.framework, found.dtype, shape)

    def _method(self, node: Node, given: list[Node], named: dict[str, Node]) -> Array | None:
        function = node["function"]
        if function.kind != "attribute":
            return None
        base = self.of(function["object"])
        if base is None or base.weak:
            return None
        name = function["attribute"].text
        if name in ("copy", "clone") and not given and not named:
            return replace(base, roots=frozenset(), is_whole=False)
        if name == "size" and base.framework == "torch" and len(given) == 1 and not named:
            return number("int64")
        if name in ("sum", "mean", "max", "min", "prod"):
            return self._reduced(base.framework, name, [function["object"], *given], named)
        return None

    def _made(
        self, library: str, name: str, given: list[Node], named: dict[str, Node]
    ) -> Array | None:
        wanted = 2 if name == "full" else 1
        sizes = given[0].unparenthesized if given else None
        if library == "torch" and name != "full" and len(given) > 1:
            dims: list[Node] = list(given)
        elif sizes is None:
            return None
        elif self._shape_of(sizes) is not None:
            source = self._shape_of(sizes)
            dtype = self._dtype(
                given[wanted] if len(given) > wanted else named.get("dtype"),
                "float64" if library == "numpy" else "float32",
            )
            is_plain = set(named) <= {"dtype"} and (name != "full" or "dtype" in named)
            if source is None or dtype is None or not is_plain:
                return None
            return Array(library, dtype, source.shape)
        else:
            dims = sizes.operands if sizes.kind in ("tuple", "list") else [sizes]
            if library == "numpy" and len(given) > wanted + 1:
                return None
        if any(not self.is_integer(d) for d in dims) or set(named) - {"dtype"}:
            return None
        kind = named.get("dtype")
        if library == "numpy" and kind is None and len(given) > wanted:
            kind = given[wanted]
        if name == "full" and kind is None:
            return None
        dtype = self._dtype(kind, "float64" if library == "numpy" else "float32")
        if dtype is None:
            return None
        return Array(library, dtype, tuple(self.affine(d) for d in dims))

    def _dtype(self, node: Node | None, default: str) -> str | None:
        if node is None:
            return default
        node = node.unparenthesized
        if node.kind == "attribute" and node["attribute"].text == "dtype":
            found = self.of(node["object"])
            return found.dtype if found is not None and not found.weak else None
        path = self.facts.path_of(node)
        if path is None:
            return None
        library, _, name = path.rpartition(".")
        if library in (*LIBRARIES, "builtins"):
            return _DTYPES.get(name)
        return None

    # -- integers ---------------------------------------------------------------------------

    def affine(self, node: Node, *, resolve: bool = True) -> Affine | None:
        """An integer expression as a sum. resolve: names are followed to what they were
        computed from, so that equal integers get equal sums; otherwise they stand as written."""
        node = node.unparenthesized
        if node.kind == "integer":
            try:
                return Affine((), int(node.text, 0))
            except ValueError:
                return None
        if node.kind == "unary_operator" and node.operator == "-":
            inner = self.affine(node["argument"], resolve=resolve)
            return inner.scaled(-1) if inner is not None else None
        if node.kind == "binary_operator":
            left = self.affine(node["left"], resolve=resolve)
            right = self.affine(node["right"], resolve=resolve)
            if left is None or right is None:
                return None
            if node.operator in "+-":
                return left + right if node.operator == "+" else left - right
            if node.operator == "*" and (left.is_constant or right.is_constant):
                one, other = (left, right) if right.is_constant else (right, left)
                return one.scaled(other.constant)
            if node.operator == "//" and right.is_constant and right.constant > 0:
                return Affine([(quotient(left, right.constant), 1)])
            return None
        if node.kind == "identifier":
            return self._name(node, resolve)
        return self._size(node, resolve)

    def _size(self, node: Node, resolve: bool) -> Affine | None:
        """`a.shape[k]`, `len(a)`, `a.size` of one dimension."""
        array: Array | None = None
        axis = 0
        if node.kind == "subscript":
            array = self._shape_of(node["value"])
            subscripts = node.fields("subscript")
            if array is None or len(subscripts) != 1:
                return None
            index = self.affine(subscripts[0])
            if index is None or not index.is_constant:
                return None
            axis = index.constant
        elif node.kind == "call" and self.environment.is_builtin_call(self.unit, node, "len"):
            given = node["arguments"].operands
            array = self.of(given[0]) if len(given) == 1 else None
        elif node.kind == "attribute" and node["attribute"].text == "size":
            array = self.of(node["object"])
            if array is None or array.rank != 1 or array.framework != "numpy":
                return None
        if array is None or not -array.rank <= axis < array.rank:
            return None
        size = array.shape[axis]
        if not resolve:
            text = " ".join(node.text.split())
            return Affine([(Atom(("text", text), text, 0, size.seen if size else None), 1)])
        return size

    def _name(self, node: Node, resolve: bool) -> Affine | None:
        binding = self.scopes.binding(node)
        if binding is None or binding.is_global or not self.is_integer(node):
            return None
        if (found := self.of(node)) is None or not found.weak:
            return None  # NumPy's integers wrap around
        reach = self.flow.reaching(node)
        store = next(iter(reach)) if len(reach) == 1 else None
        if isinstance(store, Node):
            loop = store.parent
            if loop is not None and loop.kind == "for_statement" and store.field == "left":
                if node.is_inside(loop["body"]):
                    return Affine([(self.counter(loop), 1)])
            if resolve and (value := self._resolved(store, node)) is not None:
                return value
        key = ("name", id(binding), frozenset(map(id, reach)))
        atom = Atom(key, node.text, None, self._seen(store, node.text))
        return Affine([(atom, 1)])

    def _seen(self, store: Definition | None, name: str) -> int | None:
        if not isinstance(store, Node) or not self.flow._is_parameter(store):
            return None
        seen = self.signature.of(name) if self.signature is not None else None
        if isinstance(seen, ScalarType) and seen.name == "int" and seen.value is not None:
            return int(seen.value)
        return None

    def counter(self, loop: Node) -> Atom:
        """The atom for the counter of a `for`, inside of it."""
        return Atom(("counter", id(loop)), loop["left"].text)

    def _resolved(self, store: Node, load: Node) -> Affine | None:
        """The sum that a variable was given by its one definition."""
        parent = store.parent
        if parent is None:
            return None
        value: Node | None = None
        size: tuple[Array, int] | None = None
        if parent.kind == "assignment" and store.field == "left" and parent.child("type") is None:
            value = parent.child("right")
        elif parent.kind in ("pattern_list", "tuple_pattern"):
            holder = parent.parent
            if holder is None or holder.kind != "assignment" or parent.field != "left":
                return None
            index = parent.operands.index(store)
            right = holder["right"].unparenthesized
            array = self._shape_of(right)
            if array is not None:
                if len(parent.operands) != array.rank:
                    return None
                size = (array, index)
                value = right
            elif right.kind in ("expression_list", "tuple"):
                if len(right.operands) != len(parent.operands):
                    return None
                if any(c.kind == "list_splat" for c in right.operands):
                    return None
                value = right.operands[index]
        if value is None or value.kind == "assignment":
            return None
        for name in value.find("identifier"):
            binding = self.scopes.binding(name)
            if binding is None or binding.is_global:
                continue
            if not self.flow.is_unchanged(store, load, binding):
                return None
        if size is not None:
            return size[0].shape[size[1]]
        return self.affine(value)


def either(a: Array | None, one: Node, b: Array | None, other: Node) -> Array | None:
    """The type of what is the one value or the other. A number of Python's own beside an array
    passes for one of its elements only where that is exactly the same number."""
    if a is None or b is None or a.rank or b.rank:
        return None  # one of two arrays is no new one
    for strong, weak, node in ((a, b, other), (b, a, one)):
        if not strong.weak and weak.weak:
            literal = node.unparenthesized.kind == "integer"
            if (
                strong.dtype == "float64"
                and weak.dtype in ("float64", "int64")
                or (literal and len(node.text) < 5 and strong.dtype.startswith(("float", "int")))
            ):
                return replace(strong, roots=frozenset(), is_whole=False, is_mixed=True)
            return None
    if (a.framework, a.dtype, a.weak) != (b.framework, b.dtype, b.weak):
        return None
    mixed = a.is_mixed or b.is_mixed
    return replace(a, roots=frozenset(), is_whole=False, is_mixed=mixed)


def reduced_axes(axis: Node | None, rank: int) -> frozenset[int] | None:
    """The dimensions that a literal `axis` names; all where there is none."""
    if axis is None:
        return frozenset(range(rank))
    axis = axis.unparenthesized
    found: set[int] = set()
    for part in axis.operands if axis.kind == "tuple" else [axis]:
        try:
            value = int(part.text.replace(" ", ""))
        except ValueError:
            return None
        if not -rank <= value < rank:
            return None
        found.add(value % rank)
    return frozenset(found)


def _broadcast(a: Shape, b: Shape) -> Shape:
    one = Affine((), 1)
    short, long = sorted((a, b), key=len)
    padded: Shape = (one,) * (len(long) - len(short)) + short
    found: list[Affine | None] = []
    for x, y in zip(padded, long):
        if x == one:
            found.append(y)
        elif y == one or x == y:
            found.append(x)
        else:
            found.append(None)
    return tuple(found)


def _core(a: Array) -> tuple[object, ...]:
    return a.framework, a.dtype, a.rank, a.weak, a.is_mixed


def _joined(types: list[Array]) -> Array | None:
    first, *rest = types
    for other in rest:
        if _core(other) != _core(first):
            return None
        shape = tuple(
            x if x is not None and x == y else None for x, y in zip(first.shape, other.shape)
        )
        roots = first.roots | other.roots if None not in (first.roots, other.roots) else None  # type: ignore[operator]
        whole = first.is_whole and other.is_whole and first.roots == other.roots
        first = replace(first, shape=shape, roots=roots, is_whole=whole)
    return first


def _is_maker(arrays: ArrayFacts, node: Node) -> bool:
    """Whether an expression makes an array in memory of its own."""
    node = node.unparenthesized
    if node.kind in ("binary_operator", "unary_operator", "comparison_operator"):
        return True
    if node.kind != "call":
        return False
    function = node["function"]
    path = arrays.facts.path_of(function)
    if path is None:
        return function.kind == "attribute" and function["attribute"].text in (
            "copy", "clone", "sum", "mean", "max", "min", "prod",
        )  # fmt: skip
    return path.rpartition(".")[0] in LIBRARIES


_HANDLERS = {
    "identifier": ArrayFacts._identifier,
    "integer": ArrayFacts._literal,
    "float": ArrayFacts._literal,
    "true": ArrayFacts._bool,
    "false": ArrayFacts._bool,
    "attribute": ArrayFacts._attribute,
    "subscript": ArrayFacts._subscript,
    "unary_operator": ArrayFacts._unary,
    "binary_operator": ArrayFacts._binary,
    "comparison_operator": ArrayFacts._comparison,
    "conditional_expression": ArrayFacts._conditional,
    "call": ArrayFacts._call,
}


def array_facts(module: Module, unit: Unit, facts: Facts) -> ArrayFacts:
    # What a call gives is up to the text of other units, too.
    key = ("arrays", id(facts.function))
    return module.fact(key, lambda: ArrayFacts(module, unit, facts))
