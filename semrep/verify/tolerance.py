"""The error budget for floating results, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semrep.passes.contract import Numerics
from semrep.runtime.arrays import LARGEST, ROUNDOFF, SMALLEST

Floats = NDArray[np.float64]

# How many times the original's own error a correct rewrite may reach; calibrated on
# compositions of convolutions and linear layers, which were seen at up to 12 times.
FACTORS = {Numerics.BITWISE: 0.0, Numerics.REASSOCIATES: 8.0, Numerics.WITHIN_TOLERANCE: 16.0}
# Without a float64 reference the original stands in for it, and its own error is unknown.
BLIND_FACTOR = 32.0
MAX_ORIGINAL_ERROR = 1e5
# An element this many times its tolerance is told from zero, and from its negative. In
# bfloat16 sixteen roundings, the widest factor, are a sixteenth of the element itself.
STANDS = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Outcome for one array. bad: the elements beyond the budget; ratio: largest error as a
    part of the budget; original_error: r, the original's largest error over s."""

    bad: NDArray[np.bool_]
    ratio: float
    original_error: float
    tolerance: Floats
    reference: Floats | None
    stands: bool = True


def is_near(original: Floats, candidate: Floats, dtype: str) -> NDArray[np.bool_]:
    """Elements equal, or so near that no reference could make them differ.

    |new - ref| <= |new - orig| + |orig - ref| <= 4·u·|orig| + r·s, which the smallest factor of
    a contract that allows any error covers, since s >= u·|ref|.
    """
    with np.errstate(all="ignore"):
        same = (original == candidate) | (np.isnan(original) & np.isnan(candidate))
        return np.asarray(
            same | (np.abs(candidate - original) <= 4 * ROUNDOFF[dtype] * np.abs(original))
        )


def read_floats(
    original: Floats,
    candidate: Floats,
    dtype: str,
    reference: Floats | None,
    condition: Floats | None,
    known_error: float,
    numerics: Numerics,
    *,
    exact: bool,
    infinities_fed: bool,
    overflows: bool = False,
    roundoff: float = 0.0,
    floor: float = 0.0,
) -> Reading:
    """Compares float results of equal shape under s = u·|ref| + cond.

    The candidate passes where |new - ref| <= factor·max(1, r)·s + 2 subnormals with
    r = max |orig - ref| / s, or where it equals the original. known_error: a lower bound of r
    from elsewhere (where the reference is no better than the original). exact: small integers
    were fed; where the original is then exact, a reassociation has to be too. infinities_fed:
    an infinity or NaN that only the order of evaluation decides is not held against it.
    overflows: neither is anything where the original overflows. roundoff: a coarser one than
    the dtype's own that the program was written for. floor: a magnitude whose roundings every
    element may show, beside its own.
    """
    u, tiny = max(ROUNDOFF[dtype], roundoff), SMALLEST[dtype]
    with np.errstate(all="ignore"):
        same = (original == candidate) | (np.isnan(original) & np.isnan(candidate))
        finite = np.isfinite(original)
        trusted = _trusted(reference, original)
        if trusted is None:
            base = original
            scale = np.sqrt(np.mean(original[finite] ** 2)) if finite.any() else 0.0
            s = u * np.maximum(np.abs(original), scale)
            if condition is not None and condition.shape == original.shape:
                s = s + condition
            factor, worst = BLIND_FACTOR, 1.0
        else:
            # Another precision may take another way: a padded tap times NaN is left out, or is NaN.
            base = np.where(np.isfinite(original) & ~np.isfinite(trusted), original, trusted)
            assert condition is not None
            s = u * (np.abs(base) + floor) + condition * (u / ROUNDOFF[dtype])
            own = np.abs(original - base)
            known = finite & np.isfinite(base) & (s > 0)
            worst = max(known_error, float(np.max(own[known] / s[known], initial=0.0)))
            factor = FACTORS[numerics]
        tolerance = factor * max(1.0, min(worst, MAX_ORIGINAL_ERROR)) * s + 2 * tiny
        error = np.abs(candidate - base)
        # A reference beyond what the dtype holds: the original rounds it, so may the candidate.
        within = (error <= tolerance) & finite & np.isfinite(candidate)
        within |= is_near(original, candidate, dtype) & finite & np.isfinite(candidate)
        # Only a finite reference near the largest number excuses overflow on one side.
        edge = np.isfinite(base) & (np.abs(base) >= 0.5 * LARGEST[dtype])
        excused = edge & (np.sign(candidate) == np.sign(base)) & ~np.isnan(candidate)
        excused &= np.isinf(candidate) | np.isinf(original)
        if infinities_fed and numerics is not Numerics.BITWISE:
            excused |= np.isnan(original) | (np.isinf(original) & np.isnan(candidate))
        if overflows and numerics is not Numerics.BITWISE:
            excused |= ~finite
        if numerics is Numerics.BITWISE:
            bad = ~same | (np.signbit(original) != np.signbit(candidate)) & ~np.isnan(original)
        elif (
            exact
            and numerics is Numerics.REASSOCIATES
            and trusted is not None
            and bool(np.all(original == trusted))
        ):
            bad = ~same
        else:
            bad = ~(same | within | excused)
        counted = ~same & finite & np.isfinite(candidate)
        ratio = float(np.max(error[counted] / tolerance[counted], initial=0.0))
        stands = bool(np.any(np.abs(base[finite]) > STANDS * tolerance[finite]))
    return Reading(bad, ratio, min(worst, MAX_ORIGINAL_ERROR), tolerance, trusted, stands)


def _trusted(reference: Floats | None, original: Floats) -> Floats | None:
    """The reference, unless it is grossly another result (other random numbers, other path)."""
    if reference is None or reference.shape != original.shape:
        return None
    both = np.isfinite(reference) & np.isfinite(original)
    if not both.any():
        return reference
    scale = np.sqrt(np.mean(reference[both] ** 2))
    off = np.abs(original[both] - reference[both])
    gross = off > 0.05 * np.maximum(np.abs(reference[both]), scale)
    return None if float(np.mean(gross)) > 0.02 else reference


def show(value: Any) -> str:
    """A number as short as it can be told from its neighbours."""
    return repr(value.item()) if hasattr(value, "item") else repr(value)
