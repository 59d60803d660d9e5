"""Layer normalisation with a row that is longer than a block."""

import torch
import triton
import triton.language as tl


@triton.jit
def norm_kernel(x_ptr, w_ptr, b_ptr, y_ptr, stride, n, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    x_ptr += row * stride
    y_ptr += row * stride
    total = tl.zeros([BLOCK], dtype=tl.float32)
    for start in range(0, n, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + cols, mask=cols < n, other=0.0)
    mean = tl.sum(total, axis=0) / n
    spread = tl.zeros([BLOCK], dtype=tl.float32)
    for start in range(0, n, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + cols, mask=cols < n, other=0.0)
        centred = tl.where(cols < n, x - mean, 0.0)
        spread += centred * centred
    scale = 1.0 / tl.sqrt(tl.sum(spread, axis=0) / n + eps)
    for start in range(0, n, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        mask = cols < n
        x = tl.load(x_ptr + cols, mask=mask, other=0.0)
        w = tl.load(w_ptr + cols, mask=mask)
        b = tl.load(b_ptr + cols, mask=mask)
        tl.store(y_ptr + cols, (x - mean) * scale * w + b, mask=mask)


def layer_norm(x, weight, bias, eps=1e-5):
    x = x.contiguous()
    y = torch.empty_like(x)
    rows, n = x.shape
    norm_kernel[(rows,)](x, weight, bias, y, x.stride(0), n, eps, BLOCK=32)
    return y


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(4, 90), torch.randn(90), torch.randn(90))]
