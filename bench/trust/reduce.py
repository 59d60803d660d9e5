"""Delta debugging: a smaller text that still fails (Zeller and Hildebrandt's ddmin)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence


def reduced(data: bytes, fails: Callable[[bytes], bool], seconds: float = 60.0) -> bytes:
    """A text from which no line, and then no byte, can be taken so that it still fails; or what
    was reached when time was up. `fails` holds for `data`."""
    deadline = time.monotonic() + seconds
    lines = _ddmin(data.splitlines(keepends=True), lambda p: fails(b"".join(p)), deadline)
    parts = _ddmin([bytes([b]) for b in b"".join(lines)], lambda p: fails(b"".join(p)), deadline)
    return b"".join(parts)


def _ddmin(
    parts: Sequence[bytes], fails: Callable[[Sequence[bytes]], bool], deadline: float
) -> Sequence[bytes]:
    pieces = 2
    while len(parts) >= 2 and time.monotonic() < deadline:
        size = max(1, len(parts) // pieces)
        for start in range(0, len(parts), size):
            rest = [*parts[:start], *parts[start + size :]]
            if time.monotonic() > deadline:
                return parts
            if fails(rest):
                parts, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                return parts
            pieces = min(2 * pieces, len(parts))
    return parts
