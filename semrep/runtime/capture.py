"""Turns the result of a call into neutral records."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import re
import types
from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.values import ContainerValue, OpaqueValue, kind_of

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")
MAX_DEPTH = 50
MAX_STREAM = 10_000
MAX_OBJECTS = 20_000


class Capture:
    """Captures values of one call. owners: label for each known piece of memory."""

    def __init__(self, owners: dict[int, str] | None = None) -> None:
        self._owners = dict(owners or {})
        self._count = 0
        self._objects = 0

    def __call__(self, value: Any, depth: int = 0) -> Any:
        if value is None or type(value) in (bool, int, float, complex, str, bytes):
            return value
        self._objects += 1
        if depth > MAX_DEPTH or self._objects > MAX_OBJECTS:
            return OpaqueValue(kind_of(value), None)
        if isinstance(value, np.generic):
            record = arrays.capture_array(value)
            return OpaqueValue(kind_of(value), repr(value)) if record is None else record
        if arrays.framework_of(value) is not None:
            return self._array(value)
        return self._container(value, depth + 1)

    def _array(self, value: Any) -> Any:
        key = arrays.storage_key(value)
        label = ""
        if key is not None:
            label = self._owners.setdefault(key, f"result:{self._count}")
        self._count += 1
        record = arrays.capture_array(value, label)
        return OpaqueValue(kind_of(value), None) if record is None else record

    def _container(self, value: Any, depth: int) -> Any:
        kind = kind_of(value)
        if isinstance(value, enum.Enum):
            return OpaqueValue(kind, str(value))
        if isinstance(value, tuple):
            keys: tuple[Any, ...] = getattr(value, "_fields", ())
            keys = keys if len(keys) == len(value) else tuple(range(len(value)))
            return ContainerValue(kind, keys, tuple(self(item, depth) for item in value))
        if isinstance(value, list):
            return ContainerValue(
                kind, tuple(range(len(value))), tuple(self(item, depth) for item in value)
            )
        if isinstance(value, collections.abc.Mapping):
            pairs = list(value.items())
            simple = all(type(k) in (str, int, bool, float, type(None)) for k, _ in pairs)
            names = tuple(k if simple else repr(k) for k, _ in pairs)
            return ContainerValue(kind, names, tuple(self(v, depth) for _, v in pairs))
        if isinstance(value, (set, frozenset)):
            items = sorted(value, key=repr)
            return ContainerValue(
                kind, tuple(range(len(items))), tuple(self(i, depth) for i in items)
            )
        if isinstance(value, types.GeneratorType) or (
            isinstance(value, collections.abc.Iterator) and not dataclasses.is_dataclass(value)
        ):
            items = [item for item, _ in zip(value, range(MAX_STREAM), strict=False)]
            return ContainerValue(
                kind, tuple(range(len(items))), tuple(self(i, depth) for i in items)
            )
        return self._object(value, kind, depth)

    def _object(self, value: Any, kind: str, depth: int) -> Any:
        if isinstance(value, (type, types.FunctionType, types.MethodType, types.ModuleType)):
            return OpaqueValue(kind, None)
        if isinstance(value, BaseException):
            return OpaqueValue(kind, str(value))
        text = repr(value)
        stable = _ADDRESS.search(text) is None
        if dataclasses.is_dataclass(value):
            fields = [(f.name, getattr(value, f.name, None)) for f in dataclasses.fields(value)]
        else:
            fields = sorted(getattr(value, "__dict__", {}).items())
        if fields and not kind.startswith("torch."):
            return ContainerValue(
                kind, tuple(n for n, _ in fields), tuple(self(v, depth) for _, v in fields)
            )
        return OpaqueValue(kind, text if stable else None)
