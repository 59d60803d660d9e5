"""Refuses accesses of interpreted kernels that leave their storage, before they happen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.triton.regions import Anywhere, KernelFault, Launch, Region


class OutOfBounds(KernelFault, IndexError):
    """A load, store or atomic touches memory outside the storage its pointer was made from.

    A pointer made from an integer may touch any argument's storage and that of any other
    tensor alive; one the interpreter lost track of (a select between two) any argument's.
    """


def check_bounds(
    launch: Launch,
    kind: str,
    addresses: NDArray[np.uint64],
    active: NDArray[np.bool_],
    chosen: NDArray[np.uint64],
    width: int,
    region: Region | Anywhere | None,
) -> None:
    """chosen: addresses of the active lanes, at least one. Raises OutOfBounds."""
    low, high = int(chosen.min()), int(chosen.max()) + width
    if isinstance(region, Region):
        if region.low <= low and high <= region.high:
            return
        intervals = [(region.low, region.high)]
    else:
        home = launch.region_at(low)
        if home is not None and high <= home.high:
            return
        intervals = [(r.low, r.high) for r in launch.regions]
        if region is not None:
            intervals += launch.live_storages()
    if _inside(chosen, width, intervals).all():
        return
    if isinstance(region, Anywhere):
        intervals += launch.live_storages(again=True)
        if _inside(chosen, width, intervals).all():
            return
    raise OutOfBounds(_message(launch, kind, addresses, active, width, region, intervals))


def _inside(
    addresses: NDArray[np.uint64], width: int, intervals: list[tuple[int, int]]
) -> NDArray[np.bool_]:
    inside = np.zeros(addresses.shape, dtype=bool)
    for low, high in intervals:
        if high - low >= width:
            inside |= (addresses >= np.uint64(low)) & (addresses <= np.uint64(high - width))
    return inside


def _message(
    launch: Launch,
    kind: str,
    addresses: NDArray[np.uint64],
    active: NDArray[np.bool_],
    width: int,
    region: Region | Anywhere | None,
    intervals: list[tuple[int, int]],
) -> str:
    flat = addresses.reshape(-1)
    outside = active.reshape(-1) & ~_inside(flat, width, intervals)
    lane = int(np.flatnonzero(outside)[0])
    address = int(flat[lane])
    where = f"kernel {launch.kernel}, program {launch.index}: {kind} of {width} bytes"
    lanes = f"lane {lane} is the first of {int(outside.sum())} (of {flat.size}) outside"
    near = region if isinstance(region, Region) else _nearest(launch, address)
    if near is None:
        return f"{where} at address {address:#x}, the kernel has no tensor arguments; {lanes}"
    through = "through" if isinstance(region, Region) else "near"
    start, size = near.starts[0], near.itemsizes[0]
    spot = f"element {(address - start) // size}" if size else f"byte {address - start}"
    names = ", ".join(dict.fromkeys(near.names))
    text = (
        f"{where} {through} argument {names} at its {spot}, "
        f"storage has elements {(near.low - start) // size} to {(near.high - start) // size - 1}; "
        f"{lanes}"
    )
    stray = launch.region_at(address)
    if stray is not None and stray is not near:
        text += f"; it lands in argument {', '.join(dict.fromkeys(stray.names))}"
    return text


def _nearest(launch: Launch, address: int) -> Region | None:
    def distance(region: Region) -> int:
        return max(region.low - address, address - region.high, 0)

    return min(launch.regions, key=distance, default=None)
