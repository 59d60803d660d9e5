"""Loads source text as a module, under a name of its own and without touching any file."""

from __future__ import annotations

import linecache
import os
import sys
import types

_PREFIX = "_semrep_subject"


def package_of(path: str | None) -> tuple[str, str | None]:
    """The dotted package of a file and the folder that makes it importable.

    Walks up while there is an `__init__.py`; ("", folder of the file) outside any package.
    """
    if path is None:
        return "", None
    folder = os.path.dirname(os.path.abspath(path))
    parts: list[str] = []
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        parts.insert(0, name)
    return ".".join(parts), folder


def load(source: bytes, path: str | None, label: str) -> types.ModuleType:
    """Executes `source` as a module of its own and returns it.

    label tells subjects apart ("original", "candidate"): it becomes part of the module name
    and of the file name in tracebacks. `inspect.getsource` works on the result, which
    `triton.jit` needs, and pickling by reference does as well. What the source raises on
    execution goes through.
    """
    package, folder = package_of(path)
    if folder is not None and folder not in sys.path:
        sys.path.append(folder)
    name = f"{_PREFIX}_{label}"
    filename = file_name(path, label)
    text = source.decode("utf-8-sig")
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    module = types.ModuleType(name)
    module.__file__ = filename
    module.__package__ = package
    sys.modules[name] = module
    exec(compile(text, filename, "exec", dont_inherit=True), module.__dict__)
    return module


def file_name(path: str | None, label: str) -> str:
    """The file name under which `load` compiles: beside the real one, never the real one."""
    stem = os.path.abspath(path) if path else os.path.join(os.getcwd(), "source.py")
    return f"{stem}.{label}"
