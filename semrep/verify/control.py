"""A known-wrong control: a copy of a record with one element spoilt."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from semrep.runtime.values import ArrayValue, ContainerValue


def known_wrong(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record with one result element turned into another number; None without results."""
    spoilt = _spoilt(record["result"])
    return None if spoilt is None else {**record, "result": spoilt}


def _spoilt(value: Any) -> Any:
    """A wrong version of a value tree; None where it holds nothing to spoil."""
    if isinstance(value, ContainerValue):
        for index, item in enumerate(value.items):
            wrong = _spoilt(item)
            if wrong is not None:
                items = (*value.items[:index], wrong, *value.items[index + 1 :])
                return dataclasses.replace(value, items=items)
        return None
    if isinstance(value, ArrayValue):
        return _spoilt_array(value)
    if type(value) is bool:
        return not value
    if type(value) in (int, float):
        # Never the value itself: -1 is a fixed point of 2x + 1.
        return value + 1 + abs(value) if type(value) is int or math.isfinite(value) else 0.0
    return None


def _spoilt_array(value: ArrayValue) -> ArrayValue | None:
    if not value.data or value.dtype not in ("float32", "float64", "int32", "int64"):
        return None
    elements = value.numpy().reshape(-1).copy()
    middle = elements.size // 2
    before = elements[middle]
    if value.dtype.startswith("float"):
        # Wrong by the size of the result, not of this element, which may be tiny.
        finite = elements[np.isfinite(elements)]
        scale = float(np.abs(finite.astype(np.float64)).max(initial=1.0))
        elements[middle] = scale / 2 if not np.isfinite(before) else before - scale / 2
    else:
        elements[middle] = before ^ 1
    if elements[middle].tobytes() == before.tobytes():
        return None
    return dataclasses.replace(value, data=elements.tobytes())
