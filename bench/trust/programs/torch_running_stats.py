"""Batch norm in training: normalises and updates the running statistics in place."""

import torch


def batch_norm(x, running_mean, running_var, momentum=0.1, eps=1e-5):
    mean = x.mean(dim=0)
    var = x.var(dim=0, unbiased=False)
    n = x.shape[0]
    running_mean.mul_(1 - momentum).add_(momentum * mean)
    running_var.mul_(1 - momentum).add_(momentum * var * n / (n - 1))
    return (x - mean) / torch.sqrt(var + eps)


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(12, 7), torch.zeros(7), torch.ones(7))]
