"""RMS norm in float32 of half precision rows, then a SiLU gate."""

import torch


def rms_norm_gate(x, gate, weight, eps=1e-6):
    wide = x.to(torch.float32)
    scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    normed = (wide * scale).to(x.dtype) * weight
    return normed * torch.nn.functional.silu(gate)


def semrep_inputs():
    torch.manual_seed(0)
    half = torch.float16
    return [(torch.randn(6, 64).to(half), torch.randn(6, 64).to(half), torch.randn(64).to(half))]
