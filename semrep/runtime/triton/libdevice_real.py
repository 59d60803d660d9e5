"""libdevice's functions of real numbers: in the arguments' precision where NumPy has them,
otherwise in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _special(name: str) -> Callable[[Any], Array]:
    """A function of torch.special, in float64."""

    def call(x: Any) -> Array:
        import torch

        double = torch.from_numpy(np.array(x, dtype=np.float64))
        result: Array = getattr(torch.special, name)(double).numpy()
        return result

    return call


def _gamma(x: float) -> float:
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf
    except ValueError:  # at zero and the negative integers
        return math.copysign(math.inf, x) if x == 0 else math.nan


def _round(x: Array) -> Array:
    """Halves away from zero. x - trunc(x) is exact."""
    whole = np.trunc(x)
    away = np.where(np.abs(x - whole) >= 0.5, np.copysign(1.0, x), 0.0)
    result: Array = np.copysign(whole + away.astype(whole.dtype), x)
    return result


def _fdim(a: Array, b: Array) -> Array:
    difference: Array = np.where(a > b, a - b, 0.0)
    return np.where(np.isnan(a) | np.isnan(b), np.nan, difference)


def _remainder(a: float, b: float) -> float:
    try:
        return math.remainder(a, b)
    except ValueError:
        return math.nan


def _bessel_first(n: Array, x: Array) -> Array:
    """J_n by its integral, whose trapezoidal sum converges faster than any power."""
    order, at = (np.asarray(v, np.float64)[..., None] for v in np.broadcast_arrays(n, x))
    steps = int(64 + 2 * (np.abs(order).max(initial=0) + np.nanmax(np.abs(at), initial=0)))
    angle = np.linspace(0, 2 * np.pi, min(steps, 100_000), endpoint=False)
    return np.asarray(np.cos(order * angle - at * np.sin(angle)).mean(axis=-1))


def _bessel_second(n: Array, x: Array) -> Array:
    """Y_n by upward recurrence, which is stable."""
    order, at = np.broadcast_arrays(np.asarray(n), np.asarray(x, np.float64))
    before, here = _special("bessel_y0")(at), _special("bessel_y1")(at)
    result = np.where(order == 0, before, here)
    for k in range(1, int(order.max(initial=1))):
        before, here = here, 2 * k / at * here - before
        result = np.where(order == k + 1, here, result)
    return np.where(order < 0, np.nan, result)


def _norm(*parts: Array) -> Array:
    largest = np.maximum.reduce([np.abs(np.asarray(p, np.float64)) for p in parts])
    scale = np.where((largest == 0) | ~np.isfinite(largest), 1.0, largest)
    sum_of_squares = sum(np.square(np.asarray(p, np.float64) / scale) for p in parts)
    result: Array = np.sqrt(sum_of_squares) * scale
    infinite = np.logical_or.reduce([np.isinf(p) for p in parts])
    return np.where(infinite, np.inf, result)


def _exponent(x: Array) -> Array:
    mantissa_free = np.frexp(np.asarray(x, np.float64))[1] - 1.0
    return np.where(x == 0, -np.inf, np.where(np.isfinite(x), mantissa_free, np.abs(x)))


def _integer_exponent(x: Array) -> Array:
    lowest, highest = -(2**31), 2**31 - 1
    exponent = np.where(np.isfinite(x) & (x != 0), _exponent(x), 0).astype(np.int64)
    result = np.where(x == 0, lowest, exponent)
    # NaN and zero are given the lowest, infinities the highest.
    return np.where(np.isnan(x), lowest, np.where(np.isinf(x), highest, result))


def _saturate(x: Array) -> Array:
    return np.clip(np.where(np.isnan(x), 0, x), 0, 1)


_erfc, _normal_inverse = _special("erfc"), _special("ndtri")

REAL: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin,
    "asinh": np.arcsinh, "atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh,
    "cbrt": np.cbrt, "ceil": np.ceil, "copysign": np.copysign, "cos": np.cos, "cosh": np.cosh,
    "cospi": lambda x: np.cos(np.pi * np.fmod(np.asarray(x, np.float64), 2.0)),
    "cyl_bessel_i0": _special("i0"), "cyl_bessel_i1": _special("i1"), "erf": _special("erf"),
    "erfc": _erfc, "erfcinv": lambda x: -_normal_inverse(np.asarray(x, np.float64) / 2) / 2**0.5,
    "erfcx": _special("erfcx"), "erfinv": _special("erfinv"), "exp": np.exp,
    "exp10": lambda x: np.power(10.0, np.asarray(x, np.float64)), "exp2": np.exp2,
    "expm1": np.expm1, "fast_cosf": np.cos, "fast_dividef": np.divide,
    "fast_exp10f": lambda x: np.power(10.0, np.asarray(x, np.float64)), "fast_expf": np.exp,
    "fast_log10f": np.log10, "fast_log2f": np.log2, "fast_logf": np.log,
    "fast_powf": np.power, "fast_sinf": np.sin, "fast_tanf": np.tan, "fdim": _fdim,
    "finitef": np.isfinite, "floor": np.floor, "fmod": np.fmod, "hypot": np.hypot,
    "ilogb": _integer_exponent, "isfinited": np.isfinite, "isinf": np.isinf,
    "isnan": np.isnan, "j0": _special("bessel_j0"), "j1": _special("bessel_j1"),
    "jn": _bessel_first, "ldexp": np.ldexp, "lgamma": _special("gammaln"), "log": np.log,
    "log10": np.log10, "log1p": np.log1p, "log2": np.log2, "logb": _exponent,
    "nearbyint": np.rint, "nextafter": np.nextafter, "norm3d": _norm, "norm4d": _norm,
    "normcdf": _special("ndtr"), "normcdfinv": _normal_inverse, "pow": np.power,
    "rcbrt": lambda x: 1 / np.cbrt(x),
    "remainder": np.vectorize(_remainder, otypes=[np.float64]),
    "rhypot": lambda a, b: 1 / np.hypot(a, b), "rint": np.rint,
    "rnorm3d": lambda *parts: 1 / _norm(*parts), "rnorm4d": lambda *parts: 1 / _norm(*parts),
    "round": _round, "rsqrt": lambda x: 1 / np.sqrt(x), "saturatef": _saturate,
    "scalbn": np.ldexp, "signbit": np.signbit, "sin": np.sin, "sinh": np.sinh,
    "sinpi": lambda x: np.sin(np.pi * np.fmod(np.asarray(x, np.float64), 2.0)),
    "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh,
    "tgamma": np.vectorize(_gamma, otypes=[np.float64]), "trunc": np.trunc,
    "y0": _special("bessel_y0"), "y1": _special("bessel_y1"), "yn": _bessel_second,
}  # fmt: skip
