"""Fills fresh uninitialised memory with a chosen pattern, for torch, NumPy and Triton programs.

    with poisoned(NAN): first = call()
    with poisoned(LARGE): second = call()

A result that differs between two patterns was read before it was written, or never written.

torch: a dispatch mode sees every allocation that passes the dispatcher, whatever name it was
called by and however early that name was imported. NumPy: the allocator of new arrays, so that
`ufunc(where=...)` and names imported before are covered; it knows bytes, not dtypes.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np


@dataclass(frozen=True, slots=True)
class Pattern:
    """What fresh memory holds.

    floating: for floating and complex dtypes, clipped to the finite range where it is finite.
    fifths: for integers, of the dtype's largest value. byte: for NumPy, each byte.
    """

    name: str
    floating: float
    fifths: int
    boolean: bool
    byte: int


# In bytes: NaN of every width and -1; then 6e4 (float16), 1e36 (float32), 2e286 (float64).
NAN: Final = Pattern("nan", math.nan, 5, True, 0xFF)
LARGE: Final = Pattern("large", 3e4, 3, False, 0x7B)
PATTERNS: Final = (NAN, LARGE)


@contextmanager
def poisoned(pattern: Pattern) -> Iterator[None]:
    """Poisons what this thread allocates until left; values that are written first stay as they
    would be. Strides, dtypes, versions and gradients of the results are untouched."""
    with ExitStack() as stack:
        stack.enter_context(_numpy_poisoned(pattern))
        if "torch" in sys.modules:
            stack.enter_context(_torch_mode(pattern))
        yield


_FRESH = frozenset(
    (
        "aten::empty", "aten::empty_like", "aten::empty_strided", "aten::empty_permuted",
        "aten::new_empty", "aten::new_empty_strided", "aten::_empty_affine_quantized",
    )
)  # fmt: skip
_RESIZED = frozenset(("aten::resize_", "aten::resize_as_"))


def _torch_mode(pattern: Pattern) -> Any:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Poison(TorchDispatchMode):  # type: ignore[no-untyped-call]
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # else the compiler is imported, which takes seconds

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = func._schema.name
            if name in _FRESH:
                result = func(*args, **(kwargs or {}))
                if "out" not in (kwargs or {}):
                    _fill(torch, result, 0, pattern)
                return result
            if name in _RESIZED:
                before = _bytes(args[0])
                result = func(*args, **(kwargs or {}))
                _fill(torch, args[0], before, pattern)
                return result
            return func(*args, **(kwargs or {}))

    return Poison()  # type: ignore[no-untyped-call]


def _bytes(tensor: Any) -> int:
    if tensor.device.type == "meta":
        return 0
    return int(tensor.untyped_storage().nbytes())


def _fill(torch: Any, tensor: Any, start: int, pattern: Pattern) -> None:
    """Fills the tensor's storage from byte `start` on, gaps between strides too."""
    if type(tensor) is not torch.Tensor or tensor.device.type == "meta":
        return
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return
    storage = tensor.untyped_storage()
    size = tensor.element_size()
    first, count = -(-start // size), storage.nbytes() // size
    if count <= first:
        return
    # An alias with a version counter of its own: filling must not be seen as a change.
    flat = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    flat.set_(storage, first, (count - first,), (1,))
    flat.fill_(_value(torch, tensor.dtype, pattern))


def _value(torch: Any, dtype: Any, pattern: Pattern) -> bool | int | float:
    if dtype is torch.bool:
        return pattern.boolean
    if dtype.is_floating_point or dtype.is_complex:
        if math.isnan(pattern.floating):
            return pattern.floating
        return min(pattern.floating, float(torch.finfo(dtype).max))
    largest: int = torch.iinfo(dtype).max
    return largest // 5 * pattern.fifths


class _Allocator(ctypes.Structure):
    _fields_ = [
        ("context", ctypes.c_void_p),
        ("malloc", ctypes.c_void_p),
        ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    ]


class _Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = [
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("allocator", _Allocator),
    ]


_Malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_SET_HANDLER, _GET_HANDLER = 304, 305  # places in NumPy's C interface, since 1.22
_byte = 0
_kept: list[Any] = []


@contextmanager
def _numpy_poisoned(pattern: Pattern) -> Iterator[None]:
    global _byte
    install, handler = _handler()
    before, _byte = _byte, pattern.byte
    previous = install(handler)
    try:
        yield
    finally:
        install(previous)
        _byte = before


def _handler() -> tuple[Callable[[Any], Any], Any]:
    """The function that sets NumPy's allocator, and one like the default's but that poisons.

    Both live as long as the process: arrays that outlast the context are freed through them,
    which is done by the default's own functions and runs no Python.
    """
    if not _kept:
        pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
        pointer_of.restype, pointer_of.argtypes = (
            ctypes.c_void_p,
            [ctypes.py_object, ctypes.c_char_p],
        )
        capsule_of = ctypes.pythonapi.PyCapsule_New
        capsule_of.restype = ctypes.py_object
        capsule_of.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        multiarray = _multiarray()
        table = ctypes.cast(
            pointer_of(multiarray._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p)
        )
        setter = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[_SET_HANDLER])
        getter = ctypes.PYFUNCTYPE(ctypes.py_object)(table[_GET_HANDLER])
        default = _Handler.from_address(pointer_of(getter(), b"mem_handler"))
        allocate = _Malloc(default.allocator.malloc)
        context = default.allocator.context

        def malloc(_: Any, size: int) -> int | None:
            address: int | None = allocate(context, size)
            if address:
                ctypes.memset(address, _byte, size)
            return address

        callback = _Malloc(malloc)
        made = _Handler.from_buffer_copy(default)
        made.name = b"poisoning"
        made.allocator.malloc = ctypes.cast(callback, ctypes.c_void_p).value
        capsule = capsule_of(ctypes.addressof(made), b"mem_handler", None)
        _kept.extend((setter, capsule, made, callback, allocate, default, getter()))
    return _kept[0], _kept[1]


def _multiarray() -> Any:
    try:
        return np._core._multiarray_umath  # type: ignore[attr-defined, unused-ignore]
    except AttributeError:  # NumPy 1
        return np.core._multiarray_umath  # type: ignore[attr-defined, unused-ignore]
