"""Results of the language's functions in the interpreter, against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
import triton.language as tl

from tests.runtime.triton.interpreted import interpreted


@triton.jit
def multiply(a, b):
    return a * b


@triton.jit
def first_of(a, b):
    return a


@triton.jit
def last_of(a, b):
    return b


@triton.jit
def welford(mean_a, m2_a, n_a, mean_b, m2_b, n_b):
    n = n_a + n_b
    delta = mean_b - mean_a
    return mean_a + delta * n_b / n, m2_a + m2_b + delta * delta * n_a * n_b / n, n


@triton.jit
def larger(a, b):
    return tl.where(a > b or a == b, a, b)


@triton.jit
def reductions(x, y, R: tl.constexpr, C: tl.constexpr):
    i, j = tl.arange(0, R), tl.arange(0, C)
    v = tl.load(x + i[:, None] * C + j[None, :])
    tl.store(y + i, tl.reduce(v, 1, multiply))
    mean, m2, n = tl.reduce((v, v * 0, v * 0 + 1), 1, welford)
    tl.store(y + R + i, mean)
    tl.store(y + 2 * R + i, m2 / n)
    tl.store(y + 3 * R + i, tl.reduce(v, 1, last_of))
    tl.store(y + 4 * R + i, tl.reduce(v, 1, larger))
    tl.store(y + 5 * R + i, tl.reduce(tl.reduce(v, 0, larger), 0, larger))


@interpreted
def test_reductions_by_functions_of_the_kernel() -> None:
    x, y = torch.randn(4, 16), torch.zeros(6, 4)
    reductions[(1,)](x, y, R=4, C=16)
    want = [x.prod(1), x.mean(1), x.var(1, correction=0), x[:, -1], x.amax(1), x.max().expand(4)]
    torch.testing.assert_close(y, torch.stack(want))


@triton.jit
def scans(x, y, z, w, R: tl.constexpr, C: tl.constexpr):
    at = tl.arange(0, R)[:, None] * C + tl.arange(0, C)[None, :]
    v = tl.load(x + at)
    tl.store(y + at, tl.associative_scan(v, 1, multiply))
    tl.store(z + at, tl.associative_scan(v, 0, larger))
    tl.store(w + at, tl.associative_scan(v, 1, first_of, reverse=True))


@interpreted
def test_scans_by_functions_of_the_kernel() -> None:
    x = torch.randn(4, 16)
    y, z, w = torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)
    scans[(1,)](x, y, z, w, R=4, C=16)
    torch.testing.assert_close(y, x.cumprod(1))
    torch.testing.assert_close(z, x.cummax(0).values)
    assert w.equal(x[:, -1:].expand(4, 16))


@triton.jit
def extremes(x, y, C: tl.constexpr):
    j = tl.arange(0, C)
    v = tl.load(x + j)
    tl.store(y, tl.argmax(v, 0))
    tl.store(y + 1, tl.argmin(v, 0))
    _, k = tl.max(v, 0, return_indices=True)
    tl.store(y + 2, k)
    _, given = tl.reduce((v, j + 100), 0, tl.standard._argmax_combine_tie_break_left)
    tl.store(y + 3, given)


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([1.0, 5.0, 5.0, 0.0], [1, 3, 1, 101]),
        ([float("nan"), 2.0, 7.0, 2.0], [2, 1, 2, 102]),
        ([float("nan")] * 4, [3, 3, 3, 103]),
        ([float("nan"), float("-inf"), float("nan"), float("-inf")], [1, 1, 1, 101]),
    ],
)
@interpreted
def test_where_extremes_lie(values: list[float], want: list[int]) -> None:
    y = torch.zeros(4, dtype=torch.int64)
    extremes[(1,)](torch.tensor(values), y, C=4)
    assert y.tolist() == want


@triton.jit
def add_up(x, total, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.atomic_add(total + i % 4, tl.load(x + i, mask=i < n), mask=i < n)


@interpreted
def test_bfloat16_atomics_round_after_each_sum() -> None:
    x = (torch.randn(30) * 10).bfloat16()
    total = torch.zeros(4, dtype=torch.bfloat16)
    add_up[(2,)](x, total, 30, B=16)
    want = torch.zeros(4, dtype=torch.bfloat16)
    for i, value in enumerate(x):
        want[i % 4] += value
    assert total.equal(want)


@triton.jit
def library(x, y, C: tl.constexpr):
    j = tl.arange(0, C)
    v = tl.load(x + j)
    tl.store(y + j, tl.sort(v).to(y.dtype.element_ty))
    tl.store(y + C + j, tl.cumsum(v, 0).to(y.dtype.element_ty))
    tl.store(y + 2 * C + j, tl.flip(v, 0).to(y.dtype.element_ty))
    tl.store(y + 3 * C + j, tl.softmax(v.to(tl.float32)).to(y.dtype.element_ty))
    tl.store(y + 4 * C + j, tl.gather(v, (j * 5) % C, 0).to(y.dtype.element_ty))
    tl.store(y + 5 * C + j, tl.sigmoid(v.to(tl.float32)).to(y.dtype.element_ty))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@interpreted
def test_the_language_s_library(dtype: torch.dtype) -> None:
    x = torch.randn(16).to(dtype)
    y = torch.zeros(6, 16, dtype=dtype)
    library[(1,)](x, y, C=16)
    wide = x.float()
    order = (torch.arange(16) * 5) % 16
    want: list[Any] = [wide.sort().values, wide.cumsum(0), wide.flip(0), wide.softmax(0)]
    want += [wide[order], wide.sigmoid()]
    torch.testing.assert_close(y, torch.stack(want).to(dtype), rtol=2e-2, atol=1e-2)
    assert y[0].equal(x.sort().values) and y[2].equal(x.flip(0))


@triton.jit
def counted(x, y, C: tl.constexpr):
    tl.store(y + tl.arange(0, 8), tl.histogram(tl.load(x + tl.arange(0, C)), 8))


@triton.jit
def randoms(y, seed, C: tl.constexpr):
    j = tl.arange(0, C)
    tl.store(y + j, tl.rand(seed, j))
    tl.store(y + C + j, tl.randn(seed, j))


@interpreted
def test_histograms_and_random_numbers() -> None:
    x, y = torch.randint(0, 8, (32,), dtype=torch.int32), torch.zeros(8, dtype=torch.int32)
    counted[(1,)](x, y, C=32)
    assert y.equal(torch.bincount(x, minlength=8).int())
    one, two = torch.zeros(2, 1024), torch.zeros(2, 1024)
    randoms[(1,)](one, 7, C=1024)
    randoms[(1,)](two, 7, C=1024)
    assert one.equal(two) and (one[0] >= 0).all() and (one[0] < 1).all()
    assert abs(one[0].mean() - 0.5) < 0.05 and abs(one[1].std() - 1) < 0.1


@triton.jit
def product(a, b, c, P: tl.constexpr):
    i = tl.arange(0, 16)
    at = i[:, None] * 16 + i[None, :]
    x, y = tl.load(a + at), tl.load(b + at)
    tl.store(c + at, tl.dot(x, y, input_precision=P).to(c.dtype.element_ty))


@pytest.mark.parametrize("precision", ["ieee", "tf32", "tf32x3"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@interpreted
def test_products_whatever_their_precision(precision: str, dtype: torch.dtype) -> None:
    a, b = torch.randn(16, 16).to(dtype), torch.randn(16, 16).to(dtype)
    c = torch.zeros(16, 16)
    product[(1,)](a, b, c, precision)
    torch.testing.assert_close(c, a.float() @ b.float(), rtol=1e-5, atol=1e-5)


@triton.jit
def through_eight_bits(x, y, KIND: tl.constexpr, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(y + i, tl.load(x + i).to(KIND).to(tl.float32))


@interpreted
def test_eight_bit_floats() -> None:
    x = torch.tensor([0.0, 1.0, -1.5, 0.3, 100.0, -7.25, 3.5, 0.02])
    kinds = ((tl.float8e5, torch.float8_e5m2), (tl.float8e4nv, torch.float8_e4m3fn))
    for kind, theirs in kinds:
        y = torch.zeros(8)
        through_eight_bits[(1,)](x, y, kind, B=8)
        assert y.equal(x.to(theirs).float())
        z = torch.zeros(4)
        special = torch.tensor([1e6, float("-inf"), float("nan"), 464.0])
        through_eight_bits[(1,)](special, z, kind, B=4)
        largest = torch.finfo(theirs).max
        assert z[0] == largest and z[1] == -largest and z[2].isnan() and z[3] <= largest


@triton.jit
def eight_bit_product(a, b, c):
    i = tl.arange(0, 16)
    at = i[:, None] * 16 + i[None, :]
    tl.store(c + at, tl.dot(tl.load(a + at), tl.load(b + at)))


@interpreted
def test_products_of_eight_bit_floats() -> None:
    for kind in (torch.float8_e5m2, torch.float8_e4m3fn):
        a, b = torch.randn(16, 16).to(kind), torch.randn(16, 16).to(kind)
        c = torch.zeros(16, 16)
        eight_bit_product[(1,)](a, b, c)
        torch.testing.assert_close(c, a.float() @ b.float(), rtol=1e-5, atol=1e-5)
