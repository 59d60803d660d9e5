"""Rows that outlive whoever writes them: a file of JSON lines, read first and added to.

Several processes may add to one file. Whoever is killed loses at most the row that it was
writing: readers skip what is no whole object, and the next row starts on a line of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(path: Path | None) -> list[dict[str, Any]]:
    """All whole rows, in order; none where there is no file."""
    if path is None or not path.is_file():
        return []
    found = []
    for line in path.read_bytes().split(b"\n"):  # a line cut short may be no UTF-8
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def add(path: Path | None, *rows: Mapping[str, Any]) -> None:
    """The rows are on disk when this returns. Nothing happens without a path or rows."""
    if path is None or not rows:
        return
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, by a kill too
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = "\n" + text
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
