"""Finds out what an original accepts beyond its examples, by trying it. Runs in a child.

The candidate is never asked for more than was found here. A layout or an aliasing counts as
accepted only where the result does not depend on it: an original that reads its arguments as
flat memory says nothing about strided ones. What is rejected by a `raise` of the original's own
is kept too, since a candidate has to reject it as well.
"""

from __future__ import annotations

import dataclasses
import dis
import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.agreement import roughly_equal
from semrep.runtime.capture import Capture
from semrep.runtime.harness import Harness
from semrep.runtime.loading import file_name
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import fresh, seed_everything
from semrep.verify.cases import Case, Effort, Leaf, Shapes, named_seed
from semrep.verify.conditions import under
from semrep.verify.inputs import commonest_float, derived, set_state

# What learning may take, in seconds; the calls of slow originals are rationed by it.
SECONDS: Mapping[Effort, float] = {"quick": 4.0, "full": 15.0, "paranoid": 40.0}
# A variant that takes longer than this is left out: a busy machine must not decide.
SLOWEST_S = 1.0
# A call on other sizes may be compiled anew, as the first was: these count from what that took.
_SLOWEST_CALLS, _DEADLINE_CALLS, _LATEST_S = 4, 8, 40.0
_PRIMES = (7, 13, 5, 11, 17, 3, 19)
_LONG: Mapping[Effort, int] = {"quick": 4099, "full": 65_537, "paranoid": 393_217}
_MOST_ELEMENTS: Mapping[Effort, int] = {"quick": 1 << 17, "full": 1 << 20, "paranoid": 1 << 22}
_MOST_SIZES: Mapping[Effort, int] = {"quick": 20, "full": 48, "paranoid": 96}
_FIRST_SIZES = 8
_MOST_REJECTED = 2
_MOST_CONFIGURATIONS = 8
_MOST_PLAIN = 24
_MOST_TOGETHER = {True: 40, False: 8}  # by whether there are no arrays: then a call costs nothing
_PLAIN_TYPES = (bool, int, float, str)
_DTYPES = {
    "torch": ("float16", "bfloat16", "float64", "float32"),
    "numpy": ("float32", "float64"),
    "jax": ("float16", "bfloat16", "float32"),
}

Axis = tuple[str, int]
Group = tuple[int, tuple[Axis, ...]]
"""A size, and the axes that have it and must keep having the same one."""


