"""Places in a text and changes to it. A leaf module: it knows bytes and nothing else.

All offsets are byte offsets, 0-based and half-open. `Location` is for people only.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The bytes [start, end)."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: [{self.start}, {self.end})")

    def __len__(self) -> int:
        return self.end - self.start

    def contains(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """True where the two share a byte; touching spans do not overlap."""
        return self.start < other.end and other.start < self.end

    def shifted(self, by: int) -> Span:
        return Span(self.start + by, self.end + by)

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"

    @classmethod
    def parse(cls, text: str) -> Span:
        """The inverse of str(). Raises ValueError on anything else."""
        start, _, end = text.partition("-")
        return cls(int(start), int(end))


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """1-based line, 1-based column in characters: what editors show."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class LineIndex:
    """Maps byte offsets to lines and columns. Lines end with LF, CRLF or a lone CR."""

    __slots__ = ("_source", "_starts")

    def __init__(self, source: bytes) -> None:
        self._source = source
        starts = [0]
        position = 0
        for line in source.splitlines(keepends=True):
            position += len(line)
            if line[-1:] in (b"\n", b"\r"):
                starts.append(position)
        self._starts = starts

    def line_of(self, offset: int) -> int:
        """1-based line that holds the byte at `offset`."""
        return bisect_right(self._starts, offset)

    def start_of(self, line: int) -> int:
        """Offset of the first byte of a 1-based line; the end of the text past the last."""
        return self._starts[line - 1] if line <= len(self._starts) else len(self._source)

    def text_of(self, line: int) -> str:
        return (
            self._source[self.start_of(line) : self.start_of(line + 1)]
            .rstrip(b"\r\n")
            .decode("utf-8", "replace")
        )

    def location(self, offset: int) -> Location:
        line = self.line_of(offset)
        prefix = self._source[self.start_of(line) : offset]
        return Location(line, len(prefix.decode("utf-8", "replace")) + 1)

    def __len__(self) -> int:
        return len(self._starts)


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the bytes of `span` by `text`; an empty span inserts."""

    span: Span
    text: bytes

    def shifted(self, by: int) -> Edit:
        return Edit(self.span.shifted(by), self.text)

    @property
    def growth(self) -> int:
        return len(self.text) - len(self.span)


class OverlapError(ValueError):
    """Two edits of one set touch the same bytes."""


@dataclass(frozen=True, slots=True, init=False)
class EditSet:
    """Sorted, disjoint edits against one text.

    Several insertions at one offset keep the order in which they were given. An insertion
    strictly inside a replaced span, or two replaced spans that share a byte, raise OverlapError.
    """

    edits: tuple[Edit, ...]

    def __init__(self, edits: Iterable[Edit] = ()) -> None:
        ordered = tuple(sorted(edits, key=lambda e: (e.span.start, e.span.end)))
        for before, after in itertools.pairwise(ordered):
            if after.span.start < before.span.end:
                raise OverlapError(f"edits overlap: {before.span} and {after.span}")
        object.__setattr__(self, "edits", ordered)

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def __len__(self) -> int:
        return len(self.edits)

    def __bool__(self) -> bool:
        return bool(self.edits)

    def __str__(self) -> str:
        return ", ".join(f"{e.span} -> {e.text.decode('utf-8', 'replace')!r}" for e in self.edits)

    def apply(self, source: bytes) -> bytes:
        """The text after all edits. Raises ValueError where a span lies beyond the text."""
        parts: list[bytes] = []
        position = 0
        for edit in self.edits:
            if edit.span.end > len(source):
                raise ValueError(f"edit at {edit.span} lies beyond the text ({len(source)} bytes)")
            parts.append(source[position : edit.span.start])
            parts.append(edit.text)
            position = edit.span.end
        parts.append(source[position:])
        return b"".join(parts)

    def inverse(self, source: bytes) -> EditSet:
        """The edits that lead from the edited text back to `source`."""
        undo: list[Edit] = []
        drift = 0
        for edit in self.edits:
            start = edit.span.start + drift
            undo.append(
                Edit(
                    Span(start, start + len(edit.text)),
                    source[edit.span.start : edit.span.end],
                )
            )
            drift += edit.growth
        return EditSet(undo)

    def shifted(self, by: int) -> EditSet:
        return EditSet(edit.shifted(by) for edit in self.edits)

    @property
    def map(self) -> SpanMap:
        return SpanMap(self)


class SpanMap:
    """Carries spans of the old text to the new one."""

    __slots__ = ("_drifts", "_edits", "_starts")

    def __init__(self, edits: EditSet) -> None:
        self._edits = edits.edits
        self._starts = [e.span.start for e in self._edits]
        drifts = [0]
        for edit in self._edits:
            drifts.append(drifts[-1] + edit.growth)
        self._drifts = drifts

    def __call__(self, span: Span) -> Span | None:
        """The span's new place; None where an edit reached into it or replaced it."""
        if any(e.span.overlaps(span) for e in self._edits):
            return None
        if any(not len(e.span) and span.start < e.span.start < span.end for e in self._edits):
            return None
        before = sum(
            1
            for e in self._edits
            if e.span.end <= span.start and (e.span.start < span.start or not len(span) or e.text)
        )
        return span.shifted(self._drifts[before])
