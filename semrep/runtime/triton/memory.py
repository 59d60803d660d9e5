"""The interpreter's memory operations and launches, told to whoever observes them.

Every access is described before it is performed: first to the bounds check, which is always
on, then to the observers (counters, races), of which there are none until one is entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.triton import regions
from semrep.runtime.triton.bounds import check_bounds
from semrep.runtime.triton.regions import Launch, Region
from semrep.runtime.triton.spin import SpinGuard

__all__ = ["Access", "Observer", "install", "observing", "ordering"]

Kind = Literal["load", "store", "atomic"]
# From the number of programs and the number of the launch to the order they run in.
Order = Callable[[int, int], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Access:
    """One load, store or atomic of one program, not yet performed.

    addresses, active: of the whole block; chosen: addresses of the active lanes, in order.
    width: bytes a lane. values: what a store writes, of the block's shape. region: the storage
    the pointer was made from, where that is known. releases, acquires: of an atomic.
    """

    kind: Kind
    addresses: NDArray[np.uint64]
    active: NDArray[np.bool_]
    chosen: NDArray[np.uint64]
    width: int
    region: Region | None = None
    values: NDArray[Any] | None = None
    volatile: bool = False
    acquires: bool = False
    releases: bool = False


class Observer(Protocol):
    def launched(self, launch: Launch) -> None: ...

    def started(self, launch: Launch) -> None:
        """A program begins; launch.program and launch.index say which."""

    def accessed(self, launch: Launch, access: Access) -> None: ...

    def finished(self, launch: Launch) -> None: ...


_launch: Launch | None = None
_launches = 0
_ordered_from = 0
_observers: tuple[Observer, ...] = ()
_order: Order | None = None
_permutation: NDArray[np.int64] | None = None
_spin = SpinGuard()
_atomic_kind: list[str] = []


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Tells the observer of all launches and accesses until left."""
    global _observers
    before = _observers
    _observers = (*before, observer)
    try:
        yield
    finally:
        _observers = before


@contextmanager
def ordering(order: Order | None) -> Iterator[None]:
    """Runs the programs of every launch in this order until left.

    Launches are numbered from here on: what ran before has no say in the order.
    """
    global _order, _ordered_from
    before = _order, _ordered_from
    _order, _ordered_from = order, _launches
    try:
        yield
    finally:
        _order, _ordered_from = before


def install(interpreter: Any) -> None:
    """Hooks the interpreter's launches and memory operations."""
    regions.install(interpreter, lambda: _launch)
    _hook_accesses(interpreter.InterpreterBuilder)
    _hook_atomic_loads(interpreter.InterpreterBuilder)
    _hook_launches(interpreter)
    _hook_programs(interpreter.InterpreterBuilder)


def _hook_accesses(builder: Any) -> None:
    load, store = builder.create_masked_load, builder.create_masked_store
    rmw, cas = builder.create_atomic_rmw, builder.create_atomic_cas

    def create_masked_load(
        self: Any, ptrs: Any, mask: Any, other: Any, cache_policy: Any, is_volatile: Any
    ) -> Any:
        mask = _as_booleans(mask)
        _access("load", ptrs, mask.data, volatile=bool(is_volatile))
        return load(self, ptrs, mask, other, cache_policy, is_volatile)

    def create_masked_store(self: Any, ptrs: Any, value: Any, mask: Any, cache_policy: Any) -> Any:
        mask = _as_booleans(mask)
        _access("store", ptrs, mask.data, value.data)
        return store(self, ptrs, value, mask, cache_policy)

    def create_atomic_rmw(
        self: Any, op: Any, ptr: Any, val: Any, mask: Any, sem: Any, scope: Any
    ) -> Any:
        mask = _as_booleans(mask)
        _access("atomic", ptr, mask.data, sem=sem)
        return rmw(self, op, ptr, val, mask, sem, scope)

    def create_atomic_cas(self: Any, ptr: Any, cmp: Any, val: Any, sem: Any, scope: Any) -> Any:
        _access("atomic", ptr, np.ones(ptr.data.shape, dtype=bool), sem=sem)
        return cas(self, ptr, cmp, val, sem, scope)

    for function in (create_masked_load, create_masked_store, create_atomic_rmw, create_atomic_cas):
        setattr(builder, function.__name__, function)


def _hook_atomic_loads(builder: Any) -> None:
    """Atomic loads and stores pass through the plain ones, and are told apart by the way."""
    for name in ("create_atomic_load", "create_atomic_store", "create_atomic_poll"):
        method = getattr(builder, name, None)
        if method is None:
            continue

        def atomic(self: Any, *operands: Any, method: Any = method) -> Any:
            _atomic_kind.append(str(operands[-2]))
            try:
                return method(self, *operands)
            finally:
                _atomic_kind.pop()

        setattr(builder, name, atomic)


