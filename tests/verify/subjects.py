"""Originals used by several tests, each with one warm verifier for the whole run."""

from __future__ import annotations

import atexit
import functools

from semrep.verify import Harness, Verifier, discover

SOFTMAX = """
import torch

def f(x, w):
    y = torch.relu(x @ w)
    z = y - y.max(dim=-1, keepdim=True).values
    e = torch.exp(z)
    return e / e.sum(-1, keepdim=True)

def semrep_inputs():
    return (torch.rand(8, 16), torch.rand(16, 40000))
"""

RELU = """
import torch

def f(x):
    return torch.relu(x)

def semrep_inputs():
    return (torch.rand(8, 33),)
"""

SUMS = """
import torch

def f(x, y):
    return (x * y).sum(1), x.mean()

def semrep_inputs():
    return (torch.randn(16, 64), torch.randn(16, 64))
"""

INPLACE = """
import torch

def f(x, out):
    out.copy_(x * 2)
    return out

def semrep_inputs():
    return (torch.randn(4, 5), torch.zeros(4, 5))
"""

MODULE = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.linear = nn.Linear(n, m)
        self.norm = nn.LayerNorm(m)
        self.drop = nn.Dropout(0.25)
        self.batch = nn.BatchNorm1d(m)

    def forward(self, x):
        x = self.norm(self.linear(x))
        x = self.drop(x)
        return self.batch(x).sum(1)

def get_inputs():
    return [torch.rand(8, 16)]

def get_init_inputs():
    return [16, 32]
"""

PLAIN = """
def f(words, limit):
    found = {}
    for word in words:
        if len(word) > limit:
            found[word] = found.get(word, 0) + 1
    if not found:
        raise KeyError("none")
    return found

def semrep_inputs():
    return [(["a", "bbb", "ccc", "bbb"], 2), (["a"], 5), ([], 0)]
"""

NUMPY = """
import numpy as np

def f(x, y):
    d = np.zeros((x.shape[0], y.shape[0]))
    for i in range(x.shape[0]):
        for j in range(y.shape[0]):
            d[i, j] = np.sqrt(np.sum((x[i] - y[j]) ** 2))
    return d

def semrep_inputs():
    g = np.random.default_rng(0)
    return (g.standard_normal((6, 5)), g.standard_normal((7, 5)))
"""

JAX = """
import jax
import jax.numpy as jnp

@jax.jit
def f(x, w):
    return jnp.tanh(x @ w).sum(axis=0)

def semrep_inputs():
    return (jnp.ones((8, 4)), jnp.ones((4, 6)))
"""


@functools.cache
def verifier(source: str, timeout_s: float = 30.0) -> Verifier:
    """A verifier of this original that stays open until the tests end."""
    harness = discover(source.encode())
    assert isinstance(harness, Harness), str(harness)
    made = Verifier(source.encode(), harness, timeout_s=timeout_s)
    atexit.register(made.close)
    return made


def edited(source: str, *changes: tuple[str, str]) -> bytes:
    for before, after in changes:
        assert before in source, before
        source = source.replace(before, after)
    return source.encode()
