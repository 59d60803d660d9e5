"""Counts what interpreted kernels ask of the memory and the arithmetic units.

Off until `counting()` is entered, since sectors cost time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.triton.memory import Access, observing

if TYPE_CHECKING:
    from semrep.runtime.triton.regions import Launch

SECTOR_BYTES = 32
WARP_LANES = 32
_SPECIAL = (
    "create_exp", "create_exp2", "create_log", "create_log2", "create_sin", "create_cos",
    "create_sqrt", "create_precise_sqrt", "create_rsqrt", "create_erf",
)  # fmt: skip
_DIVISIONS = ("create_fdiv", "create_precise_divf", "create_approx_divf", "create_frem")
_FLOAT_OPS = (
    "create_fadd", "create_fsub", "create_fmul", "create_fneg", "create_minimumf",
    "create_maximumf", "create_minnumf", "create_maxnumf", "create_fma", "create_clampf",
    "create_fabs",
)  # fmt: skip

_counts: dict[str, int] | None = None


def install(interpreter: Any) -> None:
    """Hooks the interpreter's arithmetic and reductions."""
    builder = interpreter.InterpreterBuilder
    for names, key in (
        (_SPECIAL, "special"),
        (_DIVISIONS, "special"),
        (_FLOAT_OPS, "arithmetic"),
    ):
        for name in names:
            setattr(builder, name, _counted(getattr(builder, name), key))
    dot = builder.create_dot

    def create_dot(self: Any, a: Any, b: Any, *rest: Any) -> Any:
        if _counts is not None:
            _counts["dot_flops"] += 2 * int(a.data.size) * int(b.data.shape[-1])
        return dot(self, a, b, *rest)

    builder.create_dot = create_dot
    _hook_reductions(interpreter)


def _counted(method: Any, key: str) -> Any:
    def call(self: Any, *operands: Any, **named: Any) -> Any:
        result = method(self, *operands, **named)
        if _counts is not None:
            _counts[key] += int(result.data.size)
        return result

    return call


def note_special(elements: int) -> None:
    """Counts evaluations of an elementary function that does not pass through the builder."""
    if _counts is not None:
        _counts["special"] += int(elements)


def _hook_reductions(interpreter: Any) -> None:
    apply = interpreter.ReduceOps.apply

    def applied(self: Any, input: Any) -> Any:
        if _counts is not None:
            first = input[0] if isinstance(input, tuple) else input
            _counts["reductions"] += 1
            _counts["arithmetic"] += int(first.handle.data.size)
        return apply(self, input)

    interpreter.ReduceOps.apply = applied


class _Counter:
    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts
        self.touched: dict[int, set[int]] = {}

    def launched(self, launch: Launch) -> None:
        self.counts["launches"] += 1

    def started(self, launch: Launch) -> None:
        self.counts["programs"] += 1

    def accessed(self, launch: Launch, access: Access) -> None:
        counts, lanes = self.counts, int(access.chosen.size)
        name = {"load": "bytes_loaded", "store": "bytes_stored", "atomic": "bytes_atomic"}
        counts[name[access.kind]] += lanes * access.width
        counts["sectors"] += _sectors(access.addresses, access.active, access.width)
        if access.kind == "atomic":
            counts["atomics"] += lanes
        touched = self.touched.setdefault(access.width, set())
        touched.update(np.unique(access.chosen).tolist())

    def finished(self, launch: Launch) -> None:
        pass


def _sectors(addresses: NDArray[np.uint64], active: NDArray[np.bool_], width: int) -> int:
    """32-byte sectors, summed over warps of 32 neighbouring lanes.

    Lanes are laid along the dimension whose addresses lie closest, as the compiler's coalescing
    does; a warp pays once for each sector it touches.
    """
    if addresses.ndim > 1:
        steps = []
        for axis in range(addresses.ndim):
            first = addresses[(0,) * addresses.ndim]
            index = [0] * addresses.ndim
            index[axis] = min(1, addresses.shape[axis] - 1)
            gap = abs(int(addresses[tuple(index)]) - int(first))
            steps.append((gap == 0, gap, axis))
        order = [axis for _, _, axis in sorted(steps, key=lambda s: (s[0], s[1]))][::-1]
        # Broadcast dimensions (gap 0) go outermost, then the widest strides.
        addresses, active = addresses.transpose(order), active.transpose(order)
    sectors = (addresses.reshape(-1) // np.uint64(SECTOR_BYTES)).astype(np.int64)
    sectors = np.where(active.reshape(-1), sectors, -1)
    lanes = sectors.size
    padded = -(-lanes // WARP_LANES) * WARP_LANES
    table = np.full(padded, -1, dtype=np.int64)
    table[:lanes] = sectors
    table = np.sort(table.reshape(-1, WARP_LANES), axis=1)
    distinct = (np.diff(table, axis=1) != 0).sum(axis=1) + 1 - (table[:, 0] == -1)
    return int(distinct.sum())


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """Counts until left; the dict is complete then.

    bytes_loaded, bytes_stored, bytes_atomic: asked for by active lanes; sectors: 32-byte
    sectors over warps; unique_bytes: distinct bytes; arithmetic, special: element operations;
    dot_flops; reductions; atomics; programs; launches.
    """
    global _counts
    names = (
        "bytes_loaded", "bytes_stored", "bytes_atomic", "sectors", "unique_bytes", "arithmetic",
        "special", "dot_flops", "reductions", "atomics", "programs", "launches",
    )  # fmt: skip
    counts = dict.fromkeys(names, 0)
    counter = _Counter(counts)
    _counts = counts
    try:
        with observing(counter):
            yield counts
    finally:
        counts["unique_bytes"] = sum(w * len(seen) for w, seen in counter.touched.items())
        _counts = None
