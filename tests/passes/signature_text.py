"""Type facts as text, for case files:

    Model.forward(x: f32[64, 512], self.linear: Linear(512, 2048), self.scale: 2.0)
    total(x: np.f32[8, 16], w: np.f32[16, 4])

Arrays are torch's unless `np.` or `jnp.` stands before them; a layer is a call of a class of
torch.nn, with `.eval()` behind it where it is not training; anything else is a scalar.
"""

from __future__ import annotations

import ast
from typing import Any

from semrep.ir.signature import ScalarType, Signature, TensorType, ValueType

_DTYPES = {
    "f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "i64": "int64",
    "i32": "int32", "bool": "bool", "c64": "complex64",
}  # fmt: skip
_FRAMEWORKS = {"np": "numpy", "jnp": "jax", "torch": "torch"}


def parse_signature(text: str) -> Signature:
    """The signature that a case file's block describes. Raises ValueError."""
    entry, bracket, inside = text.strip().partition("(")
    if not bracket or not inside.endswith(")"):
        raise ValueError(f"a signature looks like name(x: f32[2, 3]): {text!r}")
    arguments: list[tuple[str, ValueType]] = []
    members: dict[str, ast.expr] = {}
    for name, fact in _facts(inside[:-1]):
        if name.startswith("self."):
            members[name.removeprefix("self.")] = fact
        else:
            arguments.append((name, _type(fact)))
    return Signature(entry.strip(), tuple(arguments), _attributes(members))


def _facts(text: str) -> list[tuple[str, ast.expr]]:
    found: list[tuple[str, ast.expr]] = []
    depth, start = 0, 0
    parts: list[str] = []
    for position, character in enumerate(text):
        depth += character in "([{"
        depth -= character in ")]}"
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    for part in parts:
        name, colon, fact = part.partition(":")
        if colon:
            found.append((name.strip(), ast.parse(fact.strip(), mode="eval").body))
    return found


def _type(fact: ast.expr) -> ValueType:
    if (tensor := _tensor(fact)) is not None:
        return tensor
    value = ast.literal_eval(fact)
    return ScalarType(type(value).__name__, repr(value))


def _tensor(fact: ast.expr) -> TensorType | None:
    if not isinstance(fact, ast.Subscript):
        return None
    framework, name = "torch", fact.value
    if isinstance(name, ast.Attribute):
        assert isinstance(name.value, ast.Name)
        framework, short = _FRAMEWORKS[name.value.id], name.attr
    else:
        assert isinstance(name, ast.Name)
        short = name.id
    sizes = ast.literal_eval(fact.slice)
    shape = sizes if isinstance(sizes, tuple) else (sizes,)
    strides = _row_major(shape) if framework != "jax" else None
    return TensorType(_DTYPES[short], shape, strides, framework=framework)  # type: ignore[arg-type]


def _row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)


def build_module(text: str) -> Any:
    """A torch module that has the layers, parameters and settings of a signature's `self`."""
    inside = text.strip().partition("(")[2][:-1]
    facts = {n.removeprefix("self."): f for n, f in _facts(inside) if n.startswith("self.")}
    return _module(facts)


def _attributes(members: dict[str, ast.expr]) -> tuple[tuple[str, ValueType], ...]:
    if not members:
        return ()
    from semrep.verify import observe

    observed = observe.attributes_of(_module(members))
    return tuple((name, observe._read(fact)) for name, fact in observed)


def _module(members: dict[str, ast.expr]) -> Any:
    import torch

    root = torch.nn.Module()
    for name, fact in members.items():
        owner: Any = root
        *path, last = name.split(".")
        for step in path:
            owner = getattr(owner, step)
        tensor = _tensor(fact)
        if tensor is not None:
            data = torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype))
            setattr(owner, last, torch.nn.Parameter(data) if data.is_floating_point() else data)
        elif isinstance(fact, ast.Call):
            source = ast.unparse(fact)
            setattr(owner, last, eval(source, {**vars(torch.nn), "nn": torch.nn, "torch": torch}))
        else:
            setattr(owner, last, ast.literal_eval(fact))
    return root
