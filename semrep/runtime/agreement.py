"""Whether two captured results are roughly the same: for telling apart what was meant to be one
call, where verification proper has been or will be done elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from semrep.runtime.values import ArrayValue, ContainerValue, leaves, widened

_ROUGHLY = 1e-2


def roughly_equal(one: Any, other: Any) -> bool:
    """Equal structure, dtypes and shapes, numbers within one part in a hundred of their size or
    of the array's root mean square, the same pattern of NaN."""
    if isinstance(one, ContainerValue) != isinstance(other, ContainerValue):
        return False
    before, after = dict(leaves(one)), dict(leaves(other))
    if before.keys() != after.keys():
        return False
    return all(_alike(old, after[path]) for path, old in before.items())


def _alike(old: Any, new: Any) -> bool:
    if isinstance(old, ArrayValue) and isinstance(new, ArrayValue):
        if old.shape != new.shape or old.dtype != new.dtype:
            return False
        a, b = widened(old.numpy()), widened(new.numpy())
        finite = a[np.isfinite(a)]
        scale = float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
        return bool(np.allclose(a, b, rtol=_ROUGHLY, atol=_ROUGHLY * scale, equal_nan=True))
    if isinstance(old, float) and isinstance(new, float):
        return bool(np.isclose(old, new, rtol=_ROUGHLY, equal_nan=True))
    return True
