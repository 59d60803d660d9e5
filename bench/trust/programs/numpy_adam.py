"""One Adam step, the moments updated in place."""

import numpy as np


def adam(p, g, m, v, step=3, lr=1e-2, b1=0.9, b2=0.999, eps=1e-8):
    m *= b1
    m += (1 - b1) * g
    v *= b2
    v += (1 - b2) * g * g
    m_hat = m / (1 - b1**step)
    v_hat = np.abs(v) / (1 - b2**step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps)


def semrep_inputs():
    rng = np.random.default_rng(0)
    return [tuple(rng.standard_normal(25) for _ in range(4))]
