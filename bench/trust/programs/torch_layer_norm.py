"""Layer normalisation over the last axis, written out."""

import torch


def layer_norm(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True)
    centred = x - mean
    variance = (centred * centred).mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * weight + bias


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(3, 5, 40), torch.randn(40), torch.randn(40))]