def _as_booleans(mask: Any) -> Any:
    """The interpreter spreads a scalar condition over a block as integers, with which NumPy
    picks lanes by number and its own atomics refuse to work."""
    if mask.data.dtype != np.bool_:
        return type(mask)(mask.data.astype(np.bool_), mask.dtype)
    return mask


def _access(
    kind: Kind,
    ptrs: Any,
    mask: NDArray[np.bool_],
    values: NDArray[Any] | None = None,
    sem: Any = None,
    volatile: bool = False,
) -> None:
    launch = _launch
    if launch is None:
        return
    if _atomic_kind:
        kind, sem = "atomic", _atomic_kind[-1]
    width = max(1, ptrs.get_element_ty().primitive_bitwidth // 8)
    addresses: NDArray[np.uint64] = ptrs.data
    active = np.broadcast_to(mask, addresses.shape)
    chosen = addresses[active]
    region = regions.region_of(ptrs)
    if chosen.size:
        check_bounds(launch, kind, addresses, active, chosen, width, region)
        if chosen.size == 1 and (volatile or kind == "atomic"):
            _spin.note(launch, int(chosen[0]), width)
    if _observers:
        semantics = str(sem).upper() if kind == "atomic" else ""
        access = Access(
            kind=kind,
            addresses=addresses,
            active=active,
            chosen=chosen,
            width=width,
            region=region if isinstance(region, Region) else None,
            values=values,
            volatile=volatile,
            acquires="ACQ" in semantics,
            releases="REL" in semantics and "RELAXED" not in semantics,
        )
        for observer in _observers:
            observer.accessed(launch, access)


def _hook_launches(interpreter: Any) -> None:
    executor = interpreter.GridExecutor
    arguments, restore = executor._init_args_hst, executor._restore_args_dev
    run = executor.__call__

    def _init_args_hst(self: Any, args: Any, kwargs: Any) -> Any:
        global _launch, _launches
        # Whatever has an address will do for a kernel; copying it would take a real tensor.
        here = all(map(_is_on_host, (*args, *kwargs.values())))
        on_host, named = (list(args), dict(kwargs)) if here else arguments(self, args, kwargs)
        given = [*zip(self.arg_names, on_host, strict=False), *named.items()]
        _launches += 1
        _launch = Launch.of(self.fn.__name__, given, _launches)
        for observer in _observers:
            observer.launched(_launch)
        return on_host, named

    def _restore_args_dev(self: Any, args: Any, on_host: Any, kwargs: Any, named: Any) -> None:
        if not all(map(_is_on_host, (*args, *kwargs.values()))):
            restore(self, args, on_host, kwargs, named)

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        global _launch, _permutation
        before = _launch, _permutation
        _permutation = None
        try:
            result = run(self, *args, **kwargs)
            if _launch is not None:
                for observer in _observers:
                    observer.finished(_launch)
            return result
        except interpreter.InterpreterError as error:
            fault = _fault_behind(error)
            if fault is None:
                raise
            raise fault from None
        finally:
            _launch, _permutation = before

    executor._init_args_hst, executor._restore_args_dev = _init_args_hst, _restore_args_dev
    executor.__call__ = __call__


def _is_on_host(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_is_on_host, value))
    value = getattr(value, "base", value) if not hasattr(value, "device") else value
    device = getattr(value, "device", None)
    return device is None or getattr(device, "type", "cpu") == "cpu"


def _fault_behind(error: BaseException) -> regions.KernelFault | None:
    """The interpreter wraps what a kernel raises, once for every function called."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, regions.KernelFault):
            return cause
        cause = cause.__cause__
    return None


def _hook_programs(builder: Any) -> None:
    place = builder.set_grid_idx

    def set_grid_idx(self: Any, x: int, y: int, z: int) -> None:
        global _permutation
        _, ny, nz = self.grid_dim
        program = (x * ny + y) * nz + z
        if _order is not None and _launch is not None:
            if _permutation is None:
                count = int(np.prod(self.grid_dim))
                _permutation = _order(count, _launch.number - _ordered_from)
            program = int(_permutation[program])
            x, y, z = program // (ny * nz), program // nz % ny, program % nz
        if _launch is not None:
            _launch.grid = tuple(int(extent) for extent in self.grid_dim)
            _launch.program, _launch.index = program, (x, y, z)
            _spin.reset()
            for observer in _observers:
                observer.started(_launch)
        place(self, x, y, z)

    builder.set_grid_idx = set_grid_idx
