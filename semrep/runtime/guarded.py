"""Copies of arrays that lie against pages nobody may touch.

An access past the end crashes the process at once, whatever made it: NumPy with wrong strides,
a C extension, compiled code. The few bytes between the data and the pages are canaries, which
`intact` looks at afterwards.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import weakref
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Side = Literal["left", "right"]
_CANARY = 0xA5
_PROT_NONE = 0


class NotGuarded(ValueError):
    """This array cannot be copied byte for byte: Python objects, another device, no strides."""


@dataclass(frozen=True, slots=True)
class _Guard:
    """Addresses of one mapping: readable from `first` to `last`, the data from low to high."""

    first: int
    low: int
    high: int
    last: int

    def intact(self) -> bool:
        before = ctypes.string_at(self.first, self.low - self.first)
        after = ctypes.string_at(self.high, self.last - self.high)
        return before.count(_CANARY) == len(before) and after.count(_CANARY) == len(after)


_guards: dict[int, _Guard] = {}


def guarded(
    value: T,
    *,
    side: Side = "right",
    alignment: int = 16,
    shared: dict[int, NDArray[np.uint8]] | None = None,
) -> T:
    """A copy of a torch tensor or NumPy array whose storage touches a forbidden page.

    Shape, strides, offset, dtype and requires_grad are the same; of a tensor the whole storage
    is copied, of an array the bytes it spans. side: where the forbidden page is near; the
    other one lies within a page. alignment: of the first byte, a power of two. shared: pass
    the same dict for values that share memory, and their copies do. Raises NotGuarded.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return cast(T, _tensor(torch, value, side, alignment, shared))
    if isinstance(value, np.ndarray):
        return cast(T, _array(value, side, alignment, shared))
    raise NotGuarded(f"{type(value).__name__} is no array")


def intact(value: Any) -> bool:
    """Whether nothing was written beside the copy's storage. Raises KeyError for no such copy."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _guards[value.untyped_storage().data_ptr()].intact()
    base = value
    while isinstance(base.base, np.ndarray):
        base = base.base
    return _guards[base.ctypes.data].intact()


def _mapped(data: NDArray[np.uint8], side: Side, alignment: int) -> NDArray[np.uint8]:
    """The bytes, copied to a mapping of their own. It lives as long as the result's memory."""
    page = mmap.PAGESIZE
    if alignment < 1 or alignment & (alignment - 1) or alignment > page:
        raise ValueError(f"alignment {alignment} is no power of two up to a page")
    inner = max(1, -(-data.size // page)) * page
    mapping = mmap.mmap(-1, inner + 2 * page)
    whole = np.frombuffer(mapping, dtype=np.uint8)
    first = whole.ctypes.data + page
    offset = 0 if side == "left" else (inner - data.size) // alignment * alignment
    room = whole[page : page + inner]
    room[:] = _CANARY
    room[offset : offset + data.size] = data
    for address in (first - page, first + inner):
        _protect(address, page)
    low = first + offset
    _guards[low] = _Guard(first, low, low + data.size, first + inner)
    weakref.finalize(mapping, _guards.pop, low, None)
    # Not a view: the base of a view would be the whole, forbidden pages included.
    return np.frombuffer(mapping, dtype=np.uint8, count=data.size, offset=page + offset)


def _protect(address: int, size: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), _PROT_NONE):
        number = ctypes.get_errno()
        raise OSError(number, "mprotect")


def _tensor(
    torch: Any,
    tensor: Any,
    side: Side,
    alignment: int,
    shared: dict[int, NDArray[np.uint8]] | None,
) -> Any:
    if tensor.device.type != "cpu" or tensor.layout is not torch.strided or tensor.is_quantized:
        raise NotGuarded(f"a tensor on {tensor.device} with layout {tensor.layout}")
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    storage = tensor.untyped_storage()
    key = storage.data_ptr()
    mapped = shared.get(key) if shared is not None else None
    if mapped is None:
        data = np.ctypeslib.as_array((ctypes.c_uint8 * storage.nbytes()).from_address(key))
        mapped = _mapped(data, side, alignment)
        if shared is not None:
            shared[key] = mapped
    made = torch.empty(0, dtype=tensor.dtype)
    made.set_(
        torch.from_numpy(mapped).untyped_storage(),
        tensor.storage_offset(),
        tensor.size(),
        tensor.stride(),
    )
    return made.requires_grad_(tensor.requires_grad)


def _array(
    array: NDArray[Any], side: Side, alignment: int, shared: dict[int, NDArray[np.uint8]] | None
) -> NDArray[Any]:
    if array.dtype.hasobject:
        raise NotGuarded(f"an array of {array.dtype}")
    owner: NDArray[Any] = array
    while shared is not None and isinstance(owner.base, np.ndarray):
        owner = owner.base
    low, high = _span(owner)
    key = low
    mapped = shared.get(key) if shared is not None else None
    if mapped is None:
        data = np.ctypeslib.as_array((ctypes.c_uint8 * (high - low)).from_address(low))
        mapped = _mapped(data, side, alignment)
        if shared is not None:
            shared[key] = mapped
    offset = array.ctypes.data - low
    return np.ndarray(array.shape, array.dtype, mapped, offset if array.size else 0, array.strides)


def _span(array: NDArray[Any]) -> tuple[int, int]:
    """First and past-the-last address of the array's elements."""
    low = high = array.ctypes.data
    if not array.size:
        return low, low
    for extent, stride in zip(array.shape, array.strides, strict=True):
        reach = (extent - 1) * stride
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high + array.itemsize
