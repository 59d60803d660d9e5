"""A gated linear unit with the exact GELU, and its gradient by hand."""

import torch
import triton
import triton.language as tl


@triton.jit
def forward_kernel(a_ptr, b_ptr, y_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    a = tl.load(a_ptr + at, mask=mask, other=0.0)
    b = tl.load(b_ptr + at, mask=mask, other=0.0)
    gelu = 0.5 * a * (1.0 + tl.math.erf(a * 0.7071067811865476))
    tl.store(y_ptr + at, gelu * b, mask=mask)


@triton.jit
def backward_kernel(g_ptr, a_ptr, b_ptr, da_ptr, db_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    g = tl.load(g_ptr + at, mask=mask, other=0.0)
    a = tl.load(a_ptr + at, mask=mask, other=0.0)
    b = tl.load(b_ptr + at, mask=mask, other=0.0)
    phi = 0.5 * (1.0 + tl.math.erf(a * 0.7071067811865476))
    slope = phi + a * tl.exp(-0.5 * a * a) * 0.3989422804014327
    tl.store(da_ptr + at, g * b * slope, mask=mask)
    tl.store(db_ptr + at, g * a * phi, mask=mask)


class GatedGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        a, b = a.contiguous(), b.contiguous()
        ctx.save_for_backward(a, b)
        y = torch.empty_like(a)
        n = a.numel()
        forward_kernel[(triton.cdiv(n, 64),)](a, b, y, n, BLOCK=64)
        return y

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        g = g.contiguous()
        da, db = torch.empty_like(a), torch.empty_like(b)
        n = a.numel()
        backward_kernel[(triton.cdiv(n, 64),)](g, a, b, da, db, n, BLOCK=64)
        return da, db


def value_and_gradients(a, b, g):
    with torch.enable_grad():
        a = a.detach().requires_grad_()
        b = b.detach().requires_grad_()
        y = GatedGelu.apply(a, b)
        da, db = torch.autograd.grad(y, (a, b), g)
    return y.detach(), da, db


def semrep_inputs():
    torch.manual_seed(0)
    return [(torch.randn(3, 50), torch.randn(3, 50), torch.randn(3, 50))]
