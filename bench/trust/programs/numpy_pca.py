"""Covariance of columns, whitened by their deviations."""

import numpy as np


def correlation(x):
    centred = x - x.mean(axis=0)
    n = x.shape[0]
    cov = centred.T @ centred / (n - 1)
    std = np.sqrt(np.diag(cov))
    return cov / np.outer(std, std)


def semrep_inputs():
    return [(np.random.default_rng(0).standard_normal((30, 6)),)]
