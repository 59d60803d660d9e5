"""The store: evidence by key, resumable runs, and the texts they speak of."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import platformdirs

from semrep.store import database, rows
from semrep.store.blobs import Blobs, MemoryBlobs
from semrep.store.evidence import KEPT, Evidence, Hit, Summary
from semrep.store.key import Key, canonical, sha256

VARIABLE = "SEMREP_STORE"
IN_MEMORY = ":memory:"
_VERIFIED_AGAIN = 0.01

T = TypeVar("T")


class StoreWarning(UserWarning):
    """The store does less than it should, or found something wrong."""


class VerdictChanged(StoreWarning):
    """The same question was given two verdicts. Both are kept, neither is used again."""


class Store:
    """Evidence on disk, or in memory where there is no disk to use.

    Every method may be called from any thread; several processes may have one folder open. What
    `put` and `Run.record` have acknowledged with True survives the process and a power cut.
    A disk that is missing, read-only, full or broken costs a StoreWarning, never an exception.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None = None, *, seed: int | None = None
    ) -> None:
        """folder: None takes SEMREP_STORE, else the user's cache folder; ":memory:" keeps all
        in memory. seed: decides which hits are to be verified again; None draws one."""
        self._lock = threading.RLock()
        self._random = random.Random(seed)
        self._folder: Path | None = default_folder() if folder is None else _as_folder(folder)
        self._why_memory = IN_MEMORY
        self._owner = os.getpid()
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def durable(self) -> bool:
        """False where the store has come down to memory."""
        return self._folder is not None

    @property
    def place(self) -> str:
        return self._why_memory if self._folder is None else str(self._folder)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def get(self, key: Key) -> Hit | None:
        """The verdict for this key, if it was found before and nothing has disputed it.

        One hit in a hundred is to be verified again by the caller, who puts what comes out.
        """
        found = self._do(lambda c: rows.by_digest(c, key.digest))
        if found is None or found.disputed:
            return None
        return Hit(found, self._random.random() < _VERIFIED_AGAIN)

    def put(self, key: Key, evidence: Evidence, texts: Mapping[str, bytes] | None = None) -> bool:
        """Keeps a verdict. True once it is on disk, False where it is in memory only.

        texts: the sources, or other bytes, to keep beside it. Inconclusive verdicts are not
        kept (ValueError: the caller is not to cache them).
        """
        if evidence.kind not in KEPT:
            raise ValueError(f"only {' and '.join(KEPT)} are kept, not {evidence.kind!r}")

        def write(connection: sqlite3.Connection) -> str | None:
            # The texts first: a row never speaks of what is not there.
            for data in (texts or {}).values():
                self._blobs.put(data)
            with database.transaction(connection):
                return rows.insert(connection, key, evidence, time.time())

        before = self._do(write)
        if before is not None:
            message = f"{key}: was {before}, is now {evidence.kind}; neither will be used again"
            warnings.warn(VerdictChanged(message), stacklevel=2)
        return self.durable

    def evidence(
        self,
        *,
        original: bytes | str | None = None,
        candidate: bytes | str | None = None,
        kind: str | None = None,
        since: float | None = None,
        limit: int = 100,
    ) -> list[Evidence]:
        """What is known, the latest first. original, candidate: a text or its SHA-256."""
        wanted: dict[str, Any] = {
            "original = ?": sha256(original) if isinstance(original, bytes) else original,
            "candidate = ?": sha256(candidate) if isinstance(candidate, bytes) else candidate,
            "kind = ?": kind,
            "created >= ?": since,
        }
        chosen = {test: value for test, value in wanted.items() if value is not None}
        return self._do(lambda c: rows.select(c, chosen, limit))

    def blob(self, name: str) -> bytes | None:
        """A text by its SHA-256; None where it is missing or no longer what it was."""
        try:
            return self._blobs.get(name)
        except OSError as error:
            self._warn(f"cannot read {name[:8]}: {error}")
            return None

    def keep(self, data: bytes) -> str:
        """Stores bytes and returns the name that `blob` finds them by."""

        def write(_: sqlite3.Connection) -> str:
            return self._blobs.put(data)

        return self._do(write)

    def run(self, name: str, inputs: Mapping[str, Any] | None = None) -> Run:
        """The unfinished run of this name and inputs, with the rows it has, or a new one."""
        text = canonical(dict(inputs or {}))

        def begin(connection: sqlite3.Connection) -> int:
            with database.transaction(connection):
                return rows.begin_run(connection, name, text, time.time())

        return Run(self, self._do(begin), name, text)

    def summary(self) -> Summary:
        """Counts, and bytes on disk; printed it is one line."""
        counts = self._do(rows.counts)
        return Summary(place=self.place, durable=self.durable, bytes=self._bytes(), **counts)

    def _bytes(self) -> int:
        if self._folder is None:
            return 0
        found = 0
        for path in self._folder.rglob("*"):
            try:
                found += path.stat().st_size if path.is_file() else 0
            except OSError:
                continue
        return found

    def _do(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Runs an action on the database; where the disk fails it, once more in memory."""
        with self._lock:
            if self._owner != os.getpid():
                # SQLite's handles and locks do not survive a fork.
                self._owner = os.getpid()
                self._begin()
            try:
                return action(self._connection)
            except sqlite3.Error as error:
                if self._folder is None:
                    raise
                self._recover(error)
            except OSError as error:
                if self._folder is None:
                    raise
                self._to_memory(str(error))
            try:
                return action(self._connection)
            except (sqlite3.Error, OSError) as error:
                if self._folder is None:
                    raise
                self._to_memory(str(error))
            return action(self._connection)

    def _begin(self) -> None:
        if self._folder is None:
            self._to_memory(None)
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except sqlite3.Error as error:
            self._recover(error)
        except (OSError, database.NewerSchema) as error:
            self._to_memory(str(error))

    def _open(self) -> None:
        assert self._folder is not None
        self._connection = database.connect(self._folder / "evidence.db")
        self._blobs = Blobs(self._folder / "texts")

    def _recover(self, error: sqlite3.Error) -> None:
        """Begins a new database beside a broken one; else goes on in memory."""
        assert self._folder is not None
        if not database.is_corrupt(error):
            self._to_memory(str(error))
            return
        try:
            aside = database.set_aside(self._folder / "evidence.db")
            if aside is not None:
                self._warn(f"the database was broken ({error}); it is kept as {aside.name}")
            self._open()
        except (sqlite3.Error, OSError, database.NewerSchema) as again:
            self._to_memory(str(again))

    def _to_memory(self, reason: str | None) -> None:
        if reason is not None:
            self._why_memory = f"in memory ({self._folder}: {reason})"
            self._warn(f"{self._folder} cannot be used, nothing is kept: {reason}")
        self._folder = None
        self._connection = database.connect(None)
        self._blobs = MemoryBlobs()

    def _warn(self, message: str) -> None:
        warnings.warn(StoreWarning(message), stacklevel=4)


class Run:
    """A search or a benchmark that may be cut off at any moment and goes on where it was."""

    def __init__(self, store: Store, number: int, name: str, inputs: str) -> None:
        self._store = store
        self._number = number
        self.name = name
        self._inputs = inputs

    def __contains__(self, item: str) -> bool:
        return self.row(item) is not None

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Items and their rows, in the order they were recorded."""
        return iter(self._store._do(lambda c: rows.run_rows(c, self._number)))

    def row(self, item: str) -> dict[str, Any] | None:
        """What was recorded for an item, None where it is still to do."""
        return self._store._do(lambda c: rows.run_row(c, self._number, item))

    def record(self, item: str, data: Mapping[str, Any]) -> bool:
        """Keeps an item's row, in place of an earlier one. True once it is on disk."""
        text = json.dumps(dict(data))

        def write(connection: sqlite3.Connection) -> None:
            with database.transaction(connection):
                number = rows.begin_run(connection, self.name, self._inputs, time.time())
                self._number = number
                rows.record(connection, number, item, text, time.time())

        self._store._do(write)
        return self._store.durable

    def finish(self) -> None:
        """The next run of this name begins anew."""

        def write(connection: sqlite3.Connection) -> None:
            with database.transaction(connection):
                rows.finish_run(connection, self._number, time.time())

        self._store._do(write)


def default_folder() -> Path | None:
    """SEMREP_STORE, else the user's cache folder; None for ":memory:"."""
    given = os.environ.get(VARIABLE)
    return _as_folder(given) if given else Path(platformdirs.user_cache_dir("semrep"))


def _as_folder(folder: str | os.PathLike[str]) -> Path | None:
    return None if os.fspath(folder) == IN_MEMORY else Path(folder)
