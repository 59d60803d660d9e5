# ruff: noqa: E501 (one spelling, one line)
"""The table of operations and their spellings, filled by the family files at first use."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from semrep.ir.dialects.op import (
    ELEMENTWISE,
    FUNCTION,
    METHOD,
    PROPERTY,
    PURE,
    TRANSCENDENTAL,
    DType,
    Layer,
    Op,
    Purity,
    Spelling,
    mutates,
    parse_parameters,
    parse_spelled,
)

FAMILIES = (
    "elementwise", "activation", "reduction", "linalg", "shape", "indexing", "creation",
    "convolution", "pooling", "normalization", "losses", "random", "conversion", "triton",
)  # fmt: skip

# How spellings are abbreviated in the tables.
ABBREVIATIONS = {
    "Tensor": "torch.Tensor",
    "F": "torch.nn.functional",
    "nn": "torch.nn",
    "np": "numpy",
    "ndarray": "numpy.ndarray",
    "jnp": "jax.numpy",
    "lax": "jax.lax",
    "jnn": "jax.nn",
    "Array": "jax.Array",
    "tl": "triton.language",
}

_METHODS_OF = {"torch.Tensor": "torch", "numpy.ndarray": "numpy", "jax.Array": "jax"}

# Names that stand for an element type in one of the frameworks.
_DTYPES = {
    "float16": "float16", "half": "float16", "bfloat16": "bfloat16", "float32": "float32",
    "float": "float32", "float64": "float64", "double": "float64", "int8": "int8",
    "uint8": "uint8", "int16": "int16", "int32": "int32", "int": "int32", "int64": "int64",
    "long": "int64", "bool": "bool", "bool_": "bool", "complex64": "complex64",
    "complex128": "complex128",
}  # fmt: skip

_ops: dict[str, Op] = {}
# path → (op, form, signature text), parsed at first use: most spellings are never looked up.
_spelled: dict[str, list[tuple[Op, str, str]]] = {}
_of_op: dict[str, list[str]] = {}
_layers: dict[str, Layer] = {}


def op(
    name: str,
    parameters: str,
    *spellings: str,
    reference: str = "",
    purity: Purity = PURE,
    cost: str = ELEMENTWISE,
    commutative: bool = False,
    elementwise: bool = False,
    monotone: str = "",
    results: int = 1,
) -> Op:
    """Add one operation. The first spelling of each framework and form is the one that is
    written. Raises ValueError where the name is taken."""
    if name in _ops:
        raise ValueError(f"two operations are called {name!r}")
    made = Op(
        name, parse_parameters(parameters), purity, reference or f"torch.{name}", cost,
        commutative, elementwise, monotone, results,
    )  # fmt: skip
    _ops[name] = made
    for text in spellings:
        spell_also(made, text)
    return made


def spell_also(made: Op, text: str) -> None:
    """Add the spellings of one line: paths that share a signature."""
    head, bracket, tail = text.partition("(")
    for short in head.split(","):
        path = _unabbreviated(short.strip())
        owner = path.rpartition(".")[0]
        form = FUNCTION if bracket else PROPERTY
        if owner in _METHODS_OF and bracket:
            form = METHOD
        signature = tail if "->" in tail else tail.removesuffix(")")
        _spelled.setdefault(path, []).append((made, form, signature))
        _of_op.setdefault(made.name, []).append(path)


def unary(
    name: str, *spellings: str, cost: str = TRANSCENDENTAL, monotone: str = "", reference: str = ""
) -> Op:
    """An elementwise function of one array: spellings are bare paths ("np.exp")."""
    lines = [f"{path}(input, /)" for path in spellings]
    return op(name, "input, /", *lines, cost=cost, elementwise=True, monotone=monotone, reference=reference)  # fmt: skip


def layer(
    path: str, op_name: str, requires: Mapping[str, Any] | None = None, **arguments: Any
) -> None:
    """Add a layer class. `.name` stands for the layer's own attribute."""
    full = _unabbreviated(path)
    _layers[full] = Layer(full, _ops[op_name], arguments, requires or {})


def _unabbreviated(path: str) -> str:
    head, dot, rest = path.partition(".")
    return ABBREVIATIONS.get(head, head) + dot + rest


@functools.cache
def _load() -> None:
    for family in FAMILIES:
        importlib.import_module(f"semrep.ir.dialects.{family}")


def op_named(name: str) -> Op:
    """Raises KeyError for a name the catalogue does not have."""
    _load()
    return _ops[name]


def ops() -> Iterator[Op]:
    _load()
    return iter(_ops.values())


@functools.cache
def resolve(path: str) -> tuple[Spelling, ...]:
    """What a dotted path may mean: the overloads in the order in which they are to be tried;
    empty where the catalogue does not know it. Only paths of functions, not of methods. A
    trailing underscore on a torch function makes the in-place form of the op without it."""
    _load()
    found = _parsed(path)
    if not found and path.startswith("torch.") and path.endswith("_"):
        return tuple(_in_place(s, path) for s in _parsed(path[:-1]))
    return found


@functools.cache
def method(framework: str, name: str) -> tuple[Spelling, ...]:
    """The same for a method or property of a framework's array. A trailing underscore on a
    torch method makes the in-place form of the op without it."""
    _load()
    for owner, of in _METHODS_OF.items():
        if of != framework:
            continue
        if found := _parsed(f"{owner}.{name}"):
            return found
        if framework == "torch" and name.endswith("_") and not name.endswith("__"):
            return tuple(_in_place(s, f"{owner}.{name}") for s in _parsed(f"{owner}.{name[:-1]}"))
    return ()


@functools.cache
def method_names() -> frozenset[str]:
    """Names of all methods and properties of arrays, for cheap filters."""
    _load()
    names = {p.rpartition(".")[2] for p in _spelled if p.rpartition(".")[0] in _METHODS_OF}
    return frozenset(names)


@functools.cache
def spellings_of(op_name: str) -> tuple[Spelling, ...]:
    """All spellings of an op, the preferred ones first."""
    _load()
    return tuple(
        s for path in _of_op.get(op_name, ()) for s in _parsed(path) if s.op.name == op_name
    )


def layer_named(path: str) -> Layer | None:
    """The layer class of a dotted path (private submodules of torch.nn allowed)."""
    _load()
    found = _layers.get(path)
    if found is None and path.startswith("torch.nn.modules."):
        found = _layers.get(f"torch.nn.{path.rpartition('.')[2]}")
    return found


def layers() -> Iterator[Layer]:
    _load()
    return iter(_layers.values())


def dtype_of_path(path: str) -> DType | None:
    """The element type that `torch.float32`, `numpy.float32`, … stand for."""
    owner, _, name = path.rpartition(".")
    if owner == "numpy" and name in ("float", "int", "long", "half", "double"):
        name = {"half": "float16", "double": "float64"}.get(name, "")
    if owner in ("torch", "numpy", "jax.numpy") and name in _DTYPES:
        return DType(_DTYPES[name])
    return None


def _parsed(path: str) -> tuple[Spelling, ...]:
    found = []
    for made, form, text in _spelled.get(path, ()):
        parameters, fixed = parse_spelled(text)
        found.append(Spelling(made, path, form, parameters, fixed))
    return tuple(found)


def _in_place(s: Spelling, path: str) -> Spelling:
    return Spelling(s.op, path, s.form, s.parameters, s.fixed, in_place=True)


__all__ = ["mutates", "op", "resolve"]
