"""Modelled cost of Triton kernels from counted traffic and operations. Not a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semrep.cost.counters import Counters, count
from semrep.runtime.harness import Harness
from semrep.runtime.session import Session

# Differences below this the model cannot tell from nothing.
TIE = 0.10


@dataclass(frozen=True, slots=True)
class Machine:
    """Peak rates of a GPU, per second, and the price of a launch in seconds."""

    name: str
    dram_bytes: float
    l2_bytes: float
    arithmetic: float
    special: float
    dot_flops: float
    atomics: float
    launch_s: float


# From the vendor's data sheet (H100 SXM); L2, atomics and launch are round figures.
H100 = Machine("H100", 3.35e12, 7.0e12, 3.3e13, 4.2e12, 4.9e14, 2.0e11, 3.0e-6)


@dataclass(frozen=True, slots=True)
class TrafficEstimate:
    """Modelled seconds of one call by resource.

    dram: each distinct byte crosses once; l2: every sector a warp touches crosses the L2;
    arithmetic, special, dot, atomics: operations over peak rate; launch: fixed.
    The total joins the overlapping ones by a 4-norm, as kernels are bound by one or two.
    """

    counters: Counters
    machine: Machine = H100

    @property
    def parts(self) -> dict[str, float]:
        counted, machine = self.counters, self.machine
        return {
            "dram": counted.unique_bytes / machine.dram_bytes,
            "l2": counted.sectors * 32 / machine.l2_bytes,
            "arithmetic": counted.arithmetic / machine.arithmetic,
            "special": counted.special / machine.special,
            "dot": counted.dot_flops / machine.dot_flops,
            "atomics": counted.atomics / machine.atomics,
        }

    @property
    def busy_s(self) -> float:
        """Seconds without the launches, which dwarf everything on small examples."""
        return float(sum(part**4 for part in self.parts.values()) ** 0.25)

    @property
    def seconds(self) -> float:
        return self.counters.launches * self.machine.launch_s + self.busy_s

    @property
    def bound_by(self) -> str:
        parts = self.parts
        return max(parts, key=lambda name: parts[name])

    def __str__(self) -> str:
        return f"modelled {self.seconds * 1e6:.3g} µs on {self.machine.name}, {self.bound_by}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Modelled cost of an original and a candidate on the same call."""

    original: Counters
    candidate: Counters
    machine: Machine = H100

    @property
    def ratio(self) -> float:
        """Original over candidate. The number of launches weighs in only where it changed,
        since examples are small and real calls are not."""
        before = TrafficEstimate(self.original, self.machine)
        after = TrafficEstimate(self.candidate, self.machine)
        if self.original.launches == self.candidate.launches:
            return before.busy_s / max(after.busy_s, 1e-15)
        return before.seconds / max(after.seconds, 1e-15)

    @property
    def low(self) -> float:
        return self.ratio * (1 - TIE)

    @property
    def high(self) -> float:
        return self.ratio * (1 + TIE)

    @property
    def faster(self) -> bool:
        return self.low > 1.0

    @property
    def slower(self) -> bool:
        return self.high < 1.0

    def describe(self) -> str:
        verdict = "" if self.faster or self.slower else ", a tie"
        before = TrafficEstimate(self.original, self.machine)
        return (
            f"{self.ratio:.2f}x modelled for {self.machine.name} (no GPU ran{verdict}): bound by "
            f"{before.bound_by}, bytes {self.original.bytes_asked} to "
            f"{self.candidate.bytes_asked}, sectors {self.original.sectors} to "
            f"{self.candidate.sectors}"
        )

    def __str__(self) -> str:
        return self.describe()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "estimate",
            "machine": self.machine.name,
            "ratio": self.ratio,
            "low": self.low,
            "high": self.high,
            "original": self.original.to_json(),
            "candidate": self.candidate.to_json(),
        }


def estimate(
    original: bytes,
    candidate: bytes,
    harness: Harness,
    *,
    seed: int = 0,
    session: Session | None = None,
) -> Estimate:
    """Counts both sources on the harness's first example. Raises counters.NotCounted."""
    if session is None:
        with Session(original, harness, seed=seed) as own:
            return estimate(original, candidate, harness, seed=seed, session=own)
    return Estimate(
        original=count(original, harness, seed=seed, session=session),
        candidate=count(candidate, harness, seed=seed, session=session),
    )
