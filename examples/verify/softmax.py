"""A reference, as one writes it down."""

import torch


def softmax(x):
    return torch.softmax(x, dim=-1)


def semrep_inputs():
    return (torch.rand(16, 512),)
