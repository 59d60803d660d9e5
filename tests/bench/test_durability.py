"""The benchmark of the store sees what is lost, and nothing where nothing is."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

from bench.trust import durability
from semrep.store import Evidence, Store
from semrep.store.key import sha256


def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    known: dict[int, str] = {}
    draw = random.Random(1)
    total = durability.Tally()
    for _ in range(4):
        total.add(durability.one_round(tmp_path, draw, known, False))
    assert total.kills == 8 and total.rows == len(known) > 0
    assert (total.lost, total.torn) == (0, 0)


def test_losses_are_seen(tmp_path: Path) -> None:
    rows = {n: sha256(durability.text_of(n)) for n in range(3)}
    with Store(tmp_path) as store:
        record = store.run("rows")
        for n in rows:
            record.record(str(n), {"row": n})
            verdict = Evidence.of(durability.verdict_of(n))
            store.put(durability.key_of(n), verdict, {"candidate": durability.text_of(n)})
    assert durability.check(tmp_path, rows) == durability.Tally()
    shutil.rmtree(tmp_path / "texts" / rows[0][:2])
    connection = sqlite3.connect(tmp_path / "evidence.db")
    connection.execute("DELETE FROM evidence WHERE candidate = ?", (rows[1],))
    connection.execute("DELETE FROM run_rows WHERE item = '2'")
    connection.commit()
    connection.close()
    found = durability.check(tmp_path, rows)
    assert (found.lost, found.torn) == (2, 1)
