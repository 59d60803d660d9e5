"""Rows survive kills, odd texts and several writers."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from bench import journal


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    file = tmp_path / "below" / "rows.jsonl"
    assert journal.read(file) == journal.read(None) == []
    journal.add(file, {"n": 1}, {"n": 2})
    journal.add(file)
    journal.add(None, {"n": 9})
    journal.add(file, {"n": 3})
    assert [row["n"] for row in journal.read(file)] == [1, 2, 3]


@pytest.mark.parametrize("rest", [b'{"n": 2, "te', '{"n": "é'.encode()[:-1], b"17", b"\x00"])
def test_a_line_cut_short_is_skipped_and_the_next_row_is_whole(tmp_path: Path, rest: bytes) -> None:
    file = tmp_path / "rows.jsonl"
    journal.add(file, {"n": 1})
    with file.open("ab") as out:
        out.write(rest)
    assert journal.read(file) == [{"n": 1}]
    journal.add(file, {"n": 3})
    assert journal.read(file) == [{"n": 1}, {"n": 3}]
    assert file.read_bytes().endswith(b'\n{"n": 3}\n')


def test_texts_may_hold_any_character(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    row = {"text": "a\u2028b\x85c\x0cd\re\nf\udcff"}
    journal.add(file, row, {"n": 2})
    assert journal.read(file) == [row, {"n": 2}]
    assert json.loads(file.read_bytes().splitlines()[-1]) == {"n": 2}


def _write(file: Path, name: int) -> None:
    for number in range(30):
        journal.add(file, {"name": name, "number": number, "text": "x" * 20_000})


def test_several_processes_add_to_one_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(file, name)) for name in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = [(row["name"], row["number"]) for row in journal.read(file)]
    assert sorted(found) == [(name, n) for name in range(3) for n in range(30)]
