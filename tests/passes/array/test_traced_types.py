"""The types that functions of jax are said to give are those that jax gives."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from semrep.passes.array import traced_calls
from semrep.passes.array.traced_types import Defaults, Items, Mistyped, Number, Traced, Value, Word

_ARRAYS = [
    Traced(dtype, shape)
    for dtype in ("float32", "bfloat16", "float16", "int32", "bool")
    for shape in ((2, 4), (4,), ())
]
_OTHERS: list[Value] = [Number("float", 2.0), Number("int", 2), Number("bool", True)]
_THIRD: list[list[Value]] = [
    [Number("int", 1)],
    [Items((Number("int", 4), Number("int", -1)))],
    [Items((Number("int", 1), Number("int", 0)))],
    [Number("int", 2), Number("int", -1)],
    [Number("int", 0), Number("int", 1)],
    [Word("float16")],
]
_LISTS: list[list[Value]] = [[Items((a, b))] for a in _ARRAYS for b in _ARRAYS[:6]]
_SUMS: list[list[Value]] = [
    [Word(spec), a, b]
    for spec in ("ij,j->i", "ij,ij->", "i,j->ij", "ij,kj->ik", "i,i->i")
    for a in _ARRAYS[:6]
    for b in _ARRAYS[:3]
]


def _calls() -> list[list[Value]]:
    pairs = [list(p) for p in itertools.product(_ARRAYS, [*_ARRAYS, *_OTHERS])]
    flipped = [[number, array] for number in _OTHERS for array in _ARRAYS]
    thirds = [[array, *rest] for array in _ARRAYS for rest in _THIRD]
    choices = [[a, b, c] for a in _ARRAYS for b in (*_ARRAYS[:6], *_OTHERS) for c in _OTHERS]
    alone: list[list[Value]] = [[a] for a in _ARRAYS]
    sizes: list[list[Value]] = [[Items((Number("int", 2), Number("int", 3)))], [Number("int", 3)]]
    return [*alone, *pairs, *flipped, *thirds, *choices, *_LISTS, *_SUMS, *sizes]


def _made(value: Value) -> Any:
    import jax.numpy as jnp

    if isinstance(value, Traced):
        return jnp.ones(value.shape, value.dtype)
    if isinstance(value, Items):
        return [_made(v) for v in value.items]
    return value.text if isinstance(value, Word) else value.value


def _given(value: Any) -> Value:
    if isinstance(value, (tuple, list)):
        return Items(tuple(_given(v) for v in value))
    is_weak = bool(value.weak_type) and value.dtype != bool  # a bool gives way to all others
    return Traced(str(value.dtype), tuple(value.shape), is_weak)


@pytest.mark.parametrize("path", sorted(traced_calls._PATHS))
def test_types_are_those_of_jax(path: str) -> None:
    import jax

    module, _, name = path.rpartition(".")
    owner: Any = jax
    for part in module.split(".")[1:]:
        owner = getattr(owner, part)
    function = getattr(owner, name)
    static: dict[str, Any] = {"axis": 0, "mode": "clip"} if name == "take" else {}
    known = 0
    for values in _calls():
        try:
            expected = traced_calls.result(Defaults(False), path, values, _options(name))
        except Mistyped:
            continue
        known += 1
        arrays = [n for n, v in enumerate(values) if isinstance(v, Traced)]

        def call(*given: Any, values: Any = values, arrays: Any = arrays) -> Any:
            made = [_made(v) for v in values]
            for place, array in zip(arrays, given, strict=True):
                made[place] = array
            return function(
                *(tuple(m) if name == "reshape" and isinstance(m, list) else m for m in made),
                **static,
            )

        found = jax.eval_shape(call, *(_made(values[n]) for n in arrays))
        assert _given(found) == expected, values
    assert known


def _options(name: str) -> dict[str, Value]:
    return {"axis": Number("int", 0), "mode": Word("clip")} if name == "take" else {}
