"""Layer normalisation as a textbook has it: one loop for the mean, one for the variance, one
for the result; and the gradient of its weight, added to memory row by row."""

import torch
import triton
import triton.language as tl


@triton.jit
def layer_norm_kernel(x_ptr, w_ptr, b_ptr, y_ptr, n_cols, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0) * n_cols

    total = 0.0
    for start in range(0, n_cols, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + cols, mask=cols < n_cols, other=0.0)
        total += tl.sum(x, axis=0)
    mean = total / n_cols

    squares = 0.0
    for start in range(0, n_cols, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + cols, mask=cols < n_cols, other=0.0)
        centered = tl.where(cols < n_cols, x - mean, 0.0)
        squares += tl.sum(centered * centered, axis=0)
    scale = 1.0 / tl.sqrt(squares / n_cols + eps)

    for start in range(0, n_cols, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + row + cols, mask=cols < n_cols, other=0.0)
        w = tl.load(w_ptr + cols, mask=cols < n_cols)
        b = tl.load(b_ptr + cols, mask=cols < n_cols)
        tl.store(y_ptr + row + cols, (x - mean) * scale * w + b, mask=cols < n_cols)


@triton.jit
def weight_gradient_kernel(
    dy_ptr, x_ptr, dw_ptr, n_rows, n_cols, ROWS: tl.constexpr, BLOCK: tl.constexpr
):
    first = tl.program_id(0) * ROWS
    last = min(first + ROWS, n_rows)
    for row in range(first, last):
        cols = tl.arange(0, BLOCK)
        dy = tl.load(dy_ptr + row * n_cols + cols, mask=cols < n_cols, other=0.0)
        x = tl.load(x_ptr + row * n_cols + cols, mask=cols < n_cols, other=0.0)
        tl.atomic_add(dw_ptr + cols, dy * x, mask=cols < n_cols)


def layer_norm(x, w, b, dy):
    """The normalised rows, and the gradient that `dy` gives to the weight (unscaled)."""
    n_rows, n_cols = x.shape
    y = torch.empty_like(x)
    layer_norm_kernel[(n_rows,)](x, w, b, y, n_cols, 1e-5, BLOCK=1024)
    dw = torch.zeros_like(w)
    weight_gradient_kernel[(triton.cdiv(n_rows, 4),)](
        dy, x, dw, n_rows, n_cols, ROWS=4, BLOCK=triton.next_power_of_2(n_cols)
    )
    return y, dw


def semrep_inputs():
    return (torch.randn(8, 700), torch.rand(700), torch.randn(700), torch.randn(8, 700))
