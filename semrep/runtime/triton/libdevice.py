"""libdevice for the interpreter.

Triton's own declarations choose the symbol and check the types of the arguments, as they do
for a GPU: one that does not take bfloat16 there refuses it here. Only the symbols' bodies are
supplied, on NumPy.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from semrep.runtime.triton import counters
from semrep.runtime.triton.libdevice_integer import INTEGER
from semrep.runtime.triton.libdevice_real import REAL
from semrep.runtime.triton.libdevice_rounding import ROUNDING

FUNCTIONS: dict[str, Callable[..., Any]] = {**REAL, **ROUNDING, **INTEGER}
# An approximation whose bits no document defines.
UNDEFINED = frozenset({"rcp64h"})
_DECLARED = "triton.language.extra.cuda.libdevice"
_STUBS = ("triton.language.extra.libdevice", "triton.language.extra.hip.libdevice")


class NotInterpreted(NotImplementedError):
    """A kernel uses what only compiled code can run."""


def install(interpreter: Any) -> None:
    """Gives the declared functions bodies. Before the user's file imports them."""
    declared = importlib.import_module(_DECLARED)
    bodies = _bodies(declared)
    builder = interpreter.InterpreterBuilder
    handle_of, number_type = interpreter.TensorHandle, interpreter._get_np_dtype

    def create_extern_elementwise(
        self: Any, library: str, path: str, symbol: str, arguments: Any, kind: Any, pure: bool
    ) -> Any:
        body = bodies.get(symbol)
        if body is None:
            raise NotInterpreted(f"the interpreter has no external function {symbol}")
        with np.errstate(all="ignore"):
            data = np.asarray(body(*(argument.data for argument in arguments)))
        counters.note_special(data.size)
        return handle_of(data.astype(number_type(kind.scalar)), kind.scalar)

    def create_inline_asm(self: Any, text: str, *rest: Any) -> Any:
        raise NotInterpreted(f"the interpreter runs no inline assembly: {text.strip()[:80]}")

    builder.create_extern_elementwise = create_extern_elementwise
    builder.create_inline_asm = create_inline_asm
    semantic = interpreter.interpreter_semantic
    for name in _names(declared):
        call = _with_semantic(getattr(declared, name), semantic)
        for module in (declared, *map(importlib.import_module, _STUBS)):
            setattr(module, name, call)


def _names(declared: Any) -> list[str]:
    return [name for name, value in vars(declared).items() if inspect.isfunction(value)]


def _bodies(declared: Any) -> dict[str, Callable[..., Any]]:
    """By symbol: every string `__nv_...` within the declaration of a function that has a body."""
    found = {}
    for node in ast.parse(inspect.getsource(declared)).body:
        if isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and str(inner.value).startswith("__nv_"):
                    found[str(inner.value)] = FUNCTIONS[node.name]
    return found


def _with_semantic(function: Any, semantic: Any) -> Any:
    @functools.wraps(function)
    def call(*values: Any, _semantic: Any = None) -> Any:
        return function(*values, _semantic=semantic)

    return call
