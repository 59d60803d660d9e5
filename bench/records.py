"""Figures: one record each, and the files and tables that they are kept in and shown as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Record:
    """One figure. low, high: 95% interval, or None where the figure is a count or one run.
    n: how many things it was taken over. peers: the same figure of other tools. note: what a
    reader must know, such as what failed."""

    suite: str
    name: str
    value: float
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {key: _rounded(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        return cls(**data)

    def __str__(self) -> str:
        interval = "" if self.low is None else f" [{number(self.low)}, {number(self.high or 0)}]"
        return f"{self.suite}.{self.name} = {number(self.value)}{interval} {self.unit} (n={self.n})"


@dataclass(frozen=True, slots=True)
class Run:
    """What one command measured. quick: on a sample, which is never stored."""

    suite: str
    command: str
    environment: Mapping[str, Any]
    records: Sequence[Record]

    def beside_stored(self, folder: Path = RESULTS) -> Run:
        """This run's records in place of those of the same name that are stored, beside the
        others."""
        path = folder / f"{self.suite}.json"
        if not path.is_file():
            return self
        names = {record.name for record in self.records}
        kept = [record for record in Run.load(path).records if record.name not in names]
        return Run(self.suite, self.command, self.environment, [*kept, *self.records])

    def save(self, folder: Path = RESULTS) -> Path:
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.suite}.json"
        data = {
            "suite": self.suite,
            "command": self.command,
            "environment": dict(self.environment),
            "records": [r.to_json() for r in self.records],
        }
        path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> Run:
        data = json.loads(path.read_text(encoding="utf-8"))
        records = [Record.from_json(r) for r in data["records"]]
        return cls(data["suite"], data["command"], data["environment"], records)


def number(value: float) -> str:
    """Three significant digits; whole numbers in full."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value)}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def table(records: Iterable[Record]) -> str:
    """Aligned text, one line a record."""
    rows = [("figure", "value", "95% interval", "unit", "n", "peers")]
    for r in records:
        interval = "" if r.low is None else f"{number(r.low)} – {number(r.high or 0)}"
        peers = ", ".join(f"{name} {number(value)}" for name, value in r.peers.items())
        rows.append((r.name, number(r.value), interval, r.unit, str(r.n), peers))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _rounded(value: Any) -> Any:
    """Five significant digits: more would be noise in the stored files."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    return value