class Learner:
    """Tries variants of one example on the loaded original, within a time.

    boundaries: sizes at which the code may change its ways (integers of its text).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        example: Arguments,
        instance: Any,
        state: Mapping[str, Any],
        harness: Harness,
        effort: Effort,
        seed: int,
        boundaries: Sequence[int],
    ) -> None:
        self.function = function
        self.example = example
        self.instance = instance
        self.state = state
        self.harness = harness
        self.effort: Effort = effort
        self.seed = seed
        self.boundaries = boundaries
        self.file = file_name(harness.path, "original")
        self._seconds = SECONDS[effort]
        self._slowest_s = SLOWEST_S
        self._started, self._born = time.monotonic(), time.process_time()
        self.accepted: list[Case] = []
        self.rejected: list[Case] = []
        self.tried = 0
        self.configurations = 1
        self.leaves = [
            Leaf(path, arrays.dtype_of(value), tuple(value.shape))
            for path, value in arrays.array_leaves((example.positional, dict(example.named)))
        ]

    def learn(self) -> dict[str, Any]:
        """Accepted and rejected variants as plain data; see `cases.Domain`."""
        groups: list[Group] = []
        first = time.process_time()
        returns = self._returns(self._case("normal")) if self.leaves else False
        first = time.process_time() - first
        self._slowest_s = max(SLOWEST_S, _SLOWEST_CALLS * first)
        self._seconds = max(self._seconds, _DEADLINE_CALLS * first)
        if returns:
            groups = self._groups()
            # Should the time run out, every kind of variant has had its turn.
            sizes = self._sizes(groups)
            for _ in zip(range(_FIRST_SIZES), sizes, strict=False):
                pass
            self._layouts()
            self._dtypes()
            self._ranks(groups)
            self._aliases()
            for _ in sizes:
                pass
        if self._returns(self._case("as given", values="own")):
            self._plain()
        return {
            "accepted": [plain(case) for case in self.accepted],
            "rejected": [plain(case) for case in self._told_rejections()],
            "tried": self.tried,
            "symbols": [
                (size, tuple(f"{path}.{axis}" for path, axis in axes)) for size, axes in groups
            ],
            "configurations": min(self.configurations, _MOST_CONFIGURATIONS),
        }

    def _told_rejections(self) -> list[Case]:
        """The first few of each kind."""
        kinds: dict[tuple[bool, bool], list[Case]] = {}
        for case in self.rejected:
            if not case.plain:
                kinds.setdefault((bool(case.dtype), case.ranked), []).append(case)
        told = [case for found in kinds.values() for case in found[:_MOST_REJECTED]]
        return [*told, *(case for case in self.rejected if case.plain)]

    # Trying

    def _is_late(self) -> bool:
        """Whether the time is used up: processor time, so that a busy machine makes no
        difference to what is tried, and in the end the wall clock."""
        spent = time.process_time() - self._born
        return spent > self._seconds or time.monotonic() - self._started > _LATEST_S

    def _case(self, name: str, **settings: Any) -> Case:
        settings.setdefault("values", "normal")
        return Case(name, named_seed(self.seed, name), **settings)

    def _call(self, case: Case) -> tuple[bool, Any]:
        """Whether the call returns, and what: the captured result, or the error."""
        arguments = derived(fresh(self.example), case)
        if self.state:
            set_state(self.instance, self.state, case)
        seed_everything(self.seed)
        self.tried += 1
        try:
            with under(case, self.harness) as seen:
                value = self.function(*arguments.positional, **arguments.named)
            self.configurations = max(self.configurations, seen.configurations)
            return True, Capture()(value)
        except Exception as error:
            return False, error

    def _returns(self, case: Case) -> bool:
        return self._call(case)[0]

    def _try(self, case: Case) -> bool:
        if self._is_late():
            return False
        case = dataclasses.replace(case, probing=True)
        started = time.process_time()
        returned, outcome = self._call(case)
        if returned:
            if time.process_time() - started < self._slowest_s:
                self.accepted.append(case)
        elif _is_deliberate(outcome, self.file):
            self.rejected.append(dataclasses.replace(case, rejected=True))
        return returned

    # Sizes

    def _shapes(self, change: Mapping[Axis, int]) -> Shapes:
        made = []
        for leaf in self.leaves:
            shape = tuple(change.get((leaf.path, i), n) for i, n in enumerate(leaf.shape))
            if shape != leaf.shape:
                made.append((leaf.path, shape))
        return tuple(made)

    def _groups(self) -> list[Group]:
        """Axes of one size, told apart where the original takes two sizes for them.

        A split must hold both ways round: kernels that read flat memory often take an
        argument that is too large, and never one that is too small.
        """
        by_size: dict[int, list[Axis]] = {}
        for leaf in self.leaves:
            for axis, size in enumerate(leaf.shape):
                if size > 1:
                    by_size.setdefault(size, []).append((leaf.path, axis))
        groups: list[Group] = []
        for size, axes in by_size.items():
            groups.extend((size, part) for part in self._parts(size, tuple(axes)))
        return groups

    def _parts(self, size: int, axes: tuple[Axis, ...]) -> list[tuple[Axis, ...]]:
        if len(axes) < 2 or len(axes) > 6:
            return [axes]
        for part in _halves(axes):
            rest = tuple(axis for axis in axes if axis not in part)
            if self._is_late():
                break
            # Not 1, which broadcasts.
            sizes = (size + 2, size + 5)
            if all(
                self._returns(
                    self._case(
                        "split",
                        shapes=self._shapes({**dict.fromkeys(part, a), **dict.fromkeys(rest, b)}),
                    )
                )
                for a, b in (sizes, sizes[::-1])
            ):
                return [*self._parts(size, part), *self._parts(size, rest)]
        return [axes]

    def _sizes(self, groups: Sequence[Group]) -> Iterator[None]:
        """Tries other sizes, the most telling first; rests after each."""
        tried: set[Shapes] = set()

        def attempt(name: str, change: Mapping[Axis, int]) -> None:
            shapes = self._shapes(change)
            if shapes and shapes not in tried and self._elements(shapes) <= self._limit():
                tried.add(shapes)
                self._try(self._case(name, shapes=shapes))

        primes = itertools.cycle(_PRIMES)
        together = {axis: n for (_, axes), n in zip(groups, primes, strict=False) for axis in axes}
        attempt("primes", together)
        yield
        attempt("ones", {axis: 1 for _, axes in groups for axis in axes})
        yield
        for kept in groups if len(groups) > 2 else ():
            others = [axes for size, axes in groups if axes is not kept[1]]
            attempt(f"{kept[0]} alone", {axis: 1 for axes in others for axis in axes})
            yield
        for size in dict.fromkeys(size for size, _ in groups):
            parts = [axes for one, axes in groups if one == size]
            if len(parts) > 1:
                # Code may still take equal sizes for one.
                attempt(f"every {size} → {size + 1}", dict.fromkeys(sum(parts, ()), size + 1))
                yield
        for sizes in _interesting_sizes(groups, self.boundaries, self.effort):
            for (old, axes), new in sizes:
                if sum(case.varies_size for case in self.accepted) >= _MOST_SIZES[self.effort]:
                    return
                attempt(f"{old} → {new}", dict.fromkeys(axes, new))
                yield

    def _limit(self) -> int:
        own = sum(int(np.prod(leaf.shape)) for leaf in self.leaves)
        return max(_MOST_ELEMENTS[self.effort], 2 * own)

    def _elements(self, shapes: Shapes) -> int:
        changed = dict(shapes)
        return sum(
            int(np.prod(changed.get(leaf.path, leaf.shape), dtype=np.int64)) for leaf in self.leaves
        )

    # Layouts, types, ranks, aliases

    def _layouts(self) -> None:
        kinds: tuple[str, ...] = ()
        if self.harness.framework == "torch":
            kinds = ("strided", "transposed", "offset", "expanded")
        elif self.harness.framework == "numpy":
            kinds = ("strided", "transposed", "offset", "expanded", "negative")
        dense = self._call(self._case("dense"))
        for kind in kinds:
            if self._is_late():
                return
            case = self._case("dense", layout=kind, probing=True)
            expected = dense
            if kind == "expanded":
                # Its values are others: the same ones laid out densely are the measure.
                literal = _literal(self.example, case)
                expected = self._call(dataclasses.replace(case, layout="own", literal=literal))
            got = self._call(case)
            if expected[0] and got[0] and roughly_equal(expected[1], got[1]):
                named = dataclasses.replace(case, name=kind, seed=named_seed(self.seed, kind))
                self.accepted.append(named)

    def _dtypes(self) -> None:
        own = commonest_float([leaf.dtype for leaf in self.leaves])
        for dtype in _DTYPES[self.harness.framework] if own else ():
            if dtype != own:
                self._try(self._case(dtype, dtype=dtype))

    def _ranks(self, groups: Sequence[Group]) -> None:
        lead = next((axes for _, axes in groups if any(axis == 0 for _, axis in axes)), ())
        paths = {path for path, axis in lead if axis == 0}
        more = tuple((leaf.path, (2, *leaf.shape)) for leaf in self.leaves if leaf.path in paths)
        fewer = tuple((leaf.path, leaf.shape[1:]) for leaf in self.leaves if leaf.path in paths)
        for name, shapes in (("a dimension more", more), ("a dimension less", fewer)):
            if shapes:
                self._try(self._case(name, shapes=shapes, ranked=True))

    def _plain(self) -> None:
        """Other values of arguments that are no arrays. What a plain function raises on them is
        part of what it does."""
        places = [(f"[0][{i}]", value) for i, value in enumerate(self.example.positional)]
        places += [(f"[1][{name!r}]", value) for name, value in self.example.named.items()]
        rounds = itertools.zip_longest(*([(p, v) for v in _near(x)] for p, x in places))
        for path, value in itertools.islice((x for r in rounds for x in r if x), _MOST_PLAIN):
            self._try_plain(((path, value),))
        self._together({path: [value, *near] for path, value in places if (near := _near(value))})

    def _together(self, choices: Mapping[str, Sequence[Any]]) -> None:
        """Several plain arguments changed at once: branches ask about more than one."""
        if len(choices) < 2:
            return
        rng = random.Random(self.seed)
        tried: set[str] = set()
        for _ in range(_MOST_TOGETHER[not self.leaves]):
            values = {path: rng.choice(near) for path, near in choices.items()}
            changed = tuple((p, v) for p, v in values.items() if v is not choices[p][0])
            if len(changed) > 1 and repr(changed) not in tried:
                tried.add(repr(changed))
                self._try_plain(changed)

    def _try_plain(self, changed: tuple[tuple[str, Any], ...]) -> None:
        if self._is_late():
            return
        name = ", ".join(f"argument {path} = {value!r:.40}" for path, value in changed)
        case = dataclasses.replace(self._case(name, plain=changed), probing=True)
        returned, outcome = self._call(case)
        if returned:
            self.accepted.append(case)
        elif not self.leaves or _is_deliberate(outcome, self.file):
            self.rejected.append(dataclasses.replace(case, rejected=True))

    def _aliases(self) -> None:
        if self.harness.framework == "jax":
            return
        for one, other in itertools.combinations(self.leaves, 2):
            if (one.dtype, one.shape) == (other.dtype, other.shape):
                if self._is_late():
                    return
                case = self._case("alias", alias=(one.path, other.path), probing=True)
                apart = dataclasses.replace(case, alias=None, literal=_literal(self.example, case))
                first, second = self._call(apart), self._call(case)
                if first[0] and second[0] and roughly_equal(first[1], second[1]):
                    self.accepted.append(dataclasses.replace(case, name="one array twice"))
                return


def plain(case: Case) -> dict[str, Any]:
    return {
        field.name: getattr(case, field.name)
        for field in dataclasses.fields(case)
        if getattr(case, field.name) != field.default
    }


def _near(value: Any) -> list[Any]:
    """Other values of the same type: edges, neighbours, the negative; [] for other types."""
    kind = type(value)
    if kind is bool:
        return [not value]
    found: list[Any] = []
    if kind is int:
        found = [0, -value, value + 1, 1, value - 1, -1]
    elif kind is float:
        found = [0.0, -value, value / 2 + 1, 1.0]
    elif kind is str:
        found = ["", value + value, value[:1]]
    elif kind in (list, tuple) and all(type(item) in _PLAIN_TYPES for item in value):
        found = [value[:0], value[::-1], value[:1], value + value]
    return [new for i, new in enumerate(found) if new != value and new not in found[:i]]


def _is_deliberate(error: BaseException, file: str) -> bool:
    """Whether a `raise` or `assert` of this very file made the error. What a library raises at
    the sight of odd shapes is no promise of its caller's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_filename != file:
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _halves(axes: tuple[Axis, ...]) -> Iterator[tuple[Axis, ...]]:
    """Every way to part the axes in two, by the part that holds the first of them."""
    first, rest = axes[0], axes[1:]
    for size in range(len(rest)):
        for chosen in itertools.combinations(rest, size):
            yield (first, *chosen)


