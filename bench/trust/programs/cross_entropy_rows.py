"""Cross entropy of each row with a label that may be left out."""

import torch
import triton
import triton.language as tl


@triton.jit
def loss_kernel(x_ptr, t_ptr, out_ptr, stride, n, ignored, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    target = tl.load(t_ptr + row)
    if target == ignored:
        tl.store(out_ptr + row, 0.0)
        return
    x_ptr += row * stride
    top = -float("inf")
    total = 0.0
    for start in range(0, n, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + cols, mask=cols < n, other=-float("inf"))
        new = tl.maximum(top, tl.max(x, axis=0))
        total = total * tl.exp(top - new) + tl.sum(tl.exp(x - new), axis=0)
        top = new
    picked = tl.load(x_ptr + target)
    tl.store(out_ptr + row, tl.log(total) + top - picked)


def cross_entropy(x, target, ignored=2):
    x = x.contiguous()
    rows, n = x.shape
    out = torch.empty(rows)
    loss_kernel[(rows,)](x, target, out, x.stride(0), n, ignored, BLOCK=32)
    kept = (target != ignored).sum().clamp(min=1)
    return out.sum() / kept


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(6, 75), torch.tensor([3, 2, 74, 0, 40, 2]))]
