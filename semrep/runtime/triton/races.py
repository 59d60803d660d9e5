"""Finds accesses of different programs that no GPU orders.

For every byte group of every storage it keeps who wrote it, read it and changed it atomically.
Programs of one launch have no order among them, so each of these pairs is a race, whatever
order they happened to run in here:

- a store and a store ("write-write"; "same-value" where both wrote the same bytes, which is
  benign and reported apart),
- a store and a plain load of another program ("read-write"),
- an atomic and a plain load or store of another program ("atomic-mixed"),
- lanes of one store that write different values to one address ("lanes").

Programs that hand over through a flag, a lock or a counter (atomics of a single lane, with
acquire and release) are ordered by it where the second took what the first gave; what they
share is reported with `ordered` set, for one run cannot show that the order always holds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from semrep.runtime.triton.regions import Launch, Region

if TYPE_CHECKING:
    from semrep.runtime.triton.memory import Access

RaceKind = Literal["write-write", "same-value", "read-write", "atomic-mixed", "lanes"]
_SEVERAL = -1
Index = slice | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Race:
    """Pairs of one kind in one launch and storage, described by the first.

    offset: in elements of the argument, of the first place; program, other: who touches it,
    other None where several did; places: how many elements are concerned. ordered: in this
    run, a handover through atomics lay between all of them.
    """

    kind: RaceKind
    kernel: str
    launch: int
    argument: str
    offset: int
    program: tuple[int, int, int]
    other: tuple[int, int, int] | None
    places: int
    ordered: bool

    @property
    def benign(self) -> bool:
        """Whether the result cannot depend on it."""
        return self.kind == "same-value"

    def __str__(self) -> str:
        other = "several programs" if self.other is None else f"program {self.other}"
        if self.kind == "lanes":
            other = "another of its lanes"
        text = (
            f"{self.kind} race in kernel {self.kernel}: program {self.program} and {other} at "
            f"element {self.offset} of argument {self.argument} ({self.places} places)"
        )
        return text + ", with a handover through atomics between" if self.ordered else text


class _Shadow:
    """Who touched each group of `grain` bytes of one region: 0 nobody, a program's number + 1,
    or _SEVERAL."""

    def __init__(self, region: Region, grain: int) -> None:
        self.region, self.grain = region, grain
        groups = -(-(region.high - region.low) // grain)
        self.writer = np.zeros(groups, dtype=np.int32)
        self.reader = np.zeros(groups, dtype=np.int32)
        self.atomic = np.zeros(groups, dtype=np.int32)
        self.written = self.has_atomics = False

    def refine(self, grain: int) -> None:
        times = self.grain // grain
        for name in ("writer", "reader", "atomic"):
            setattr(self, name, np.repeat(getattr(self, name), times))
        self.grain = grain

    def index(self, addresses: NDArray[np.uint64], width: int) -> Index:
        """The groups of these addresses, a slice where they lie in a row."""
        low = self.region.low
        misaligned = int(addresses[0] - np.uint64(low)) % self.grain
        if width < self.grain or misaligned:
            self.refine(int(np.gcd.reduce([width, self.grain, misaligned or self.grain])))
        first, last, grain = int(addresses[0]) - low, int(addresses[-1]) - low, self.grain
        count = addresses.size
        if last - first == (count - 1) * width and (
            count < 3 or bool((np.diff(addresses) == np.uint64(width)).all())
        ):
            return slice(first // grain, (last + width) // grain)
        groups = ((addresses - np.uint64(low)) // np.uint64(grain)).astype(np.int64)
        if width > grain:
            groups = (groups[:, None] + np.arange(width // grain)).reshape(-1)
        return groups


class RaceWatch:
    """Observes launches; `races` holds what was found, one entry a launch, region and kind."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int, RaceKind, bool], Race] = {}
        self._shadows: dict[int, _Shadow] = {}
        self._given: dict[int, set[int]] = {}
        self._taken: set[int] = set()

    @property
    def races(self) -> tuple[Race, ...]:
        return tuple(self._found.values())

    def launched(self, launch: Launch) -> None:
        self._shadows, self._given, self._taken = {}, {}, set()

    def started(self, launch: Launch) -> None:
        self._taken = set()

    def finished(self, launch: Launch) -> None:
        self._shadows, self._given = {}, {}

    def accessed(self, launch: Launch, access: Access) -> None:
        if not access.chosen.size:
            return
        if access.kind == "atomic" and access.chosen.size == 1:
            self._hand_over(launch, access)
        for region, lanes in _by_region(launch, access):
            addresses = access.chosen if lanes is None else access.chosen[lanes]
            key = region.low
            shadow = self._shadows.get(key)
            if shadow is None:
                shadow = self._shadows[key] = _Shadow(region, access.width)
            index = shadow.index(addresses, access.width)
            me = launch.program + 1
            if access.kind == "load":
                self._load(launch, shadow, index, me)
            elif access.kind == "store":
                self._store(launch, access, shadow, index, me, lanes)
            else:
                self._atomic(launch, shadow, index, me)

    def _hand_over(self, launch: Launch, access: Access) -> None:
        givers = self._given.setdefault(int(access.chosen[0]), set())
        if access.acquires:
            self._taken |= givers
        if access.releases:
            givers.add(launch.program + 1)

    def _load(self, launch: Launch, shadow: _Shadow, index: Index, me: int) -> None:
        if shadow.written:
            self._compare(launch, shadow, "read-write", shadow.writer, index, me)
        if shadow.has_atomics:
            self._compare(launch, shadow, "atomic-mixed", shadow.atomic, index, me)
        _mark(shadow.reader, index, me)

    def _store(
        self,
        launch: Launch,
        access: Access,
        shadow: _Shadow,
        index: Index,
        me: int,
        lanes: NDArray[np.bool_] | None,
    ) -> None:
        if not isinstance(index, slice):
            self._lanes(launch, access, shadow, lanes)
        if shadow.written:
            others = _others(shadow.writer[index], me)
            if others.any():
                same = _same_bytes(access, lanes).repeat(max(1, access.width // shadow.grain))
                for kind, chosen in (
                    ("write-write", others & ~same),
                    ("same-value", others & same),
                ):
                    self._note(launch, shadow, kind, shadow.writer, index, me, chosen)  # type: ignore[arg-type]
        self._compare(launch, shadow, "read-write", shadow.reader, index, me)
        if shadow.has_atomics:
            self._compare(launch, shadow, "atomic-mixed", shadow.atomic, index, me)
        shadow.writer[index] = me
        shadow.written = True

    def _atomic(self, launch: Launch, shadow: _Shadow, index: Index, me: int) -> None:
        if shadow.written:
            self._compare(launch, shadow, "atomic-mixed", shadow.writer, index, me)
        self._compare(launch, shadow, "atomic-mixed", shadow.reader, index, me)
        _mark(shadow.atomic, index, me)
        shadow.has_atomics = True

    def _lanes(
        self, launch: Launch, access: Access, shadow: _Shadow, lanes: NDArray[np.bool_] | None
    ) -> None:
        """Different values for one address in one store."""
        addresses = access.chosen if lanes is None else access.chosen[lanes]
        values = _stored(access, lanes)
        order = np.argsort(addresses, kind="stable")
        addresses, values = addresses[order], values[order]
        clash = (addresses[1:] == addresses[:-1]) & (values[1:] != values[:-1]).any(axis=1)
        if clash.any():
            at = (addresses[1:][clash] - np.uint64(shadow.region.low)) // np.uint64(shadow.grain)
            everyone = np.full(shadow.writer.shape, _SEVERAL, dtype=np.int32)
            index = at.astype(np.int64)
            chosen = np.ones(index.shape, dtype=bool)
            self._note(launch, shadow, "lanes", everyone, index, 0, chosen)

    def _compare(
        self,
        launch: Launch,
        shadow: _Shadow,
        kind: RaceKind,
        owners: NDArray[np.int32],
        index: Index,
        me: int,
    ) -> None:
        others = _others(owners[index], me)
        if others.any():
            self._note(launch, shadow, kind, owners, index, me, others)

    def _note(
        self,
        launch: Launch,
        shadow: _Shadow,
        kind: RaceKind,
        owners: NDArray[np.int32],
        index: Index,
        me: int,
        chosen: NDArray[np.bool_],
    ) -> None:
        if not chosen.any():
            return
        owners_here = owners[index][chosen]
        places = int(chosen.sum())
        ordered = bool(self._taken) and self._is_ordered(launch, owners_here)
        key = launch.number, shadow.region.low, kind, ordered
        known = self._found.get(key)
        if known is not None:
            self._found[key] = replace(known, places=known.places + places)
            return
        spot = int(np.flatnonzero(chosen)[0])
        group = index.start + spot if isinstance(index, slice) else int(index[spot])
        address = shadow.region.low + group * shadow.grain
        name, offset = _argument_at(shadow.region, address)
        owner = int(owners_here[0])
        self._found[key] = Race(
            kind=kind,
            kernel=launch.kernel,
            launch=launch.number,
            argument=name,
            offset=offset,
            program=launch.index,
            other=None if owner == _SEVERAL else _place(launch, owner - 1),
            places=places,
            ordered=ordered,
        )

    def _is_ordered(self, launch: Launch, owners: NDArray[np.int32]) -> bool:
        if bool((owners == _SEVERAL).any()):
            # Everyone else who gave anything at all must have given to this program.
            givers = set().union(*self._given.values()) - {launch.program + 1}
            if not givers <= self._taken:
                return False
            owners = owners[owners != _SEVERAL]
        return set(np.unique(owners).tolist()) <= self._taken


def _mark(owners: NDArray[np.int32], index: Index, me: int) -> None:
    here = owners[index]
    owners[index] = np.where((here == 0) | (here == me), np.int32(me), np.int32(_SEVERAL))


def _others(owners: NDArray[np.int32], me: int) -> NDArray[np.bool_]:
    others: NDArray[np.bool_] = (owners != 0) & (owners != me)
    return others


def _by_region(launch: Launch, access: Access) -> Iterable[tuple[Region, NDArray[np.bool_] | None]]:
    """The regions touched, each with its lanes of `chosen` (None: all of them)."""
    if access.region is not None:
        return [(access.region, None)]
    home = launch.region_at(int(access.chosen[0]))
    if home is not None and int(access.chosen.min()) >= home.low:
        if int(access.chosen.max()) < home.high:
            return [(home, None)]
    reached = [Region(low, high, ["reached by address"], [low], [1]) for low, high in launch.others]
    found = []
    for region in [*launch.regions, *reached]:
        inside = (access.chosen >= np.uint64(region.low)) & (access.chosen < np.uint64(region.high))
        if inside.any():
            found.append((region, inside))
    return found


def _stored(access: Access, lanes: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """The bytes that each chosen lane stores, shape (lanes, width)."""
    assert access.values is not None
    values = np.broadcast_to(access.values, access.addresses.shape)[access.active]
    if lanes is not None:
        values = values[lanes]
    stored: NDArray[np.uint8] = np.ascontiguousarray(values).view(np.uint8)
    return stored.reshape(values.size, -1)


def _same_bytes(access: Access, lanes: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """For each chosen lane, whether it stores what is there already."""
    new = _stored(access, lanes)
    addresses = access.chosen if lanes is None else access.chosen[lanes]
    low = int(addresses.min())
    size = int(addresses.max()) + access.width - low
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(low))
    at = (addresses - np.uint64(low)).astype(np.int64)
    old = memory[at[:, None] + np.arange(access.width)]
    same: NDArray[np.bool_] = (old == new[:, : access.width]).all(axis=1)
    return same


def _argument_at(region: Region, address: int) -> tuple[str, int]:
    """The argument that starts last before the address, and the element of it there."""
    before = [i for i, start in enumerate(region.starts) if start <= address] or [0]
    best = max(before, key=lambda i: region.starts[i])
    return region.names[best], (address - region.starts[best]) // max(1, region.itemsizes[best])


def _place(launch: Launch, program: int) -> tuple[int, int, int]:
    _, ny, nz = launch.grid
    return program // (ny * nz), program // nz % ny, program % nz
