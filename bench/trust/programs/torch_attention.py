"""Attention with several heads and a mask of what may be seen."""

import math

import torch


def attention(q, k, v, causal=True):
    n, m = q.shape[-2], k.shape[-2]
    scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    if causal:
        hidden = torch.ones(n, m, dtype=torch.bool).triu(diagonal=1)
        scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return torch.matmul(weights, v)


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(2, 3, 10, 8), torch.randn(2, 3, 10, 8), torch.randn(2, 3, 10, 8))]
