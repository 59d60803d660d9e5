"""Which lines of a loaded source a run executes: an edit that never ran was never tested."""

from __future__ import annotations

import inspect
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from semrep.runtime.loading import file_name


class LineTrace:
    """Collects executed line numbers (1-based) of the subject loaded under this label.

    The negative of a function's first line stands for a call of that function.
    """

    def __init__(self, path: str | None, label: str) -> None:
        self._file = file_name(path, label)
        self.lines: set[int] = set()
        self.seconds = 0.0

    @property
    def cheap(self) -> bool:
        """Whether what was traced so far took little enough to trace on."""
        return self.seconds < 0.5

    @contextmanager
    def recording(self) -> Iterator[None]:
        previous = sys.gettrace()
        started = time.perf_counter()
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(previous)
            self.seconds += time.perf_counter() - started

    def _call(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != self._file:
            return None
        self.lines.add(frame.f_lineno)
        if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            # A function entered: the negative of its first line, which loading never adds.
            self.lines.add(-frame.f_code.co_firstlineno)
        return self._line

    def _line(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.lines.add(frame.f_lineno)
        return self._line
