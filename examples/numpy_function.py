"""A NumPy function whose products are larger than what is wanted of them.

python -m semrep.opt examples/numpy_function.py
"""

import numpy as np


def alignment(features, weights, targets):
    """Total response of each row, and how well features and targets agree.

    features: (n, d). weights: (d, k). targets: (d, n). Returns an array (n,) and a number.
    """
    responses = np.dot(features, weights)
    total = responses.sum(axis=1)
    overlap = np.matmul(features, targets)
    agreement = np.trace(overlap)
    return total, agreement


def semrep_inputs():
    generator = np.random.default_rng(0)
    features = generator.standard_normal((512, 512), dtype=np.float32)
    weights = generator.standard_normal((512, 1024), dtype=np.float32)
    targets = generator.standard_normal((512, 512), dtype=np.float32)
    return [(features, weights, targets)]
