"""Cross-correlation with stride, dilation and zero padding, by loops."""

import numpy as np


def conv1d(x, w, stride=2, dilation=2, padding=1):
    batch, channels, n = x.shape
    outs, _, k = w.shape
    padded = np.zeros((batch, channels, n + 2 * padding), dtype=x.dtype)
    padded[:, :, padding : padding + n] = x
    length = (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1
    y = np.zeros((batch, outs, length), dtype=x.dtype)
    for t in range(length):
        start = t * stride
        window = padded[:, :, start : start + dilation * (k - 1) + 1 : dilation]
        y[:, :, t] = np.einsum("bck,ock->bo", window, w)
    return y


def semrep_inputs():
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((2, 3, 20)), rng.standard_normal((4, 3, 3)))]
