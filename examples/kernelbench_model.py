"""A model in KernelBench's form: one number for each row out of a wide linear layer.

    python -m semrep.opt examples/kernelbench_model.py

The (batch, hidden) activations are never needed: the weights can be summed first. What follows
acts on a dimension of size 1 and does nothing.
"""

import torch
import torch.nn as nn


class Model(nn.Module):
    """Scores rows: project, scale, sum over features, then a chain of reductions."""

    def __init__(self, in_features, hidden_features, scale):
        super().__init__()
        self.project = nn.Linear(in_features, hidden_features)
        self.scale = scale

    def forward(self, x):
        x = self.project(x)  # (batch, hidden)
        x = x * self.scale
        x = torch.sum(x, dim=1, keepdim=True)  # (batch, 1)
        x = torch.max(x, dim=1, keepdim=True)[0]
        x = torch.mean(x, dim=1, keepdim=True)
        return torch.logsumexp(x, dim=1, keepdim=True)


batch_size = 128
in_features = 1024
hidden_features = 2048


def get_inputs():
    return [torch.randn(batch_size, in_features)]


def get_init_inputs():
    return [in_features, hidden_features, 0.5]
