"""What an example argument looks like, written as text: `f32(64, 512)`, `ints(0, 10, 64)`.

A spec says dtype and shape and leaves the values to the verifier, which draws many of them.
This module imports no array library: a source file may use specs without paying for torch.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

FLOATS: Mapping[str, str] = {
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
}
INTEGERS: Mapping[str, str] = {"i64": "int64", "i32": "int32"}
_DTYPES: Mapping[str, str] = {**FLOATS, **INTEGERS, "boolean": "bool"}

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Spec:
    """An array argument: dtype by its long name ("float32"), shape, and for integers a range.

    low, high: integers are drawn from low <= value < high. Raises ValueError for a negative
    size, an unknown dtype, or an empty range.
    """

    dtype: str
    shape: tuple[int, ...]
    low: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES.values():
            raise ValueError(f"unknown dtype {self.dtype!r} in a spec")
        if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in self.shape):
            raise ValueError(f"sizes of a spec are non-negative integers, not {self.shape}")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"ints({self.low}, {self.high}, ...) is an empty range")

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return f"ints({', '.join(map(str, (self.low, self.high, *self.shape)))})"
        short = next(name for name, long in _DTYPES.items() if long == self.dtype)
        return f"{short}({', '.join(map(str, self.shape))})"

    @classmethod
    def parse(cls, text: str) -> Spec:
        """The spec that prints as `text`. Raises ValueError where there is none."""
        try:
            call = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"not a spec: {text!r}") from error
        if (
            not isinstance(call, ast.Call)
            or not isinstance(call.func, ast.Name)
            or call.func.id not in CONSTRUCTORS
            or call.keywords
        ):
            raise ValueError(f"not a spec: {text!r}")
        try:
            arguments = [ast.literal_eval(argument) for argument in call.args]
        except ValueError as error:
            raise ValueError(f"sizes of a spec are literals: {text!r}") from error
        return CONSTRUCTORS[call.func.id](*arguments)


def f64(*shape: int) -> Spec:
    """A float64 array of this shape."""
    return Spec("float64", shape)


def f32(*shape: int) -> Spec:
    """A float32 array of this shape."""
    return Spec("float32", shape)


def f16(*shape: int) -> Spec:
    """A float16 array of this shape."""
    return Spec("float16", shape)


def bf16(*shape: int) -> Spec:
    """A bfloat16 array of this shape."""
    return Spec("bfloat16", shape)


def i64(*shape: int) -> Spec:
    """An int64 array of this shape with values from -8 to 7."""
    return Spec("int64", shape)


def i32(*shape: int) -> Spec:
    """An int32 array of this shape with values from -8 to 7."""
    return Spec("int32", shape)


def boolean(*shape: int) -> Spec:
    """An array of truth values of this shape."""
    return Spec("bool", shape)


def ints(low: int, high: int, *shape: int) -> Spec:
    """An int64 array of this shape with low <= value < high (labels, indices)."""
    return Spec("int64", shape, low, high)


CONSTRUCTORS: Mapping[str, Callable[..., Spec]] = {
    "f64": f64,
    "f32": f32,
    "f16": f16,
    "bf16": bf16,
    "i64": i64,
    "i32": i32,
    "boolean": boolean,
    "ints": ints,
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call; values may be specs."""

    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)


def arguments(*positional: Any, **named: Any) -> Arguments:
    """One call's arguments, written the way the call is written."""
    return Arguments(positional, named)


def example(*positional: Any, **named: Any) -> Callable[[_Function], _Function]:
    """Decorator: an example call of the function, as values or specs.

    It returns the function itself; the verifier reads the decorator from the source text.
    Several decorators are several cases.
    """
    del positional, named

    def keep(function: _Function) -> _Function:
        return function

    return keep
