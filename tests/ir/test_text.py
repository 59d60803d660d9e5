from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semrep.ir.text import Edit, EditSet, LineIndex, OverlapError, Span


@st.composite
def texts_with_edits(draw: st.DrawFn) -> tuple[bytes, EditSet]:
    text = draw(st.binary(max_size=60))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    edits = [
        Edit(Span(a, b), draw(st.binary(max_size=6)))
        for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    return text, EditSet(edits)


@given(texts_with_edits())
def test_the_inverse_undoes(case: tuple[bytes, EditSet]) -> None:
    text, edits = case
    assert edits.inverse(text).apply(edits.apply(text)) == text


@given(texts_with_edits(), st.integers(0, 60), st.integers(0, 60))
def test_the_map_keeps_untouched_bytes(case: tuple[bytes, EditSet], a: int, b: int) -> None:
    text, edits = case
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    moved = edits.map(Span(start, end))
    if moved is not None:
        assert edits.apply(text)[moved.start : moved.end] == text[start:end]
    elif start < end:
        assert any(
            e.span.overlaps(Span(start, end)) or start < e.span.start < end for e in edits
        ), "a span that nothing touched was lost"


def test_overlapping_edits_raise() -> None:
    with pytest.raises(OverlapError):
        EditSet([Edit(Span(0, 3), b""), Edit(Span(2, 4), b"")])
    with pytest.raises(OverlapError):
        EditSet([Edit(Span(0, 4), b""), Edit(Span(2, 2), b"x")])
    assert len(EditSet([Edit(Span(0, 2), b""), Edit(Span(2, 4), b"")])) == 2


def test_insertions_at_one_place_keep_their_order() -> None:
    edits = EditSet([Edit(Span(1, 1), b"x"), Edit(Span(1, 1), b"y")])
    assert edits.apply(b"ab") == b"axyb"


def test_an_edit_beyond_the_text_raises() -> None:
    with pytest.raises(ValueError, match="beyond"):
        EditSet([Edit(Span(3, 9), b"")]).apply(b"abc")


def test_spans_are_checked_and_round_trip() -> None:
    with pytest.raises(ValueError):
        Span(3, 2)
    assert Span.parse(str(Span(3, 14))) == Span(3, 14)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_and_columns(newline: str) -> None:
    text = newline.join(["a = 'é'", "", "\tb = 1"]).encode()
    index = LineIndex(text)
    assert len(index) == 3
    location = index.location(text.index(b"b ="))
    assert (location.line, location.column) == (3, 2)
    end = index.location(text.index("é".encode()) + 2)
    assert (end.line, end.column) == (1, 7)
    assert index.text_of(3) == "\tb = 1"
