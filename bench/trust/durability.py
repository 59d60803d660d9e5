"""Writers killed at random moments: what the store had acknowledged must be there, whole.

kill -9 shows that no write is left half done by the process; that acknowledged rows also
survive a power cut rests on the fsync before each acknowledgement, which is not tried here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.records import Record
from semrep.store import Evidence, Key, Store
from semrep.store.key import sha256

SUITE = "trust"
_ID_BYTES = 8


@dataclasses.dataclass(slots=True)
class Tally:
    """kills: of writers; rows: acknowledged; lost: not found again; torn: found, not whole."""

    kills: int = 0
    rows: int = 0
    lost: int = 0
    torn: int = 0

    def add(self, other: Tally) -> None:
        for field in dataclasses.fields(self):
            name = field.name
            setattr(self, name, getattr(self, name) + getattr(other, name))


def run(quick: bool, seed: int, say: Callable[[str], None]) -> Iterator[Record]:
    """quick: 20 kills in place of 200, with no number of rows to reach."""
    kills, rows = (20, 0) if quick else (200, 10_000)
    draw = random.Random(seed)
    total = Tally()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="semrep-durability-"))
    try:
        shared: dict[int, str] = {}
        while total.kills < kills or total.rows < rows:
            # Every fifth begins a store of its own, to be killed while it makes its tables.
            first = total.kills % 5 == 0
            place = folder / (f"new{total.kills}" if first else "shared")
            found = one_round(place, draw, {} if first else shared, first)
            if first:
                shutil.rmtree(place, ignore_errors=True)
            total.add(found)
            if total.kills % 50 < 2:
                say(f"{total.kills} kills, {total.rows} rows, {total.lost} lost")
        end = check(folder / "shared", shared)
        total.lost += end.lost
        total.torn += end.torn
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - started
    note = f"{total.lost} lost, {total.torn} torn; kill -9 at random moments in {seconds:.0f} s"
    yield Record(SUITE, "rows_lost", total.lost + total.torn, "rows", total.rows, note=note)
    yield Record(SUITE, "durability_kills", total.kills, "kills", total.kills)
    yield Record(SUITE, "durability_rows", total.rows, "acknowledged rows", total.kills)


def one_round(place: Path, draw: random.Random, known: dict[int, str], first: bool) -> Tally:
    """Two writers on one store, both killed; then all that they acknowledged is looked for.

    known: acknowledged so far on this store, as row id to the text's hash; is added to.
    """
    writers = []
    for _ in range(2):
        start = draw.randrange(1 << 60)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _write(place, start, write)
        os.close(write)
        writers.append((pid, read, draw.uniform(0.0, 0.05 if first else 0.5), start))
    begun = time.monotonic()
    acknowledged: dict[int, str] = {}
    for pid, read, after, start in sorted(writers, key=lambda w: w[2]):
        time.sleep(max(0.0, begun + after - time.monotonic()))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with open(read, "rb") as pipe:
            data = pipe.read()
        for n in range(len(data) // _ID_BYTES):
            row = int.from_bytes(data[n * _ID_BYTES : (n + 1) * _ID_BYTES])
            assert row == start + n
            acknowledged[row] = sha256(text_of(row))
    known.update(acknowledged)
    found = check(place, acknowledged)
    found.kills, found.rows = len(writers), len(acknowledged)
    return found


def check(place: Path, acknowledged: dict[int, str]) -> Tally:
    """Looks for rows in a store opened anew; a database that is not sound loses them all."""
    found = Tally()
    if not acknowledged:
        return found
    with warnings.catch_warnings(), Store(place) as store:
        warnings.simplefilter("ignore")
        for row, name in acknowledged.items():
            hit = store.get(key_of(row))
            if hit is None:
                found.lost += 1
            elif hit.evidence.verdict != verdict_of(row) or store.blob(name) != text_of(row):
                found.torn += 1
            elif store.run("rows").row(str(row)) != {"row": row}:
                found.lost += 1
    with contextlib.closing(sqlite3.connect(place / "evidence.db")) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            found.torn = len(acknowledged)
    if list(place.glob("*.broken-*")) or not store.durable:
        found.lost = len(acknowledged)
    return found


def _write(place: Path, start: int, acknowledge: int) -> None:
    """Writes rows until it is killed, telling each one that the store has acknowledged."""
    try:
        with Store(place) as store:
            record = store.run("rows")
            for row in range(start, start + 1_000_000):
                kept = record.record(str(row), {"row": row})
                texts = {"candidate": text_of(row)}
                kept = store.put(key_of(row), Evidence.of(verdict_of(row)), texts) and kept
                if not kept:
                    break
                os.write(acknowledge, row.to_bytes(_ID_BYTES))
    finally:
        os._exit(1)


def text_of(row: int) -> bytes:
    return random.Random(row).randbytes(200 + row % 5000)


def verdict_of(row: int) -> dict[str, object]:
    return {"verdict": "equivalent", "cases": row, "notes": ["x" * (row % 1000)]}


def key_of(row: int) -> Key:
    return Key(
        original="original",
        candidate=sha256(text_of(row)),
        contract={"numerics": "bitwise"},
        harness={"entry": "f"},
        question="check",
        seed=row,
        effort="quick",
        bounds={},
    )
