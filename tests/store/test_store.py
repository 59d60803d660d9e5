"""What the store has acknowledged stays; what it cannot keep costs a warning."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from semrep.store import Evidence, Key, Store, StoreWarning, VerdictChanged, database
from semrep.store.key import imported, sha256

EQUIVALENT = {
    "verdict": "equivalent", "cases": 17, "seeds": [0, 7], "max_error_ratio": 0.25,
    "original_error": 1.5,
}  # fmt: skip
DIFFERENT = {
    "verdict": "different", "reason": "result[0] differs",
    "counterexample": {"case": "ones", "where": "result[0]", "what": "differs"},
}  # fmt: skip


def key(candidate: bytes = b"b") -> Key:
    return Key.of(b"a", candidate, contract={"numerics": "bitwise"}, harness={"entry": "f"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", seed=0)


def test_what_was_put_is_got_by_the_next_process_too(store: Store, tmp_path: Path) -> None:
    evidence = Evidence.of(EQUIVALENT, seconds=1.5, peak_bytes=10)
    assert store.put(key(), evidence, {"original": b"a", "candidate": b"b"})
    store.close()
    with Store(tmp_path / "store", seed=0) as again:
        hit = again.get(key())
        assert hit is not None and not hit.must_verify
        found = hit.evidence
        assert found.verdict == EQUIVALENT and found.seeds == (0, 7) and found.kind == "equivalent"
        assert (found.worst_ratio, found.original_error, found.seconds) == (0.25, 1.5, 1.5)
        assert found.created > 0 and found.key == key().to_json()
        assert again.blob(sha256(b"a")) == b"a"
        assert again.get(key(b"c")) is None


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Key)])
def test_every_part_of_the_key_tells_verdicts_apart(store: Store, name: str) -> None:
    store.put(key(), Evidence.of(EQUIVALENT))
    value = getattr(key(), name)
    other = {"x": "y"} if not isinstance(value, (str, int)) else value * 2 + type(value)("1")
    assert store.get(dataclasses.replace(key(), **{name: other})) is None
    assert store.get(key()) is not None


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "TORCH_ALLOW_TF32", "XLA_FLAGS"])
def test_flags_of_the_environment_are_in_the_key(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = key().digest
    assert key().digest == before
    monkeypatch.setenv(name, "17")
    assert key().digest != before


def test_an_edit_beside_the_file_makes_another_key(tmp_path: Path) -> None:
    source, path = b"import neighbour\nfrom . import other\n", str(tmp_path / "kernel.py")
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    before = imported(source, path)
    (tmp_path / "neighbour.py").write_text("x = 2\n")
    after = imported(source, path)
    assert before.keys() == after.keys() == {".", "neighbour"} and before != after


def test_inconclusive_is_not_kept(store: Store) -> None:
    with pytest.raises(ValueError, match="inconclusive"):
        store.put(key(), Evidence.of({"verdict": "inconclusive", "reason": "?"}))


def test_one_hit_in_a_hundred_is_verified_again(store: Store) -> None:
    store.put(key(), Evidence.of(EQUIVALENT))
    wanted = key()
    drawn = 0
    for _ in range(2000):
        hit = store.get(wanted)
        drawn += hit is not None and hit.must_verify
    assert 5 <= drawn <= 40


def test_another_verdict_for_the_same_key_is_loud_and_neither_is_used(store: Store) -> None:
    store.put(key(), Evidence.of(EQUIVALENT))
    store.put(key(), Evidence.of(EQUIVALENT))
    with pytest.warns(VerdictChanged, match="was equivalent, is now different"):
        store.put(key(), Evidence.of(DIFFERENT))
    assert store.get(key()) is None
    kept = store.evidence(original=b"a")
    assert [e.kind for e in kept] == ["different", "equivalent", "equivalent"]
    assert all(e.disputed for e in kept)
    assert store.summary().disputed == 1


def test_evidence_can_be_searched(store: Store) -> None:
    for n in range(5):
        store.put(key(str(n).encode()), Evidence.of(DIFFERENT if n % 2 else EQUIVALENT))
    assert len(store.evidence(original=b"a")) == 5
    assert len(store.evidence(kind="different")) == 2
    (one,) = store.evidence(candidate=b"3")
    assert one.counterexample == DIFFERENT["counterexample"] and one.reason == "result[0] differs"
    assert len(store.evidence(limit=2)) == 2 and store.evidence(original=b"z") == []
    assert "3 equivalent and 2 different for 1 originals" in str(store.summary())


def test_runs_go_on_where_they_were(store: Store, tmp_path: Path) -> None:
    run = store.run("search", {"seed": 1})
    assert run.record("first", {"ratio": 1.5}) and "first" in run and "second" not in run
    with Store(tmp_path / "store") as again:
        resumed = again.run("search", {"seed": 1})
        assert resumed.row("first") == {"ratio": 1.5} and list(resumed) == [
            ("first", {"ratio": 1.5})
        ]
        assert "first" not in again.run("search", {"seed": 2})
        resumed.finish()
        assert "first" not in again.run("search", {"seed": 1})


def test_texts_are_whole_or_missing(store: Store) -> None:
    name = store.keep(b"text")
    assert store.blob(name) == b"text" and store.keep(b"text") == name
    store._blobs.path(name).write_bytes(b"tex")
    assert store.blob(name) is None and store.blob(sha256(b"never")) is None


def test_a_broken_text_is_written_again(tmp_path: Path) -> None:
    first = Store(tmp_path)
    name = first.keep(b"text")
    first._blobs.path(name).write_bytes(b"tex")
    assert Store(tmp_path).keep(b"text") == name
    assert first.blob(name) == b"text"


def in_the_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b"no database" * 1000), in_the_middle]
)
def test_a_broken_database_is_set_aside(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    with Store(tmp_path) as store:
        for n in range(50):
            store.put(key(str(n).encode()), Evidence.of(EQUIVALENT))
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(tmp_path / "evidence.db")
    with pytest.warns(StoreWarning, match="broken"):
        store = Store(tmp_path)
        assert store.get(key(b"3")) is None
        assert store.put(key(), Evidence.of(EQUIVALENT))
    assert store.durable and store.get(key()) is not None
    assert len(list(tmp_path.glob("evidence.db.broken-*"))) >= 1


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    path = tmp_path / "evidence.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    connection.commit()
    connection.close()
    with pytest.warns(StoreWarning, match="schema"):
        store = Store(tmp_path)
    assert not store.durable and not store.put(key(), Evidence.of(EQUIVALENT))
    assert store.get(key()) is not None


def test_an_older_database_is_brought_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).put(key(), Evidence.of(EQUIVALENT))
    steps = (*database._MIGRATIONS, "ALTER TABLE runs ADD COLUMN note TEXT")
    monkeypatch.setattr(database, "_MIGRATIONS", steps)
    monkeypatch.setattr(database, "VERSION", len(steps))
    store = Store(tmp_path)
    assert store.durable and store.get(key()) is not None
    assert store._connection.execute("SELECT note FROM runs").fetchall() == []


def test_no_disk_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(StoreWarning, match="nothing is kept"):
        store = Store(tmp_path / "file" / "folder")
    assert not store.put(key(), Evidence.of(EQUIVALENT), {"original": b"a"})
    assert store.get(key()) is not None and store.blob(sha256(b"a")) == b"a"
    assert store.run("x").record("a", {}) is False
    assert "in memory" in str(store.summary())


def test_a_disk_that_fails_in_the_middle_is_no_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(data: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._blobs, "put", full)
    with pytest.warns(StoreWarning, match="No space left"):
        assert not store.put(key(), Evidence.of(EQUIVALENT), {"original": b"a"})
    assert store.get(key()) is not None


def test_the_place_is_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMREP_STORE", str(tmp_path / "there"))
    with Store() as store:
        assert store.place == str(tmp_path / "there") and store.durable
    monkeypatch.setenv("SEMREP_STORE", ":memory:")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not Store().durable
    monkeypatch.delenv("SEMREP_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert Store().place == str(tmp_path / "cache" / "semrep")


def _write(folder: Path, name: str) -> None:
    with Store(folder) as store:
        for n in range(25):
            assert store.put(key(f"{name}{n}".encode()), Evidence.of(EQUIVALENT))


def test_processes_may_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, n)) for n in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert Store(tmp_path).summary().equivalent == 100


def test_a_fork_may_go_on_with_the_store(store: Store) -> None:
    store.put(key(), Evidence.of(EQUIVALENT))
    pid = os.fork()
    if pid == 0:
        kept = store.get(key()) is not None and store.put(key(b"c"), Evidence.of(EQUIVALENT))
        os._exit(0 if kept else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert store.get(key(b"c")) is not None
