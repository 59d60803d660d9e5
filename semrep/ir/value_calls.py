"""Calls: functions and methods of the catalogue, layers, Python's own, and unknown code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from semrep.ir.dialects.bind import Bound, bind
from semrep.ir.dialects.catalogue import layer_named, method, resolve
from semrep.ir.dialects.op import REQUIRED, Layer, Spelling
from semrep.ir.signature import LayerType, ScalarType, Signature, TensorType
from semrep.ir.tree import Node
from semrep.ir.value_state import Fresh
from semrep.ir.value_types import scalar_type
from semrep.ir.values import ATTRIBUTE, OP, PARAMETER, TUPLE, Value

if TYPE_CHECKING:
    from semrep.ir.value_expressions import Evaluator

# Python's own functions that look at their arguments and change nothing.
_HARMLESS = frozenset(
    {"len", "int", "float", "bool", "str", "repr", "range", "isinstance", "type", "max", "min",
     "abs", "tuple", "list", "dict", "set", "zip", "enumerate", "print", "sum", "round", "sorted",
     "hasattr", "reversed", "id", "slice", "divmod", "any", "all", "format", "callable",
     "issubclass", "pow"}
)  # fmt: skip
_HARMLESS_PREFIXES = ("math.", "numpy.testing.", "triton.next_power_of_2", "operator.")
# Functions of the frameworks that the catalogue lacks and that change no argument.
_PURE_PREFIXES = ("torch.", "numpy.", "jax.")
_IMPURE_ENDINGS = (
    "_", "load", "save", "compile", "vmap", "jit", "seed", "put", "place", "copyto", "checkpoint",
    "fill_diagonal", "put_along_axis", "apply_along_axis", "shuffle",
)  # fmt: skip
_IMPURE_PREFIXES = (
    "torch.ops", "torch.autograd", "torch.utils", "torch.distributed", "torch.nn.Module",
    "torch.library", "torch.cuda", "jax.experimental", "jax.pure_callback", "numpy.random",
)  # fmt: skip
# Methods that change a module's layers or their settings.
_CHANGES_LAYERS = frozenset(
    {"train", "eval", "to", "half", "float", "double", "bfloat16", "cuda", "cpu", "apply", "type",
     "add_module", "register_module", "register_parameter", "register_buffer", "load_state_dict",
     "register_forward_hook", "register_forward_pre_hook", "setattr", "__setattr__", "append",
     "insert", "extend", "compile"}
)  # fmt: skip


def evaluate_call(self: Evaluator, node: Node) -> Value:
    function = node["function"].unparenthesized
    positional, keywords, is_plain = _arguments(self, node)
    given = [*positional, *keywords.values()]
    path = self.module_names.path_of(self.unit, function)
    if path is not None:
        return _call_path(self, node, path, positional, keywords, is_plain)
    receiver: Value | None = None
    if function.kind == "attribute":
        receiver = self.evaluate(function["object"])
        if self._may_be_array(receiver):
            found = _call_method(self, node, function, receiver, positional, keywords, is_plain)
            if found is not None:
                return found
    callee = _layer_value(self, function, receiver)
    if callee is not None and isinstance(callee.type, LayerType) and is_plain:
        return _call_layer(self, node, callee, callee.type, positional, keywords)
    if receiver is not None:
        given.insert(0, receiver)
        if function["attribute"].text in _CHANGES_LAYERS:
            self.state.stale = True
        label = f"{function['attribute'].text}()"
        is_own = receiver.kind == PARAMETER and receiver.label == self.receiver
        name = ".".join((*self.unit.classes, function["attribute"].text)) if is_own else ""
    else:
        given.insert(0, self.evaluate(function))
        label = f"{function.text[:40]}()"
        binding = self.scopes.binding(function) if function.kind == "identifier" else None
        name = function.text if binding is not None and binding.is_global else ""
    value = self.run_unknown(given, node, label)
    return _seen(self, value, name, positional)


def _seen(self: Evaluator, value: Value, name: str, positional: list[Value]) -> Value:
    """The result of a function of the file, with the type that it was seen to give on arguments
    of these types."""
    found = self.whole.within(name) if self.whole is not None and name else ()
    fitting = [s for s in found if _may_be(s, positional)]
    results = {s.results for s in fitting}
    if len(results) == 1:
        (result,) = results
        if len(result) == 1 and isinstance(result[0], TensorType):
            value.type, value.is_array = result[0], True
            value.framework = result[0].framework
    return value


def _may_be(signature: Signature, positional: list[Value]) -> bool:
    for (_, seen), value in zip(signature.arguments, positional, strict=False):
        known = value.tensor
        if known is None or not isinstance(seen, TensorType):
            continue
        if (known.dtype, known.shape) != (seen.dtype, seen.shape):
            return False
    return True


def apply_bound(
    self: Evaluator,
    bound: Bound[Value],
    node: Node,
    framework: str | None,
    by_function: bool = False,
) -> Value:
    arguments: dict[str, Value] = {}
    for name, argument in bound.given.items():
        if isinstance(argument, tuple):
            arguments[name] = self.tuple_of(list(argument), None)
        else:
            arguments[name] = argument
    for name, constant in bound.filled.items():
        arguments[name] = self.constant(constant)
    flag = arguments.pop("_inplace", None)
    in_place = bound.spelling.in_place or (flag is not None and flag.constant is not False)
    return _finish(self, bound.spelling.op, arguments, node, framework, by_function, in_place)


def _finish(
    self: Evaluator,
    op: Any,
    arguments: dict[str, Value],
    node: Node,
    framework: str | None,
    by_function: bool,
    in_place: bool,
) -> Value:
    if not in_place:
        return self.apply(op, arguments, node, framework, by_function)
    written = arguments[op.parameters[0].name]
    value = self.apply(op, arguments, node, framework, by_function, in_place=True)
    if written.tensor is not None:
        value.type = written.type  # an in-place result keeps its array's type
    self.use(written, "mutated", node)
    # The array that is written and what the call returns are one object.
    self.mutate(written.storage, _Replaced(written, value))
    self.changes.update(n for n, b in self.state.names.items() if b.value is value)
    return value


class _Replaced(Fresh):
    """The written array's own names now mean the call's result; its aliases are opaque."""

    def __init__(self, written: Value, result: Value) -> None:
        super().__init__(True, "mutated in place")
        self._written, self._result = written, result

    def __call__(self, old: Value) -> Value:
        return self._result if old is self._written else super().__call__(old)


def _arguments(self: Evaluator, node: Node) -> tuple[list[Value], dict[str, Value], bool]:
    """Values of the arguments; False where `*` or `**` hides how many there are."""
    positional: list[Value] = []
    keywords: dict[str, Value] = {}
    is_plain = True
    arguments = node["arguments"]
    items = arguments.operands if arguments.kind == "argument_list" else [arguments]
    for item in items:
        if item.kind == "keyword_argument":
            keywords[item["name"].text] = self.evaluate(item["value"])
        elif item.kind in ("list_splat", "dictionary_splat"):
            value = self.evaluate(item.operands[0])
            if item.kind == "list_splat" and value.kind == TUPLE:
                positional.extend(value.elements)
                continue
            is_plain = False
            positional.append(value)
        else:
            positional.append(self.evaluate(item))
    return positional, keywords, is_plain


def _call_path(
    self: Evaluator,
    node: Node,
    path: str,
    positional: list[Value],
    keywords: dict[str, Value],
    is_plain: bool,
) -> Value:
    given = [*positional, *keywords.values()]
    framework = path.partition(".")[0]
    spellings = resolve(path)
    if spellings and is_plain:
        bound = bind(spellings, None, positional, keywords, self.kind_of)
        if bound is not None:
            return apply_bound(self, bound, node, framework, by_function=True)
    if path.startswith("torch.Tensor.") and positional and is_plain:
        # Tensor.add_(x, y): the method with its receiver in the first place.
        return self.run_unknown(given, node, path)
    if path.startswith("builtins.") and path.removeprefix("builtins.") in _HARMLESS:
        return _builtin(self, node, path.removeprefix("builtins."), positional)
    if path.startswith(_HARMLESS_PREFIXES):
        value = self.opaque(path, given, node, frozenset())
        value.is_pure = True
        _fold_math(value, path, positional)
        return value
    if path.startswith(_PURE_PREFIXES) and "out" not in keywords and is_plain:
        short = path.rpartition(".")[2]
        if spellings or not short.endswith(_IMPURE_ENDINGS) and "Function" not in path:
            if not path.startswith(_IMPURE_PREFIXES) and not any(map(_may_be_called, given)):
                return self.opaque(path, given, node)
    return self.run_unknown(given, node, f"{path}()")


def _may_be_called(value: Value) -> bool:
    """A function handed over (`lax.scan(f, …)`) runs, and may do anything."""
    return not (
        value.is_array
        or value.is_constant
        or value.kind in (TUPLE, OP)
        or isinstance(value.type, ScalarType)
    )


def _builtin(self: Evaluator, node: Node, name: str, positional: list[Value]) -> Value:
    holds = name in (
        "tuple",
        "list",
        "dict",
        "set",
        "zip",
        "enumerate",
        "sorted",
        "reversed",
        "max",
        "min",
        "sum",
    )
    value = self.opaque(f"{name}()", positional, node, None if holds else frozenset())
    value.is_pure = name != "print"
    if (
        name in ("int", "float")
        and len(positional) == 1
        and isinstance(positional[0].constant, (int, float))
    ):
        try:
            value.constant = (
                int(positional[0].constant) if name == "int" else float(positional[0].constant)
            )
        except (ValueError, OverflowError):
            return value
        value.type = scalar_type(value.constant)
    elif (
        name == "float"
        and len(positional) == 1
        and str(positional[0].constant).lower().lstrip("+-") in ("inf", "infinity", "nan")
    ):
        return self.constant(float(positional[0].constant), node)
    elif name in ("int", "float", "bool", "str", "len"):
        value.type = ScalarType("int" if name == "len" else name)
    return value


def _fold_math(value: Value, path: str, positional: list[Value]) -> None:
    if not path.startswith("math."):
        return
    value.type = (
        ScalarType("float") if path in ("math.sqrt", "math.exp", "math.log", "math.pow") else None
    )
    if all(isinstance(v.constant, (int, float)) for v in positional):
        try:
            value.constant = getattr(math, path.removeprefix("math."))(
                *(v.constant for v in positional)
            )
        except (ValueError, TypeError, OverflowError, AttributeError):
            return
        value.type = scalar_type(value.constant)


def _call_method(
    self: Evaluator,
    node: Node,
    function: Node,
    receiver: Value,
    positional: list[Value],
    keywords: dict[str, Value],
    is_plain: bool,
) -> Value | None:
    """A method of an array; None where it is no method that the catalogue knows."""
    name = function["attribute"].text
    framework = receiver.framework or self.default_framework
    if framework is None:
        return None
    spellings: tuple[Spelling, ...] = method(framework, name)
    if not spellings and framework == "numpy":
        spellings = ()
    if not spellings or not is_plain or spellings[0].form == "property":
        return None
    bound = bind(spellings, receiver, positional, keywords, self.kind_of)
    given = [receiver, *positional, *keywords.values()]
    if bound is None:
        if receiver.is_array and not name.endswith("_") and "out" not in keywords:
            return self.opaque(f"{name}()", given, node)
        return None
    if receiver.is_array:
        return apply_bound(self, bound, node, framework)
    # Not known to be an array: it is read as one, and as unknown code as well.
    value = apply_bound(self, bound, node, framework)
    reached = self.state.leaked.union(*(v.storage for v in given))
    self.state.leaked = reached
    self.mutate(reached, Fresh(False, f"may be changed by {name}()"))
    self.mutations -= 1
    return value


def _layer_value(self: Evaluator, function: Node, receiver: Value | None) -> Value | None:
    if function.kind == "attribute":
        if receiver is None:
            return None
        if receiver.kind == ATTRIBUTE or receiver.kind == "parameter":
            return self.attribute_path(receiver, function["attribute"].text, function)
        return None
    if function.kind == "identifier":
        binding = self.state.names.get(function.text)
        return binding.value if binding is not None else None
    return None


def _call_layer(
    self: Evaluator,
    node: Node,
    callee: Value,
    type_: LayerType,
    positional: list[Value],
    keywords: dict[str, Value],
) -> Value:
    given = [*positional, *keywords.values()]
    layer = layer_named(type_.name)
    if layer is None or not type_.plain or callee.kind != ATTRIBUTE or not _fits(layer, type_):
        return _call_opaque_layer(self, node, callee, type_, given)
    arguments: dict[str, Value] = {}
    for name, source in layer.arguments.items():
        if isinstance(source, str) and source.startswith("."):
            arguments[name] = _setting(self, callee, type_, source[1:])
        else:
            arguments[name] = self.constant(source)
    free = [p for p in layer.op.parameters if p.name not in arguments]
    for parameter in free:
        if positional:
            arguments[parameter.name] = positional.pop(0)
        elif parameter.name in keywords:
            arguments[parameter.name] = keywords.pop(parameter.name)
        elif parameter.default is not REQUIRED:
            arguments[parameter.name] = self.constant(parameter.default)
        else:
            return _call_opaque_layer(self, node, callee, type_, given)
    if positional or keywords:
        return _call_opaque_layer(self, node, callee, type_, given)
    in_place = arguments.pop("inplace", None)
    writes = in_place is not None and in_place.constant is not False
    value = _finish(self, layer.op, arguments, node, "torch", True, writes)
    if value.op_name == "batch_norm" and not value.is_pure:
        for name in ("running_mean", "running_var"):
            self.mutate(arguments[name].storage, _BuffersOf(callee.label))
            self.mutations -= 1  # nothing else in a statement reads running statistics
    return value


class _BuffersOf(Fresh):
    """Only the layer's own buffers change; parameters and arguments do not alias buffers."""

    def __init__(self, path: str) -> None:
        super().__init__(True, "running statistics")
        self._path = path + "."

    def __call__(self, old: Value) -> Value:
        if old.kind == ATTRIBUTE and old.label.startswith(self._path):
            if old.label.rpartition(".")[2].startswith("running_"):
                return super().__call__(old)
        return old


