"""The SQLite database of the store: opening, versions of its schema, what to do when broken."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

_BUSY_MS = 30_000

# Each step brings a database of the version before it to its own; none is ever edited.
_MIGRATIONS = (
    """
    CREATE TABLE evidence (
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL,
        original TEXT NOT NULL,
        candidate TEXT NOT NULL,
        pipeline TEXT NOT NULL,
        contract TEXT NOT NULL,
        harness TEXT NOT NULL,
        effort TEXT NOT NULL,
        versions TEXT NOT NULL,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        verdict TEXT NOT NULL,
        seeds TEXT NOT NULL,
        worst_ratio REAL,
        original_error REAL,
        reason TEXT NOT NULL,
        counterexample TEXT,
        seconds REAL NOT NULL,
        peak_bytes INTEGER NOT NULL,
        created REAL NOT NULL,
        disputed INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX evidence_by_digest ON evidence (digest);
    CREATE INDEX evidence_by_original ON evidence (original);
    CREATE INDEX evidence_by_candidate ON evidence (candidate);
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        inputs TEXT NOT NULL,
        created REAL NOT NULL,
        finished REAL
    );
    CREATE TABLE run_rows (
        run INTEGER NOT NULL REFERENCES runs (id),
        item TEXT NOT NULL,
        data TEXT NOT NULL,
        created REAL NOT NULL,
        PRIMARY KEY (run, item)
    );
    """,
)
VERSION = len(_MIGRATIONS)


class NewerSchema(Exception):
    """A later semrep wrote this database."""


def connect(path: Path | None) -> sqlite3.Connection:
    """An open, migrated database; None keeps it in memory. Raises sqlite3.Error, OSError,
    NewerSchema."""
    name = ":memory:" if path is None else str(path)
    connection = sqlite3.connect(
        name, timeout=_BUSY_MS / 1e3, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    if _version(connection) == VERSION:
        return
    with transaction(connection):
        # Another process may have been here since.
        found = _version(connection)
        if found > VERSION:
            raise NewerSchema(f"its schema is {found}, this semrep knows {VERSION}")
        for step in _MIGRATIONS[found:]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One writer at a time: the lock is taken at the beginning, never upgraded to."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def is_corrupt(error: sqlite3.Error) -> bool:
    """True where the file is at fault, not the moment (locked, full, read-only)."""
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    number = getattr(error, "sqlite_errorcode", None)
    return number is not None and number & 0xFF in codes


def set_aside(path: Path) -> Path | None:
    """Renames a broken database, so that a new one can begin. None where another process has
    done so already. Raises OSError."""
    with open(path.with_name("lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            with contextlib.closing(connect(path)) as connection:
                if connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                    return None
        except sqlite3.Error as error:
            if not is_corrupt(error):
                return None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = path.with_name(f"{path.name}.broken-{stamp}-{os.getpid()}")
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}{suffix}", f"{aside}{suffix}")
        return aside
