"""Unified diffs of source text, line ends and missing final line ends included."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from semrep.ir.module import Module


def unified(before: Module, after: Module, context: int = 3) -> str:
    """The diff as `diff -u` and `git apply` write it; "" where nothing changed."""
    name = (before.path or "<text>").lstrip("/")
    return "".join(_lines(_split(before.text), _split(after.text), name, context))


def _split(text: str) -> list[str]:
    """Lines as git has them: a carriage return, or a form feed, stays part of its line."""
    parts = text.split("\n")
    return [f"{p}\n" for p in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _lines(before: list[str], after: list[str], name: str, context: int) -> Iterator[str]:
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", n=context):
        if line.endswith("\n"):
            yield line
        else:
            yield f"{line}\n\\ No newline at end of file\n"


def fragment(source: bytes, limit: int = 60) -> str:
    """Source text on one line, cut to `limit` characters."""
    text = " ".join(source.decode("utf-8", "replace").split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
