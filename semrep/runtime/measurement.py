"""Times of an original and a candidate, and what follows from them."""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass
from typing import Any

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Measurement:
    """Seconds per call, taken in interleaved pairs on the same arguments.

    samples_original[i] and samples_candidate[i] were taken right after each other, in random
    order. inner: calls per sample; warmup: calls before the first sample, each. Everything else
    is derived. Raises ValueError where there are no pairs.
    """

    samples_original: tuple[float, ...]
    samples_candidate: tuple[float, ...]
    warmup: int
    inner: int = 1
    device: str = "cpu"
    unit: str = "s"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.samples_original or len(self.samples_original) != len(self.samples_candidate):
            raise ValueError("a measurement consists of pairs of samples")

    @property
    def median_original(self) -> float:
        return statistics.median(self.samples_original)

    @property
    def median_candidate(self) -> float:
        return statistics.median(self.samples_candidate)

    @property
    def ratio(self) -> float:
        """Speed-up: original over candidate, of medians. Above 1 the candidate is faster."""
        return self.median_original / max(self.median_candidate, 1e-12)

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the ratio: percentile bootstrap over the pairs (Efron 1979)."""
        pairs = list(zip(self.samples_original, self.samples_candidate, strict=True))
        generator = random.Random(self.seed)
        ratios = []
        for _ in range(RESAMPLES):
            drawn = generator.choices(pairs, k=len(pairs))
            before = statistics.median(pair[0] for pair in drawn)
            after = statistics.median(pair[1] for pair in drawn)
            ratios.append(before / max(after, 1e-12))
        ratios.sort()
        return ratios[int(0.025 * RESAMPLES)], ratios[int(0.975 * RESAMPLES) - 1]

    @property
    def low(self) -> float:
        return self.interval[0]

    @property
    def high(self) -> float:
        return self.interval[1]

    @property
    def faster(self) -> bool:
        """Whether the whole interval lies above 1; a handful of pairs never suffices."""
        return len(self.samples_original) >= 5 and self.interval[0] > 1.0

    @property
    def slower(self) -> bool:
        return len(self.samples_original) >= 5 and self.interval[1] < 1.0

    def describe(self) -> str:
        low, high = self.interval
        return (
            f"{self.ratio:.2f}x ({low:.2f} to {high:.2f}) on {self.device}: "
            f"{_seconds(self.median_original)} to {_seconds(self.median_candidate)}, "
            f"{len(self.samples_original)} pairs"
        )

    def __str__(self) -> str:
        return self.describe()

    def to_json(self) -> dict[str, Any]:
        low, high = self.interval
        return {
            "kind": "measurement",
            "ratio": self.ratio,
            "low": low,
            "high": high,
            "median_original": self.median_original,
            "median_candidate": self.median_candidate,
            "pairs": len(self.samples_original),
            "inner": self.inner,
            "warmup": self.warmup,
            "device": self.device,
            "unit": self.unit,
        }


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"
