"""The records that go into the store and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Only these say something that stays true; what is inconclusive today may not be tomorrow.
KEPT = ("equivalent", "different")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One verdict and how it came about.

    verdict: as JSON, with its kind under "verdict". worst_ratio: largest error as a part of
    its bound; original_error: r, the original's own; counterexample: the minimised one.
    seconds, peak_bytes: what finding it took. created: Unix time, 0 before it is stored.
    disputed: the same key has been given another verdict.
    """

    verdict: Mapping[str, Any]
    seeds: tuple[int, ...] = ()
    worst_ratio: float | None = None
    original_error: float | None = None
    reason: str = ""
    counterexample: Mapping[str, Any] | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    created: float = 0.0
    disputed: bool = False
    key: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.verdict.get("verdict", ""))

    @classmethod
    def of(
        cls, verdict: Mapping[str, Any], *, seconds: float = 0.0, peak_bytes: int = 0
    ) -> Evidence:
        """From a verdict's JSON alone, as `Verdict.to_json` makes it."""
        return cls(
            verdict=verdict,
            seeds=tuple(verdict.get("seeds", ())),
            worst_ratio=verdict.get("max_error_ratio"),
            original_error=verdict.get("original_error"),
            reason=str(verdict.get("reason", "")),
            counterexample=verdict.get("counterexample"),
            seconds=seconds,
            peak_bytes=peak_bytes,
        )

    def __str__(self) -> str:
        disputed = ", disputed" if self.disputed else ""
        return f"{self.kind}{disputed}: {self.reason or self.verdict.get('cases', '')}"


@dataclass(frozen=True, slots=True)
class Hit:
    """What the store knows about a key. must_verify: this hit was drawn to be checked again;
    the new verdict goes to `Store.put`, which compares the two."""

    evidence: Evidence
    must_verify: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a store holds. place: its folder, or why it is in memory."""

    place: str
    durable: bool
    equivalent: int
    different: int
    disputed: int
    originals: int
    unfinished_runs: int
    bytes: int

    def __str__(self) -> str:
        disputed = f", {self.disputed} disputed" if self.disputed else ""
        runs = f", {self.unfinished_runs} unfinished runs" if self.unfinished_runs else ""
        return (
            f"{self.place}: {self.equivalent} equivalent and {self.different} different "
            f"for {self.originals} originals{disputed}{runs}, {self.bytes / 1e6:.1f} MB"
        )
