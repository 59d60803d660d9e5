"""Languages and their tree-sitter grammars, loaded at first use.

Python, CUDA C++ and C++ come as wheels of their own. Any other grammar is taken from the
shared library of the optional package `tree-sitter-languages` (extra `[languages]`), whose
own Python binding does not load with tree-sitter >= 0.22 and is therefore not imported.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
from pathlib import Path

import tree_sitter

_WHEELS = {"python": "tree_sitter_python", "cuda": "tree_sitter_cuda", "cpp": "tree_sitter_cpp"}

_SUFFIXES = {
    ".py": "python", ".pyi": "python", ".pyw": "python",
    ".cu": "cuda", ".cuh": "cuda",
    ".cc": "cpp", ".cpp": "cpp", ".cxx": "cpp", ".h": "cpp", ".hpp": "cpp",
    ".c": "c", ".go": "go", ".rs": "rust", ".js": "javascript", ".ts": "typescript",
    ".java": "java", ".jl": "julia",
}  # fmt: skip


class UnknownLanguage(LookupError):
    """No grammar is installed for a language; the message names the remedy."""


def language_of(path: str | None) -> str:
    """The language that a file name stands for; Python where there is no name or suffix."""
    suffix = Path(path).suffix.lower() if path and path != "-" else ".py"
    if suffix not in _SUFFIXES and suffix:
        raise UnknownLanguage(
            f"no language is known for files named *{suffix}; known: {', '.join(sorted(_SUFFIXES))}"
        )
    return _SUFFIXES.get(suffix, "python")


@functools.cache
def grammar(language: str) -> tree_sitter.Language:
    """The grammar of a language. Raises UnknownLanguage where none is installed."""
    if wheel := _WHEELS.get(language):
        return tree_sitter.Language(importlib.import_module(wheel).language())
    return tree_sitter.Language(_bundled(language))


@functools.lru_cache(maxsize=256)
def search(language: str, kinds: frozenset[str]) -> tree_sitter.Query:
    """A query that captures all nodes of some kinds as `found`."""
    pattern = " ".join(f"({kind}) @found" for kind in sorted(kinds))
    return tree_sitter.Query(grammar(language), pattern)


def _bundled(language: str) -> object:
    spec = importlib.util.find_spec("tree_sitter_languages")
    if spec is None or not spec.submodule_search_locations:
        raise UnknownLanguage(
            f"no grammar for {language!r} is installed; pip install 'semrep[languages]' has many"
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    library = next((p for p in folder.glob("languages.*") if p.suffix in (".so", ".dylib")), None)
    if library is None:
        raise UnknownLanguage(f"tree-sitter-languages at {folder} has no shared library")
    try:
        function = getattr(ctypes.CDLL(str(library)), f"tree_sitter_{language}")
    except AttributeError:
        raise UnknownLanguage(f"tree-sitter-languages has no grammar for {language!r}") from None
    function.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return capsule(function(), b"tree_sitter.Language", None)


@functools.cache
def parser(language: str) -> tree_sitter.Parser:
    return tree_sitter.Parser(grammar(language))
