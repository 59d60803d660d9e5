"""Intervals by the bootstrap: resample, recompute, take the middle 95%.

Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile method).
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")
RESAMPLES = 2000


class Interval(NamedTuple):
    value: float
    low: float
    high: float


def bootstrap(
    samples: Sequence[T],
    statistic: Callable[[Sequence[T]], float],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """The statistic of the samples with its 95% interval. Raises ValueError without samples."""
    if not samples:
        raise ValueError("no samples")
    rng = random.Random(seed)
    count = len(samples)
    found = sorted(statistic(rng.choices(samples, k=count)) for _ in range(resamples))
    low = found[int(0.025 * (resamples - 1))]
    high = found[int(0.975 * (resamples - 1) + 0.5)]
    return Interval(statistic(samples), low, high)


def median(samples: Sequence[float], seed: int = 0) -> Interval:
    return bootstrap(samples, statistics.median, seed)


def ratio_of_sums(pairs: Sequence[tuple[float, float]], seed: int = 0) -> Interval:
    """Sum of the first over sum of the second, resampled by pairs: each pair is one round in
    which both were timed."""
    return bootstrap(pairs, lambda p: sum(a for a, _ in p) / sum(b for _, b in p), seed)
