"""Rows of the database: records to SQL and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from semrep.store.evidence import Evidence
from semrep.store.key import Key, canonical

_COLUMNS = (
    *("verdict", "seeds", "worst_ratio", "original_error", "reason", "counterexample"),
    *("seconds", "peak_bytes", "created", "disputed", "key"),
)


def insert(connection: sqlite3.Connection, key: Key, evidence: Evidence, now: float) -> str | None:
    """Adds a row. Where the key has another verdict already, marks both and returns that."""
    digest = key.digest
    other = connection.execute(
        "SELECT kind FROM evidence WHERE digest = ? AND kind <> ? LIMIT 1", (digest, evidence.kind)
    ).fetchone()
    if other is not None:
        connection.execute("UPDATE evidence SET disputed = 1 WHERE digest = ?", (digest,))
    counterexample = evidence.counterexample
    row = {
        "digest": digest,
        "original": key.original,
        "candidate": key.candidate,
        "pipeline": key.pipeline,
        "contract": canonical(key.contract),
        "harness": canonical(key.harness),
        "effort": key.effort,
        "versions": canonical(key.versions),
        "key": canonical(key.to_json()),
        "kind": evidence.kind,
        "verdict": json.dumps(evidence.verdict),
        "seeds": json.dumps(list(evidence.seeds)),
        "worst_ratio": evidence.worst_ratio,
        "original_error": evidence.original_error,
        "reason": evidence.reason,
        "counterexample": None if counterexample is None else json.dumps(counterexample),
        "seconds": evidence.seconds,
        "peak_bytes": evidence.peak_bytes,
        "created": now,
        "disputed": int(other is not None),
    }
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO evidence ({names}) VALUES ({marks})", tuple(row.values()))
    return None if other is None else str(other[0])


def by_digest(connection: sqlite3.Connection, digest: str) -> Evidence | None:
    found = select(connection, {"digest = ?": digest}, 1)
    return found[0] if found else None


def select(connection: sqlite3.Connection, wanted: Mapping[str, Any], limit: int) -> list[Evidence]:
    """Rows that pass all tests ("column = ?" to its value), the latest first."""
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    found = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM evidence {where} ORDER BY id DESC LIMIT ?",
        (*wanted.values(), limit),
    )
    return [_evidence(row) for row in found]


def _evidence(row: tuple[Any, ...]) -> Evidence:
    found = dict(zip(_COLUMNS, row, strict=True))
    counterexample = found["counterexample"]
    return Evidence(
        verdict=json.loads(found["verdict"]),
        seeds=tuple(json.loads(found["seeds"])),
        worst_ratio=found["worst_ratio"],
        original_error=found["original_error"],
        reason=found["reason"],
        counterexample=None if counterexample is None else json.loads(counterexample),
        seconds=found["seconds"],
        peak_bytes=found["peak_bytes"],
        created=found["created"],
        disputed=bool(found["disputed"]),
        key=json.loads(found["key"]),
    )


def begin_run(connection: sqlite3.Connection, name: str, inputs: str, now: float) -> int:
    found = connection.execute(
        "SELECT id FROM runs WHERE name = ? AND inputs = ? AND finished IS NULL "
        "ORDER BY id DESC LIMIT 1",
        (name, inputs),
    ).fetchone()
    if found is not None:
        return int(found[0])
    made = connection.execute(
        "INSERT INTO runs (name, inputs, created) VALUES (?, ?, ?)", (name, inputs, now)
    )
    assert made.lastrowid is not None
    return made.lastrowid


def finish_run(connection: sqlite3.Connection, run: int, now: float) -> None:
    connection.execute("UPDATE runs SET finished = ? WHERE id = ?", (now, run))


def record(connection: sqlite3.Connection, run: int, item: str, data: str, now: float) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO run_rows (run, item, data, created) VALUES (?, ?, ?, ?)",
        (run, item, data, now),
    )


def run_row(connection: sqlite3.Connection, run: int, item: str) -> dict[str, Any] | None:
    found = connection.execute(
        "SELECT data FROM run_rows WHERE run = ? AND item = ?", (run, item)
    ).fetchone()
    if found is None:
        return None
    data: dict[str, Any] = json.loads(found[0])
    return data


def run_rows(connection: sqlite3.Connection, run: int) -> list[tuple[str, dict[str, Any]]]:
    found = connection.execute(
        "SELECT item, data FROM run_rows WHERE run = ? ORDER BY rowid", (run,)
    )
    return [(item, json.loads(data)) for item, data in found]


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    def count(query: str) -> int:
        return int(connection.execute(f"SELECT COUNT({query}").fetchone()[0])

    return {
        "equivalent": count("*) FROM evidence WHERE kind = 'equivalent'"),
        "different": count("*) FROM evidence WHERE kind = 'different'"),
        "disputed": count("DISTINCT digest) FROM evidence WHERE disputed"),
        "originals": count("DISTINCT original) FROM evidence"),
        "unfinished_runs": count("*) FROM runs WHERE finished IS NULL"),
    }
