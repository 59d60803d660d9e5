"""Counts of equal bins between the extremes, the last bin closed."""

import numpy as np


def histogram(x, bins=8):
    low, high = x.min(), x.max()
    if high == low:
        high = low + 1.0
    place = np.floor((x - low) / (high - low) * bins).astype(np.int64)
    place = np.clip(place, 0, bins - 1)
    counts = np.zeros(bins, dtype=np.int64)
    np.add.at(counts, place, 1)
    return counts, np.cumsum(counts) / x.size


def semrep_inputs():
    return [(np.random.default_rng(0).standard_normal(50),)]
