"""The transposed matrix times a factor per row of the result, in tiles."""

import torch
import triton
import triton.language as tl


@triton.jit
def transpose_kernel(x_ptr, s_ptr, y_ptr, rows, cols, T: tl.constexpr):
    r = tl.program_id(0) * T + tl.arange(0, T)
    c = tl.program_id(1) * T + tl.arange(0, T)
    mask = (r[:, None] < rows) & (c[None, :] < cols)
    x = tl.load(x_ptr + r[:, None] * cols + c[None, :], mask=mask, other=0.0)
    s = tl.load(s_ptr + c, mask=c < cols, other=0.0)
    scaled = tl.trans(x * s[None, :])
    tl.store(y_ptr + c[:, None] * rows + r[None, :], scaled, mask=tl.trans(mask))


def transpose_scale(x, s):
    x = x.contiguous()
    rows, cols = x.shape
    y = torch.empty((cols, rows), dtype=x.dtype)
    grid = (triton.cdiv(rows, 16), triton.cdiv(cols, 16))
    transpose_kernel[grid](x, s, y, rows, cols, T=16)
    return y


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(20, 37), torch.randn(37))]