def _interesting_sizes(
    groups: Sequence[Group], boundaries: Sequence[int], effort: Effort
) -> Iterator[list[tuple[Group, int]]]:
    """Rounds of (group, new size), the most telling first: every dimension gets each round."""
    yield [(group, 1) for group in groups]
    yield [(group, group[0] - 1 if group[0] > 2 else group[0] + 1) for group in groups]
    yield [(group, 0) for group in groups]
    yield [(group, group[0] + 1) for group in groups]
    near = sorted({b for b in boundaries if 2 <= b <= 8192})
    for edge in near[-6:] if effort == "quick" else near[-24:]:
        yield [(group, edge + 1) for group in groups]
        yield [(group, edge - 1) for group in groups]
        yield [(group, edge) for group in groups]
        yield [(group, 2 * edge + 1) for group in groups]
    yield [(group, _LONG[effort]) for group in reversed(groups)]


def _literal(example: Arguments, case: Case) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """The elements of the case's arrays, written out."""
    made = derived(fresh(example), case)
    first, second = case.alias or ("", "")
    found = {
        path: tuple(float(x) for x in arrays.to_numpy(value).astype(np.float64).reshape(-1))
        for path, value in arrays.array_leaves((made.positional, dict(made.named)))
        if arrays.dtype_of(value) in arrays.FLOATING
    }
    if first in found:
        found[second] = found[first]
    return tuple(found.items())
