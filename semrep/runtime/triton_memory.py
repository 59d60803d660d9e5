"""Watches what interpreted kernels do: refuses accesses outside their arguments, and counts.

An access is checked before it is performed, against the storages of all launch arguments.
Counting is off until `counting()` is entered, since sectors cost time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


class OutOfBounds(IndexError):
    """A load or store touches memory outside the storages of the kernel's arguments."""


class _Launch:
    """The storages of one launch: start and end addresses, and the bytes touched in each."""

    def __init__(self, intervals: list[tuple[int, int]]) -> None:
        self.low = np.array([low for low, _ in intervals], dtype=np.uint64)
        self.high = np.array([high for _, high in intervals], dtype=np.uint64)
        self.checked = bool(intervals)


_launch: _Launch | None = None
_counts: dict[str, int] | None = None
_touched: dict[int, set[int]] = {}


def install(interpreter: Any) -> None:
    """Hooks the interpreter's launches, memory operations and arithmetic."""
    builder = interpreter.InterpreterBuilder
    load, store = builder.create_masked_load, builder.create_masked_store
    rmw, cas = builder.create_atomic_rmw, builder.create_atomic_cas
    bitcast = builder.create_bitcast

    def create_masked_load(
        self: Any, ptrs: Any, mask: Any, other: Any, policy: Any, volatile: Any
    ) -> Any:
        mask = _as_booleans(mask)
        _access("load", ptrs, mask.data)
        return load(self, ptrs, mask, other, policy, volatile)

    def create_masked_store(self: Any, ptrs: Any, value: Any, mask: Any, policy: Any) -> Any:
        mask = _as_booleans(mask)
        _access("store", ptrs, mask.data)
        return store(self, ptrs, value, mask, policy)

    def create_atomic_rmw(
        self: Any, op: Any, ptr: Any, val: Any, mask: Any, sem: Any, scope: Any
    ) -> Any:
        mask = _as_booleans(mask)
        _access("atomic", ptr, mask.data)
        return rmw(self, op, ptr, val, mask, sem, scope)

    def create_atomic_cas(self: Any, ptr: Any, cmp: Any, val: Any, sem: Any, scope: Any) -> Any:
        _access("atomic", ptr, np.ones(ptr.data.shape, dtype=bool))
        return cas(self, ptr, cmp, val, sem, scope)

    def create_int_to_ptr(self: Any, source: Any, kind: Any) -> Any:
        # Addresses that come out of memory may lead anywhere; nothing can be said of them.
        if _launch is not None:
            _launch.checked = False
        return bitcast(self, source, kind)

    for function in (
        create_masked_load,
        create_masked_store,
        create_atomic_rmw,
        create_atomic_cas,
        create_int_to_ptr,
    ):
        setattr(builder, function.__name__, function)
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
    _hook_launches(interpreter)
    _hook_reductions(interpreter)


def _as_booleans(mask: Any) -> Any:
    """The interpreter spreads a scalar condition over a block as integers, with which NumPy
    picks lanes by number and its own atomics refuse to work."""
    if mask.data.dtype != np.bool_:
        return type(mask)(mask.data.astype(np.bool_), mask.dtype)
    return mask


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


def _hook_launches(interpreter: Any) -> None:
    executor = interpreter.GridExecutor
    arguments, run = executor._init_args_hst, executor.__call__

    def _init_args_hst(self: Any, args: Any, kwargs: Any) -> Any:
        global _launch
        on_host, named = arguments(self, args, kwargs)
        _launch = _Launch(list(_intervals([*on_host, *named.values()])))
        return on_host, named

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        global _launch
        before = _launch
        if _counts is not None:
            _counts["launches"] += 1
        try:
            return run(self, *args, **kwargs)
        finally:
            _launch = before

    executor._init_args_hst, executor.__call__ = _init_args_hst, __call__
    builder = interpreter.InterpreterBuilder
    place = builder.set_grid_idx

    def set_grid_idx(self: Any, x: int, y: int, z: int) -> None:
        if _counts is not None:
            _counts["programs"] += 1
        place(self, x, y, z)

    builder.set_grid_idx = set_grid_idx


def _hook_reductions(interpreter: Any) -> None:
    apply = interpreter.ReduceOps.apply

    def applied(self: Any, input: Any) -> Any:
        if _counts is not None:
            first = input[0] if isinstance(input, tuple) else input
            _counts["reductions"] += 1
            _counts["arithmetic"] += int(first.handle.data.size)
        return apply(self, input)

    interpreter.ReduceOps.apply = applied


def _intervals(arguments: Any) -> Iterator[tuple[int, int]]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _intervals(argument)
            continue
        tensor = getattr(argument, "base", argument)
        if hasattr(tensor, "untyped_storage"):
            storage = tensor.untyped_storage()
            yield storage.data_ptr(), storage.data_ptr() + storage.nbytes()


def _access(kind: str, ptrs: Any, mask: NDArray[np.bool_]) -> None:
    width = max(1, ptrs.get_element_ty().primitive_bitwidth // 8)
    addresses: NDArray[np.uint64] = ptrs.data
    active = np.broadcast_to(mask, addresses.shape)
    chosen = addresses[active]
    if _launch is not None and _launch.checked and chosen.size:
        _check(kind, chosen, width, _launch)
    if _counts is not None:
        _count(kind, addresses, active, chosen, width)


def _check(kind: str, chosen: NDArray[np.uint64], width: int, launch: _Launch) -> None:
    low, high = chosen.min(), chosen.max()
    if bool(np.any((launch.low <= low) & (high + np.uint64(width) <= launch.high))):
        return
    inside = np.zeros(chosen.shape, dtype=bool)
    for start, end in zip(launch.low, launch.high, strict=True):
        inside |= (chosen >= start) & (chosen + np.uint64(width) <= end)
    if not inside.all():
        raise OutOfBounds(f"{kind} of {int((~inside).sum())} lanes outside the kernel's arguments")


def _count(
    kind: str,
    addresses: NDArray[np.uint64],
    active: NDArray[np.bool_],
    chosen: NDArray[np.uint64],
    width: int,
) -> None:
    assert _counts is not None
    name = {"load": "bytes_loaded", "store": "bytes_stored", "atomic": "bytes_atomic"}[kind]
    _counts[name] += int(chosen.size) * width
    _counts["sectors"] += _sectors(addresses, active, width)
    if kind == "atomic":
        _counts["atomics"] += int(chosen.size)
    touched = _touched.setdefault(width, set())
    touched.update(np.unique(chosen).tolist())


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
    _touched.clear()
    _counts = counts
    try:
        yield counts
    finally:
        counts["unique_bytes"] = sum(width * len(seen) for width, seen in _touched.items())
        _touched.clear()
        _counts = None