def _fits(layer: Layer, type_: LayerType) -> bool:
    config = dict(type_.config)
    buffers = {name for name, _ in type_.buffers}
    for name, value in layer.requires.items():
        if name == "track_running_stats" and name not in config:
            if ("running_mean" in buffers) != value:
                return False
        elif name not in config and name in ("max_norm",):
            continue
        elif name not in config or config[name] != value:
            return False
    return True


def _setting(self: Evaluator, callee: Value, type_: LayerType, name: str) -> Value:
    known = {n for n, _ in (*type_.parameters, *type_.buffers)} | {"training"}
    if name != "bias":  # among the settings, `bias` says whether there is one
        known |= {n for n, _ in type_.config}
    if name not in known:
        return self.constant(None)  # an absent bias, a disabled option
    return self.attribute_path(callee, name, None)


def _call_opaque_layer(
    self: Evaluator, node: Node, callee: Value, type_: LayerType, given: list[Value]
) -> Value:
    """A layer of torch.nn that is not understood still changes nothing but its own buffers;
    any other module is unknown code."""
    if type_.name.startswith("torch.nn.") and type_.plain and not type_.get("inplace"):
        if not type_.name.endswith(("Sequential", "ModuleList", "Transformer")):
            return self.opaque(f"{callee.label}()", given, node)
    value = self.run_unknown(given, node, f"{callee.label}()")
    return _seen(self, value, f"{type_.name.rpartition('.')[2]}.forward", given)
