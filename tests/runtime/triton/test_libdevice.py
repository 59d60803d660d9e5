"""libdevice's bodies against torch, exact arithmetic and Python's integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice
from triton.language.extra.cuda import libdevice as cuda_libdevice

from semrep.runtime.triton.libdevice import FUNCTIONS, UNDEFINED, NotInterpreted
from semrep.runtime.triton.libdevice_rounding import ROUNDING
from tests.runtime.triton.interpreted import interpreted

RANGE = np.concatenate([np.linspace(-6, 6, 101), [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf]])
SPECIAL = torch.special
AGAINST_TORCH: dict[str, Callable[..., torch.Tensor]] = {
    "abs": torch.abs, "acos": torch.acos, "acosh": torch.acosh, "asin": torch.asin,
    "asinh": torch.asinh, "atan": torch.atan, "atanh": torch.atanh, "ceil": torch.ceil,
    "cos": torch.cos, "cosh": torch.cosh, "cospi": lambda x: torch.cos(torch.pi * x),
    "erf": torch.erf, "erfc": torch.erfc, "erfinv": torch.erfinv, "erfcx": SPECIAL.erfcx,
    "erfcinv": lambda x: torch.erfinv(1 - x), "exp": torch.exp, "exp2": torch.exp2,
    "exp10": lambda x: 10.0**x, "expm1": torch.expm1, "floor": torch.floor,
    "cyl_bessel_i0": SPECIAL.i0, "cyl_bessel_i1": SPECIAL.i1, "j0": SPECIAL.bessel_j0,
    "j1": SPECIAL.bessel_j1, "y0": SPECIAL.bessel_y0, "y1": SPECIAL.bessel_y1,
    "lgamma": torch.lgamma, "log": torch.log, "log10": torch.log10, "log1p": torch.log1p,
    "log2": torch.log2, "normcdf": SPECIAL.ndtr, "normcdfinv": SPECIAL.ndtri,
    "rint": torch.round, "rsqrt": torch.rsqrt, "sin": torch.sin, "sinh": torch.sinh,
    "saturatef": lambda x: x.nan_to_num(0.0, torch.inf, -torch.inf).clamp(0, 1),
    "sinpi": lambda x: torch.sin(torch.pi * x), "sqrt": torch.sqrt, "tan": torch.tan,
    "tanh": torch.tanh, "trunc": torch.trunc, "isnan": torch.isnan, "isinf": torch.isinf,
    "finitef": torch.isfinite, "signbit": torch.signbit, "rsqrt_rn": torch.rsqrt,
    "cbrt": lambda x: x.sign() * x.abs() ** (1 / 3),
    "rcbrt": lambda x: 1 / (torch.copysign(x.abs() ** (1 / 3), x)),
}  # fmt: skip


@pytest.mark.parametrize("name", AGAINST_TORCH)
def test_functions_of_one_number(name: str) -> None:
    with np.errstate(all="ignore"):
        got = np.asarray(FUNCTIONS[name](RANGE), dtype=np.float64)
    want = AGAINST_TORCH[name](torch.from_numpy(RANGE)).double().numpy()
    np.testing.assert_allclose(got, want, rtol=2e-12, atol=2e-15 if name != "sinpi" else 1e-13)


TWO: dict[str, Callable[[float, float], float]] = {
    "atan2": math.atan2, "copysign": math.copysign, "hypot": math.hypot,
    "fmod": math.fmod, "remainder": math.remainder, "nextafter": math.nextafter,
    "pow": lambda a, b: a**b if a > 0 else math.nan, "fdim": lambda a, b: max(a - b, 0.0),
    "rhypot": lambda a, b: 1 / math.hypot(a, b), "fast_dividef": lambda a, b: a / b,
}  # fmt: skip


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_numbers(name: str) -> None:
    values = [-3.7, -1.0, 0.3, 1.5, 2.5, 41.25]
    a, b = (v.reshape(-1) for v in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        got = FUNCTIONS[name](a, b)
    want = [TWO[name](x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    chosen = a > 0 if name == "pow" else np.ones_like(a, dtype=bool)
    np.testing.assert_allclose(got[chosen], np.array(want)[chosen], rtol=1e-13)


def test_the_rest_of_the_reals() -> None:
    x = np.array([0.49999997, 0.5, -0.5, 1.5, -2.5, 2.4], np.float32)
    assert FUNCTIONS["round"](x).tolist() == [0, 1, -1, 2, -3, np.float32(2)]
    assert (
        FUNCTIONS["norm3d"](3.0, 4.0, 12.0) == 13 and FUNCTIONS["rnorm3d"](2.0, 4.0, 4.0) == 1 / 6
    )
    assert FUNCTIONS["norm4d"](1e300, 1e300, 1e300, 1e300) == 2e300
    assert FUNCTIONS["tgamma"](np.array([5.0, 0.5]))[0] == 24
    assert FUNCTIONS["tgamma"](np.array([-0.0]))[0] == -np.inf
    assert np.isnan(FUNCTIONS["tgamma"](np.array([-1.0])))[0]
    assert FUNCTIONS["ldexp"](np.array([0.75]), np.array([3]))[0] == 6
    assert FUNCTIONS["logb"](np.array([10.0, 0.1])).tolist() == [3, -4]
    assert FUNCTIONS["ilogb"](np.array([10.0, 0.0, np.inf])).tolist() == [3, -(2**31), 2**31 - 1]
    orders = np.array([0, 1, 2, 5])
    at = np.full(4, 3.5)
    known_j = [-0.380127739987263, 0.137377527362327, 0.458629184194307, 0.080441986647992]
    np.testing.assert_allclose(FUNCTIONS["jn"](orders, at), known_j, rtol=1e-12)
    first, second = (
        [FUNCTIONS[f](np.array([n]), at[:1])[0] for n in range(6)] for f in ("jn", "yn")
    )
    for n in range(5):  # their Wronskian; torch has Y1 to ten digits
        product = first[n + 1] * second[n] - first[n] * second[n + 1]
        assert product == pytest.approx(2 / (math.pi * 3.5), rel=1e-9)


EXACT: dict[str, Callable[..., Fraction]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b, "fma": lambda a, b, c: a * b + c, "rcp": lambda a: 1 / a,
}  # fmt: skip


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["rn", "rz", "rd", "ru"])
@pytest.mark.parametrize("name", EXACT)
def test_rounding(name: str, mode: str, kind: type[Any]) -> None:
    count = EXACT[name].__code__.co_argcount
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((60, count)) * 10.0 ** generator.integers(-9, 9, (60, count))
    values = [column.astype(kind) for column in rows.T]
    for got, *row in zip(ROUNDING[f"{name}_{mode}"](*values), *values, strict=True):
        exact = EXACT[name](*(Fraction(float(v)) for v in row))
        assert type(got) is kind
        below, above = np.nextafter(got, kind(-np.inf)), np.nextafter(got, kind(np.inf))
        here, low, high = (Fraction(float(v)) for v in (got, below, above))
        if mode == "rn":
            assert abs(here - exact) <= min(abs(low - exact), abs(high - exact))
        elif mode == "rd" or (mode == "rz" and exact > 0):
            assert here <= exact < high
        else:
            assert low < exact <= here


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rounding_at_the_edges() -> None:
    big, one = np.array([3.4e38], np.float32), np.array([1.0], np.float32)
    assert ROUNDING["add_ru"](big, big)[0] == np.inf
    assert ROUNDING["add_rz"](big, big)[0] == np.finfo(np.float32).max
    assert ROUNDING["add_rd"](-big, -big)[0] == -np.inf
    assert np.signbit(ROUNDING["add_rd"](one, -one))[0] and not np.signbit(one - one)[0]
    assert np.isnan(ROUNDING["mul_ru"](np.array([np.inf], np.float32), one * 0))[0]
    assert ROUNDING["div_rd"](one, one * 0)[0] == np.inf
    third = ROUNDING["sqrt_rd"](np.array([3.0])), ROUNDING["sqrt_ru"](np.array([3.0]))
    assert third[1][0] == np.nextafter(third[0][0], np.inf)


def test_conversions() -> None:
    x = np.array([2.5, -2.5, 3e9, -3e9, np.nan, np.inf])
    top, bottom = 2**31 - 1, -(2**31)
    assert FUNCTIONS["double2int_rn"](x).tolist() == [2, -2, top, bottom, 0, top]
    assert FUNCTIONS["double2int_ru"](x).tolist()[:2] == [3, -2]
    assert FUNCTIONS["double2uint_rd"](x).tolist() == [2, 0, 3 * 10**9, 0, 0, 2**32 - 1]
    assert FUNCTIONS["double2ll_rz"](x).tolist()[4:] == [-(2**63), 2**63 - 1]
    whole = np.array([2**24 + 1, -(2**24) - 1])
    assert FUNCTIONS["ll2float_rd"](whole).tolist() == [2**24, -(2**24) - 2]
    assert FUNCTIONS["ll2float_rz"](whole).tolist() == [2**24, -(2**24)]
    assert FUNCTIONS["uint2float_rn"](np.array([-1], np.int32))[0] == 2.0**32
    assert FUNCTIONS["double2float_ru"](np.array([0.1]))[0] >= 0.1


def test_integers() -> None:
    x = np.array([0, 1, -1, 0x00F0, 2**31 - 1], np.int32)
    assert FUNCTIONS["clz"](x).tolist() == [32, 31, 0, 24, 1]
    assert FUNCTIONS["popc"](x).tolist() == [0, 1, 32, 4, 31]
    assert FUNCTIONS["ffs"](x).tolist() == [0, 1, 1, 5, 1]
    assert FUNCTIONS["brev"](x).tolist() == [0, -(2**31), -1, 0x0F000000, -2]
    assert FUNCTIONS["mulhi"](x, x).tolist() == [0, 0, 0, 0, (2**31 - 1) ** 2 >> 32]
    assert FUNCTIONS["hadd"](x, x + 2).tolist()[:3] == [1, 2, 0]
    assert FUNCTIONS["rhadd"](x, x + np.int32(1)).tolist()[:3] == [1, 2, 0]
    assert FUNCTIONS["sad"](x, x[::-1].copy(), x).tolist()[1] == 1 + abs(1 - 0xF0)
    assert FUNCTIONS["mul24"](x, x).tolist()[:4] == [0, 1, 1, 0xF0 * 0xF0]
    one, two, by = (np.array([v], np.int32) for v in (0x33221100, 0x77665544, 0x7531))
    assert FUNCTIONS["byte_perm"](one, two, by).tolist() == [0x77553311]
    double = np.array([1.5, -2.0])
    high, low = FUNCTIONS["double2hiint"](double), FUNCTIONS["double2loint"](double)
    assert FUNCTIONS["hiloint2double"](high, low).tolist() == double.tolist()


def test_every_declared_function_has_a_body() -> None:
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(cuda_libdevice))
    declared = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert declared - set(FUNCTIONS) == UNDEFINED


@triton.jit
def use_libdevice(x, n, y, counts):
    i = tl.arange(0, 8)
    v = tl.load(x + i)
    r = libdevice.pow(v, 2.0) + cuda_libdevice.fma(v, v, 1.0) + libdevice.pow(v, 3)
    tl.store(y + i, r - libdevice.j0(v))
    tl.store(counts + i, libdevice.popc(tl.load(n + i)) + libdevice.isnan(v))


@triton.jit
def use_on_any(x):
    tl.store(x, libdevice.tanh(tl.load(x)))


@triton.jit
def use_assembly(x):
    tl.inline_asm_elementwise("mov.u32 $0, $1;", "=r,r", [tl.load(x)], tl.int32, True, 1)


@interpreted
def test_kernels_reach_the_bodies_by_the_declared_types() -> None:
    x, n = torch.rand(8), torch.arange(8, dtype=torch.int32)
    y, counts = torch.zeros(8), torch.zeros(8, dtype=torch.int32)
    use_libdevice[(1,)](x, n, y, counts)
    want = 2 * x * x + 1 + x**3 - torch.special.bessel_j0(x)
    assert torch.allclose(y, want, atol=1e-6) and counts.tolist() == [0, 1, 1, 2, 1, 2, 2, 3]
    for dtype in (torch.float32, torch.float64):
        one = torch.ones(1, dtype=dtype)
        use_on_any[(1,)](one)
        assert torch.allclose(one, torch.ones(1, dtype=dtype).tanh())


@interpreted
def test_what_a_gpu_would_refuse_is_refused() -> None:
    with pytest.raises(Exception, match="bfloat16"):
        use_on_any[(1,)](torch.ones(1, dtype=torch.bfloat16))
    with pytest.raises(Exception, match="inline assembly: mov") as caught:
        use_assembly[(1,)](torch.ones(1, dtype=torch.int32))
    assert isinstance(caught.value.__cause__, NotInterpreted)
