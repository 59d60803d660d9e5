"""Which storage an interpreted kernel's pointer was made from.

Every tensor among a launch's arguments (in tuples and tensor descriptors too) is a region.
Pointers carry theirs through arithmetic and reshapes, so that one which strays from its own
storage into another argument's is told from one that was made there.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_KEY = "semrep.region"
# Builder methods whose result points where one operand does, and which operand that is.
_CARRIERS = {
    "create_addptr": 0, "create_bitcast": 0, "create_broadcast": 0, "create_expand_dims": 0,
    "create_reshape": 0, "create_splat": 1, "create_trans": 0, "create_unsplat": 0,
}  # fmt: skip


class KernelFault(Exception):
    """A kernel does what no GPU promises to survive. Comes out of a launch as it is."""


class Anywhere:
    """Where a pointer made from an integer may lead."""


ANYWHERE: Final = Anywhere()


@dataclass(slots=True)
class Region:
    """Addresses [low, high) of one storage, or of several that share memory.

    names: the arguments that lie in it; starts: the address of each one's first element;
    itemsizes: bytes of an element of each.
    """

    low: int
    high: int
    names: list[str]
    starts: list[int]
    itemsizes: list[int]


@dataclass(slots=True)
class Launch:
    """One launch: its kernel, where its arguments lie, and the program that runs now."""

    kernel: str
    regions: list[Region]
    number: int
    lows: NDArray[np.uint64]
    highs: NDArray[np.uint64]
    grid: tuple[int, ...] = (1, 1, 1)
    program: int = 0
    index: tuple[int, int, int] = (0, 0, 0)
    others: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, kernel: str, arguments: list[tuple[str, Any]], number: int) -> Launch:
        regions: list[Region] = []
        found = [region for name, value in arguments for region in _regions(name, value)]
        for region in sorted(found, key=lambda r: (r.low, r.high)):
            last = regions[-1] if regions else None
            if last is not None and (region.low < last.high or (region.low, region.high) == (
                last.low, last.high
            )):  # fmt: skip
                last.high = max(last.high, region.high)
                last.names += region.names
                last.starts += region.starts
                last.itemsizes += region.itemsizes
            else:
                regions.append(region)
        lows = np.array([region.low for region in regions], dtype=np.uint64)
        highs = np.array([region.high for region in regions], dtype=np.uint64)
        return cls(kernel, regions, number, lows, highs)

    def region_at(self, address: int) -> Region | None:
        i = int(np.searchsorted(self.lows, np.uint64(address), side="right")) - 1
        return self.regions[i] if i >= 0 and address < self.regions[i].high else None

    def live_storages(self, *, again: bool = False) -> list[tuple[int, int]]:
        """(low, high) of every CPU tensor alive; looked for once a launch unless `again`."""
        if again or not self.others:
            self.others = sorted(_live())
        return self.others


def _regions(name: str, value: Any) -> Iterator[Region]:
    if isinstance(value, (tuple, list)):
        fields = getattr(value, "_fields", None)
        for i, item in enumerate(value):
            yield from _regions(f"{name}.{fields[i]}" if fields else f"{name}[{i}]", item)
        return
    tensor = getattr(value, "base", value)  # of a TensorWrapper or a TensorDescriptor
    if not hasattr(tensor, "untyped_storage"):
        tensor = getattr(tensor, "base", tensor)
    if hasattr(tensor, "untyped_storage"):
        storage = tensor.untyped_storage()
        low = storage.data_ptr()
        start, size = tensor.data_ptr(), tensor.dtype.itemsize
        yield Region(low, low + storage.nbytes(), [name], [start], [size])


def _region_in(launch: Launch, argument: Any) -> Region | None:
    tensor = argument
    if not hasattr(tensor, "untyped_storage"):
        tensor = getattr(argument, "base", None)
    if not hasattr(tensor, "untyped_storage"):
        return None
    low = tensor.untyped_storage().data_ptr()
    return launch.region_at(low) or next((r for r in launch.regions if r.low == low), None)


def _live() -> Iterator[tuple[int, int]]:
    torch = sys.modules["torch"]
    for found in gc.get_objects():
        # isinstance would run __class__ of proxies.
        if issubclass(type(found), torch.Tensor):
            try:
                if found.device.type == "cpu" and found.layout == torch.strided:
                    storage = found.untyped_storage()
                    yield storage.data_ptr(), storage.data_ptr() + storage.nbytes()
            except (RuntimeError, NotImplementedError):
                continue  # a fake or wrapped tensor has no storage


def region_of(handle: Any) -> Region | Anywhere | None:
    """The storage this pointer was made from; None where the interpreter lost track."""
    found: Region | Anywhere | None = handle.attr.get(_KEY)
    return found


def install(interpreter: Any, current: Callable[[], Launch | None]) -> None:
    """Marks pointer arguments with their region, and carries the marks along."""
    convert = interpreter._implicit_cvt

    def _implicit_cvt(argument: Any) -> Any:
        converted = convert(argument)
        launch = current()
        if launch is not None and hasattr(argument, "data_ptr"):
            tensor = argument if hasattr(argument, "untyped_storage") else argument.base
            low = tensor.untyped_storage().data_ptr()
            region = launch.region_at(low) or next(
                (r for r in launch.regions if r.low == low), None
            )
            if region is not None:
                converted.handle.attr[_KEY] = region
        return converted

    interpreter._implicit_cvt = _implicit_cvt
    builder = interpreter.InterpreterBuilder
    bitcast = builder.create_bitcast
    for name, operand in _CARRIERS.items():
        method = getattr(builder, name, None)
        if method is not None:
            setattr(builder, name, _carrying(method, operand))

    def create_int_to_ptr(self: Any, source: Any, kind: Any) -> Any:
        result = bitcast(self, source, kind)
        result.attr[_KEY] = ANYWHERE
        return result

    builder.create_int_to_ptr = create_int_to_ptr
    _carry_through_descriptors(interpreter)


def _carrying(method: Any, operand: int) -> Any:
    def carried(self: Any, *operands: Any, **named: Any) -> Any:
        result = method(self, *operands, **named)
        if operand < len(operands):
            region = operands[operand].attr.get(_KEY)
            if region is not None:
                result.attr[_KEY] = region
        return result

    return carried


def _carry_through_descriptors(interpreter: Any) -> None:
    descriptor = interpreter.TensorDescHandle
    materialise = descriptor.materialize_pointers

    def materialize_pointers(self: Any, *operands: Any) -> Any:
        pointers, mask = materialise(self, *operands)
        region = self.base.attr.get(_KEY)
        if region is not None:
            pointers.attr[_KEY] = region
        return pointers, mask

    descriptor.materialize_pointers = materialize_pointers
