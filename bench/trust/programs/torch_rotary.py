"""Rotary embedding of queries, halves rotated against each other."""

import torch


def rotary(x, base=10000.0):
    n, d = x.shape[-2], x.shape[-1]
    half = d // 2
    rates = base ** (-torch.arange(0, half, dtype=torch.float32) / half)
    angles = torch.arange(n, dtype=torch.float32)[:, None] * rates[None, :]
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(2, 3, 9, 8),)]
