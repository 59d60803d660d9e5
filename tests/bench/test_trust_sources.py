"""The benchmark of hostile sources sees what goes wrong, and makes the same sources again."""

from __future__ import annotations

import time
from typing import Any

import pytest

import semrep
from bench.trust import source_check
from bench.trust.forked import Ended, call, each
from bench.trust.reduce import reduced
from bench.trust.source_check import Source, check, spliced, wrong
from bench.trust.source_generator import MUTATIONS, Pool, generate
from bench.trust.source_templates import TEMPLATES
from bench.trust.source_worker import verdict
from bench.trust.sources import main
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.result import Result, Status

TEXT = b"def f(a):\n    return not (not a)\n"


def test_sources_are_seeded_and_of_many_kinds() -> None:
    pool = Pool(small=True)
    found = [generate(3, number, pool) for number in range(120)]
    assert found == [generate(3, number, pool) for number in range(120)]
    assert found[0] != generate(4, 0, pool)
    assert len({s.data for s in found}) > 100
    kinds = {part for s in found for part in s.origin.split(", ")[1:]}
    assert len(kinds) > len(set(MUTATIONS)) / 2
    assert len(TEMPLATES) > 60


def test_sound_files_pass() -> None:
    for data in (TEXT, b"", b"\xff", b"x = 1\r", b"def f(:\n", TEXT.replace(b"\n", b"\r\n")):
        assert check(Source("", data))["wrong"] is None
    found = check(Source("", b"def f(a):\n    if not (a == 1): return (1)\n    return 2\n"))
    assert found["accepted"] and found["wrong"] is None
    assert check(Source("", TEXT, "x.unknown"))["wrong"] is None


def test_bytes_changed_in_an_unchanged_file_are_seen() -> None:
    result = semrep.apply_passes(b"x = 1\n", verify=False)
    assert result.status is Status.UNCHANGED
    assert wrong(b"x = 1\n", result, True) is None
    assert wrong(b"x = 2\n", result, True) == "the module's bytes are not the file's"


def test_text_changed_outside_the_edits_is_seen() -> None:
    text = b"def f(a):\n    if not (a is None):\n        return 1\n    return 2\n"
    result = semrep.apply_passes(text, verify=False)
    assert result.changed and wrong(text, result, True) is None
    after = Module.from_text(result.source + b"# more\n")
    object.__setattr__(result.trace, "after", after)
    assert wrong(text, result, True) == "text outside the declared edits changed"


def test_a_text_that_python_rejects_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"def f(a):\n    if not (a is None):\n        return 1\n    return 2\n"
    result = semrep.apply_passes(text, verify=False)
    monkeypatch.setattr(source_check, "accepts", lambda data: data == text)
    assert wrong(text, result, True) == "Python no longer compiles the text"


def test_crashes_and_hangs_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(data: bytes, **_: Any) -> Result:
        if b"hang" in data:
            time.sleep(60)
        if b"crash" in data:
            raise KeyError("planted")
        if b"memory" in data:
            bytearray(1 << 40)
        return semrep.api.apply_passes(data, verify=False)

    monkeypatch.setattr(semrep, "apply_passes", planted, raising=False)
    assert verdict(Source("", b"hang = 1\n"), 0.5)["wrong"] == "no answer in 0.5 s"
    assert verdict(Source("", b"crash = 1\n"))["wrong"] == "KeyError: 'planted'"
    assert verdict(Source("", b"memory = 1\n"))["wrong"].startswith("MemoryError")
    assert verdict(Source("", b"x = 1\n"))["wrong"] is None


def test_each_goes_on_after_a_death() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise MemoryError
        if item == 3:
            time.sleep(60)
        return item * item

    found = [answer for _, answer in each(work, [1, 2, 3, 4], 0.5)]
    assert found == [1, Ended("out of memory"), Ended("no answer in 0.5 s"), 16]
    assert call(work, 5, 5.0) == 25


def test_reduction_keeps_what_fails_alone() -> None:
    data = b"one\ntwo\nthree (x)\nfour\n" * 5
    assert reduced(data, lambda d: b"(x" in d) == b"(x"


def test_edits_are_spliced_in_order() -> None:
    edits = [Edit(Span(0, 1), b"A"), Edit(Span(1, 1), b"-"), Edit(Span(2, 3), b"")]
    assert spliced(b"abcd", edits) == b"A-bd"


def test_one_source_can_be_shown(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["--show", "7", "--quick", "--seed", "3"]) == 0
    assert capfdbinary.readouterr().out == generate(3, 7, Pool(small=True)).data
