"""Functions of installed packages as files of their own: nothing of their text is kept here."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


def standalone(module: str, function: str, header: str = "", public: Sequence[str] = ()) -> str:
    """The function's text without its decorators, after imports of the globals that it uses:
    from the first of the public modules that has the very same object by that name, or else from
    its own module.

    Raises AttributeError or OSError where the installed version has no such function."""
    found = getattr(importlib.import_module(module), function)
    plain = inspect.unwrap(found)
    text = textwrap.dedent(inspect.getsource(plain))
    tree = ast.parse(text)
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef):
        raise OSError(f"{module}.{function} is not written as a function")
    lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
    imports = [_import(plain, name, public) for name in _free_names(node, plain)]
    parts = ["from __future__ import annotations", header, *imports, "", "", *lines]
    return "\n".join(p for p in parts if p is not None) + "\n"


def _free_names(node: ast.FunctionDef, function: Callable[..., Any]) -> list[str]:
    loaded = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    return sorted({n for n in loaded if n in function.__globals__} - {"__name__"})


def _import(function: Callable[..., Any], name: str, public: Sequence[str]) -> str:
    value = function.__globals__[name]
    if isinstance(value, ModuleType) and value.__name__ in sys.modules:
        return f"import {value.__name__} as {name}"
    own = function.__globals__["__name__"]
    homes = (m for m in public if getattr(importlib.import_module(m), name, None) is value)
    return f"from {next(homes, own)} import {name}"


def text_of(module: str) -> tuple[str, str]:
    """The file of an installed module, found without running it, and its text."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    with open(spec.origin, encoding="utf-8") as file:
        return spec.origin, file.read()
