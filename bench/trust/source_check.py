"""What is asked of one hostile source: that the front end comes back, the same way each time, and
with a text that is what it says it is."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import semrep
from semrep.ir.languages import UnknownLanguage
from semrep.ir.text import Edit
from semrep.result import Result, Status
from semrep.runtime import discover


@dataclass(frozen=True, slots=True)
class Source:
    """origin: how the text was made. path: what the file is called, None where it is not."""

    origin: str
    data: bytes
    path: str | None = None


def check(source: Source) -> dict[str, Any]:
    """wrong: what went wrong, None for nothing. digest: of all that came out. accepted: whether
    Python compiles the text. steps: rewrites made."""
    found: dict[str, Any] = {"wrong": None, "digest": "", "accepted": False, "steps": 0}
    found["accepted"] = is_python = accepts(source.data)
    try:
        discover(source.data, source.path)
        result = semrep.apply_passes(source.data, verify=False, path=source.path)
    except UnknownLanguage:
        return found
    except Exception as error:
        found["wrong"] = f"{type(error).__name__}: {error}"[:300]
        return found
    found["steps"] = len(result.trace.steps)
    found["wrong"] = wrong(source.data, result, is_python)
    told = [str(result.status), result.note, result.trace.pipeline, *map(str, result.missed)]
    everything = b"\0".join([result.source, *(t.encode("utf-8", "replace") for t in told)])
    found["digest"] = hashlib.sha256(everything).hexdigest()[:16]
    return found


def wrong(data: bytes, result: Result, is_python: bool) -> str | None:
    """What is wrong with a result, or None."""
    if result.module.source != data:
        return "the module's bytes are not the file's"
    if result.module.text.encode("utf-8", "surrogateescape") != data:
        return "the module's text does not encode to the file's bytes"
    if result.status in (Status.UNCHANGED, Status.NOT_REWRITABLE) and result.source != data:
        return f"said to be {result.status}, but other bytes"
    current = data
    for step in result.trace.steps:
        if tuple(current[e.span.start : e.span.end] for e in step.edits) != step.removed:
            return f"{step.site} does not say what it removed"
        current = spliced(current, step.edits)
    if current != result.source:
        return "text outside the declared edits changed"
    if is_python and result.source != data and not accepts(result.source):
        return "Python no longer compiles the text"
    return None


def spliced(data: bytes, edits: Iterable[Edit]) -> bytes:
    """A text with edits made: written anew, as semrep's own must not check itself."""
    parts: list[bytes] = []
    at = 0
    for edit in edits:
        new = (
            edit.text.encode("utf-8", "surrogateescape")
            if isinstance(edit.text, str)
            else edit.text
        )
        parts += [data[at : edit.span.start], new]
        at = edit.span.end
    return b"".join([*parts, data[at:]])


def accepts(data: bytes) -> bool:
    """Whether CPython compiles a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, "<text>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return False
    return True
