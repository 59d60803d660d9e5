"""Unified diffs of source text, line ends and missing final line ends included."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from semrep.ir.module import Module

_LARGE = 3000  # lines


def unified(before: Module, after: Module, context: int = 3) -> str:
    """The diff as `diff -u` and `git apply` write it; "" where nothing changed."""
    name = (before.path or "<text>").lstrip("/")
    return "".join(_lines(_split(before.text), _split(after.text), name, context))


def _split(text: str) -> list[str]:
    """Lines as git has them: a carriage return, or a form feed, stays part of its line."""
    parts = text.split("\n")
    return [f"{p}\n" for p in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _lines(before: list[str], after: list[str], name: str, context: int) -> Iterator[str]:
    # The heuristic for common lines spoils small diffs, and saves large ones from taking
    # quadratic time.
    is_large = len(before) > _LARGE
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=is_large)
    if before != after:
        yield f"--- a/{name}\n+++ b/{name}\n"
    for group in matcher.get_grouped_opcodes(context):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from _marked(" ", before[i1:i2])
                continue
            yield from _marked("-", before[i1:i2])
            yield from _marked("+", after[j1:j2])


def _range(start: int, stop: int) -> str:
    """Of a unified diff: 1-based first line, and length unless it is 1."""
    length = stop - start
    beginning = start + 1 if length else start
    return str(beginning) if length == 1 else f"{beginning},{length}"


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        end = "" if line.endswith("\n") else "\n\\ No newline at end of file\n"
        yield f"{mark}{line}{end}"


def fragment(source: bytes, limit: int = 60) -> str:
    """Source text on one line, cut to `limit` characters."""
    text = " ".join(source.decode("utf-8", "replace").split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
