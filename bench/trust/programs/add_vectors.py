"""x + alpha y, elementwise."""

import torch
import triton
import triton.language as tl


@triton.jit
def axpy_kernel(x_ptr, y_ptr, out_ptr, n, alpha, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    offsets = pid * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < n
    x = tl.load(x_ptr + offsets, mask=mask)
    y = tl.load(y_ptr + offsets, mask=mask)
    tl.store(out_ptr + offsets, x + alpha * y, mask=mask)


def axpy(x, y, alpha=0.5):
    x, y = x.contiguous(), y.contiguous()
    out = torch.empty_like(x)
    n = x.numel()
    grid = (triton.cdiv(n, 128),)
    axpy_kernel[grid](x, y, out, n, alpha, BLOCK=128)
    return out


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(1000), torch.randn(1000))]
