"""Sees which functions of a file one call of its entry runs, and on what."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# Whoever calls a function on more kinds of arguments than this has no facts to tell about it.
MOST_KINDS = 16
_NOT_CALLS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


@dataclass(slots=True)
class Call:
    """One kind of call. record: what `describe` made of its arguments. results: of all calls."""

    record: dict[str, Any]
    results: Any = None
    count: int = 0


@dataclass(slots=True)
class Calls:
    """Functions of one file as they are called. describe: makes plain data of the arguments by
    name as a function begins; calls of equal data are one kind. results: plain data of what is
    returned."""

    filename: str
    describe: Callable[[dict[str, Any]], dict[str, Any]]
    results: Callable[[Any], Any]
    kinds: dict[str, list[Call]] = field(default_factory=dict)
    _running: dict[int, Call] = field(default_factory=dict)

    @contextmanager
    def recording(self) -> Iterator[None]:
        previous = sys.getprofile()
        sys.setprofile(self._event)
        try:
            yield
        finally:
            sys.setprofile(previous)

    def known(self) -> Iterator[tuple[str, Call]]:
        """Functions by qualified name, those of too many kinds left out."""
        for name, kinds in self.kinds.items():
            if len(kinds) <= MOST_KINDS:
                yield from ((name, kind) for kind in kinds)

    def _event(self, frame: types.FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if code.co_filename != self.filename or event not in ("call", "return"):
            return
        if event == "return":
            call = self._running.pop(id(frame), None)
            if call is not None:
                results = self.results(argument)
                # What one call gave says nothing of another that gave something else.
                call.results = results if call.results in (None, results) else []
            return
        # Lambdas, comprehensions and nested functions are no units of their own.
        if not code.co_flags & inspect.CO_OPTIMIZED or code.co_flags & _NOT_CALLS:
            return
        if "<" in code.co_qualname:
            return
        kinds = self.kinds.setdefault(code.co_qualname, [])
        if len(kinds) > MOST_KINDS:
            return
        record = self.describe(dict(frame.f_locals))
        call = next((k for k in kinds if k.record == record), None)
        if call is None:
            kinds.append(call := Call(record))
        call.count += 1
        self._running[id(frame)] = call
