"""Average over a sliding window, shorter at the ends."""

import numpy as np


def moving_average(x, width=5):
    n = len(x)
    out = np.zeros_like(x)
    half = width // 2
    for i in range(n):
        low = max(0, i - half)
        high = min(n, i + half + 1)
        out[i] = x[low:high].sum() / (high - low)
    return out


def semrep_inputs():
    return [(np.random.default_rng(0).standard_normal(40),)]
