"""A problem in a size at which its forward takes milliseconds on two cores.

The numbers that decide the shapes of the inputs and of the weights are found by changing each
and looking. They are divided together by powers of two, by kind: batch first, then space and
time, then features, at last widths written inside classes. So ratios and divisibility stay.
What is 1 stays 1, nothing else becomes 1 (the places of dimensions of size 1 in all results are
compared), and kernel sizes, strides, group counts, flags and numbers of layers stay.

Sizes are tried on the meta device, so that nothing large is ever allocated, and a count of
operations and bytes chooses among them. The outcome is then run under limits of time and memory;
only where that takes too long or too short is it chosen anew. So the same text gives the same
sizes, unless a machine is so slow that it needs smaller ones.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.kernelbench.sites import Site, replaced, size_sites

if TYPE_CHECKING:  # torch is loaded where it is needed
    from bench.kernelbench.footprint import Footprint

# A change of the method makes stored results stale.
_VERSION = 12
_WALL_S = 240.0
_MEMORY = 6 << 30
_LARGEST_OPERATION = 6
_TRIALS = 4
# What is too short to be measured may hold so many times what its scale says.
_MORE_HELD = 4.0

Kind = Literal["batch", "space", "feature", "width"]

# How far each kind goes down before the next one's turn comes: the least number of that kind.
_DESCENT: tuple[tuple[Kind, int], ...] = (
    ("batch", 16), ("space", 16), ("feature", 64), ("batch", 4), ("space", 8), ("feature", 16),
    ("batch", 2), ("width", 32), ("space", 4), ("width", 8), ("feature", 8), ("space", 2),
    ("width", 4),
)  # fmt: skip
# Then back up while it fits: a large batch is what makes work on weights alone worth while.
_ASCENT: tuple[Kind, ...] = ("width", "feature", "space", "batch")

_TOGETHER: Mapping[Kind, tuple[tuple[Kind, ...], ...]] = {
    "batch": ((), ("space",)),
    "space": ((), ("batch",), ("feature",), ("feature", "width")),
    "feature": ((), ("width",)),
    "width": ((), ("feature",)),
}

# Numbers up to this are a kernel size, a stride or a count where they look like one.
_MAYBE_COUNT = 32
_SMALL = 8
_IS_COUNT = re.compile(
    r"kernel|stride|pad|dilat|group|head|layer|depth|block|patch|window|scale|factor|rate|ratio"
    r"|num_stages|expan|dim$|axis|repeat|shift|steps$|_len$",
    re.IGNORECASE,
)
_IS_BATCH = re.compile(r"batch|^bs$|^b$", re.IGNORECASE)
_IS_SPACE = re.compile(r"seq|length|len$|height|width|image|img|spatial|^[hwd]$", re.IGNORECASE)
_STRUCTURE = ("kernel_size", "stride", "padding", "output_padding", "dilation", "groups",
              "num_groups", "num_heads", "num_layers", "nhead", "patch_size")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """What to shrink to. target_s: modelled seconds of one forward. floor_s, ceiling_s: measured
    ones that a trial may take. held_bytes: of parameters, inputs and results together."""

    name: str
    target_s: float
    floor_s: float
    ceiling_s: float
    held_bytes: int


# Verification makes a model for each of dozens of cases, so weights are kept small as well.
CPU = Scale("cpu", 0.020, 0.001, 0.200, 14 << 20)
TINY = Scale("tiny", 0.002, 0.0, 0.020, 2 << 20)
SCALES: Mapping[str, Scale] = {scale.name: scale for scale in (CPU, TINY)}


def scale_of(target_ms: float) -> Scale:
    """A scale for forwards of about so many modelled milliseconds, as short ones as there are."""
    held = int(TINY.held_bytes * max(1.0, target_ms / (1e3 * TINY.target_s)))
    return Scale(f"{target_ms:g} ms", target_ms / 1e3, 0.0, target_ms / 1e2, held)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """source: the smaller problem; the original's text where nothing was changed or `why` says
    that it does not run. changed: "name: old → new". modelled_s, measured_s: seconds of one
    forward; measured is processor time on one thread. fits: the trial was within the scale's
    limits."""

    source: str
    changed: tuple[str, ...] = ()
    modelled_s: float = 0.0
    measured_s: float = 0.0
    fits: bool = False
    why: str = ""

    @property
    def runs(self) -> bool:
        return not self.why


_REMEMBERED: dict[str, Shrunk] = {}


def shrink(
    source: str, scale: Scale = CPU, cache: Path | None = None, apart: bool = True
) -> Shrunk:
    """The problem at this scale. cache: a folder that keeps results across runs. apart: in a
    process of its own under limits, which a bad problem needs; a caller that is such a process
    may do it itself. Raises nothing for a bad problem; see `Shrunk.why`."""
    key = hashlib.sha256(
        json.dumps([_VERSION, source, asdict(scale)]).encode()
    ).hexdigest()[:24]  # fmt: skip
    if key in _REMEMBERED:
        return _REMEMBERED[key]
    stored = cache / f"{key}.json" if cache else None
    if stored is not None and stored.is_file():
        found = _from_json(json.loads(stored.read_text(encoding="utf-8")))
    else:
        found = _shrink_apart(source, scale) if apart else shrink_here(source, scale)
        if stored is not None:
            stored.parent.mkdir(parents=True, exist_ok=True)
            stored.write_text(json.dumps(asdict(found)), encoding="utf-8")
    _REMEMBERED[key] = found
    return found


def _from_json(data: Mapping[str, Any]) -> Shrunk:
    return Shrunk(**{**data, "changed": tuple(data["changed"])})


def _shrink_apart(source: str, scale: Scale) -> Shrunk:
    # A fork would do but for torch's threads, which a child of a busy process waits for.
    command = [sys.executable, "-m", "bench.kernelbench.shrink"]
    given = json.dumps({"source": source, "scale": asdict(scale)})
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_WALL_S,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Shrunk(source, why=f"not shrunk in {_WALL_S:g} s")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Shrunk(source, why=f"exit code {done.returncode}: {last[:200]}")
    return _from_json(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """One problem as JSON from standard input, the answer as JSON on the last line."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    given = json.load(sys.stdin)
    found = shrink_here(given["source"], Scale(**given["scale"]))
    print("\n" + json.dumps(asdict(found)))


def shrink_here(source: str, scale: Scale) -> Shrunk:
    """The same in this process, without limits."""
    from bench.kernelbench.footprint import NotModelled

    try:
        sizes = _Sizes(source)
    except NotModelled as error:
        return Shrunk(source, why=str(error))
    except Exception as error:
        return Shrunk(source, why=f"{type(error).__name__}: {str(error)[:200]}")
    aim, best, tried = scale, None, set()
    for _ in range(_TRIALS):
        exponents = sizes.search(aim)
        if tuple(exponents.values()) in tried:
            break
        tried.add(tuple(exponents.values()))
        found = sizes.outcome(exponents, scale)
        best = found if best is None or _better(found, best, scale) else best
        if found.fits or not found.runs:
            break
        middle = math.sqrt(max(scale.floor_s, scale.ceiling_s / 100) * scale.ceiling_s)
        factor = min(16.0, max(1 / 16, middle / max(found.measured_s, 1e-6)))
        aim = replace(
            aim,
            target_s=aim.target_s * factor,
            held_bytes=int(scale.held_bytes * min(_MORE_HELD, max(1.0, factor))),
        )
    assert best is not None
    return best


def _better(one: Shrunk, other: Shrunk, scale: Scale) -> bool:
    def distance(found: Shrunk) -> float:
        if not found.runs:
            return float("inf")
        over = max(1.0, found.measured_s / scale.ceiling_s)
        under = max(1.0, scale.floor_s / max(found.measured_s, 1e-9))
        return over * under

    return distance(one) < distance(other)


class _Sizes:
    """A problem's size constants by kind. Raises NotModelled, or what the text raises."""

    def __init__(self, source: str) -> None:
        from bench.kernelbench.footprint import footprint

        self.source = source
        self.original = footprint(source)
        self.kinds = dict(_classified(source))
        self._known: dict[tuple[int, ...], Footprint | None] = {}

    def search(self, scale: Scale) -> dict[Kind, int]:
        """How often each kind is halved."""
        exponents: dict[Kind, int] = {"batch": 0, "space": 0, "feature": 0, "width": 0}
        for kind, least in _DESCENT:
            while not self._fits(exponents, scale) and self._least(exponents, kind) > least:
                step = self._lower(exponents, kind)
                if step is None:
                    break
                exponents = step
        for kind in _ASCENT:
            while exponents[kind] > 0:
                larger = {**exponents, kind: exponents[kind] - 1}
                if not self._fits(larger, scale):
                    break
                exponents = larger
        return exponents

    def outcome(self, exponents: Mapping[Kind, int], scale: Scale) -> Shrunk:
        values = self._values(exponents)
        source = replaced(self.source, values)
        changed = tuple(f"{site.name or '…'}: {site.value} → {new}" for site, new in values.items())
        modelled = self._footprint(exponents)
        assert modelled is not None
        if modelled.held > 16 * scale.held_bytes or modelled.seconds > 400 * scale.target_s:
            why = f"not smaller than {modelled.held >> 20} MiB, {modelled.seconds:.3g} s modelled"
            return Shrunk(self.source, changed, modelled.seconds, why=why)
        try:
            measured = _trial(source, scale)
        except Exception as error:
            why = f"{type(error).__name__}: {str(error)[:200]}"
            return Shrunk(self.source, changed, modelled.seconds, why=why)
        fits = scale.floor_s <= measured <= scale.ceiling_s
        return Shrunk(source, changed, modelled.seconds, measured, fits)

    def _lower(self, exponents: Mapping[Kind, int], kind: Kind) -> dict[Kind, int] | None:
        """The next smaller one of this kind that runs; up to three halvings are skipped. Where
        none runs, sizes of another kind are tied to these, and go down with them."""
        for others in _TOGETHER[kind]:
            for more in (1, 2, 3):
                smaller = {**exponents, kind: exponents[kind] + more}
                if self._values(smaller) == self._values({**smaller, kind: smaller[kind] - 1}):
                    break
                for other in others:
                    smaller[other] += more
                if self._footprint(smaller) is not None:
                    return smaller
        return None

    def _fits(self, exponents: Mapping[Kind, int], scale: Scale) -> bool:
        found = self._footprint(exponents)
        if found is None:
            return False
        # Smaller sizes do not help against the number of operations.
        many = found.work <= scale.target_s / 4 and found.seconds <= 4 * scale.target_s
        return (
            (many or found.seconds <= scale.target_s)
            and found.held <= scale.held_bytes
            and found.largest <= _LARGEST_OPERATION * scale.held_bytes
        )

    def _least(self, exponents: Mapping[Kind, int], kind: Kind) -> int:
        values = self._values(exponents)
        sites = [s for s, k in self.kinds.items() if k == kind]
        # Numbers that were small to begin with stay where they are and bound nothing.
        large = [s for s in sites if s.value > _SMALL] or sites
        return min((values.get(s, s.value) for s in large), default=0)

    def _values(self, exponents: Mapping[Kind, int]) -> dict[Site, int]:
        changed = {}
        for site, kind in self.kinds.items():
            new = _divided(site.value, exponents[kind], kind)
            if new != site.value:
                changed[site] = new
        return changed

    def _footprint(self, exponents: Mapping[Kind, int]) -> Footprint | None:
        """None where the problem does not run at these sizes, or a size became 1."""
        from bench.kernelbench.footprint import NotModelled, footprint

        key = tuple(exponents.values())
        if not any(key):
            return self.original
        if key not in self._known:
            try:
                found = footprint(
                    replaced(self.source, self._values(exponents)), self.original.plain
                )
            except (NotModelled, SyntaxError):
                self._known[key] = None
            else:
                self._known[key] = found if found.units <= self.original.units else None
        return self._known[key]


def _divided(value: int, times: int, kind: Kind) -> int:
    """Halved so often; odd numbers go to the nearest below. Small ones stop."""
    least = _SMALL if kind == "feature" else 2
    for _ in range(times):
        if value // 2 < least:
            break
        value //= 2
    return value


def _classified(source: str) -> Iterator[tuple[Site, Kind]]:
    """The constants that decide shapes, each with its kind."""
    from bench.kernelbench.footprint import shapes

    shapes_before, init_before = shapes(source)
    sites = size_sites(source)
    outer = [site for site in sites if site.place != "class"]
    for site in outer:
        other = site.value + 1
        try:
            shapes_after, init_after = shapes(replaced(source, {site: other}))
        except Exception:
            # What cannot be changed alone is tied to others by value.
            shapes_after, init_after = shapes_before, init_before
        places = [
            (index, dim)
            for index, (old, new) in enumerate(zip(shapes_before, shapes_after))
            for dim in range(max(len(old), len(new)))
            if old[dim : dim + 1] != new[dim : dim + 1]
        ]
        in_init = repr(init_before) != repr(init_after)
        kind = _kind(site, places, in_init, shapes_before)
        if kind == "feature" and not places and _is_structure(source, site):
            continue
        if kind is not None:
            yield site, kind
    for site in sites:
        is_count = site.value <= _MAYBE_COUNT and _IS_COUNT.search(site.name)
        if site.place == "class" and not is_count and not _IS_SPACE.search(site.name):
            yield site, "width"


def _kind(
    site: Site, places: list[tuple[int, int]], in_init: bool, shapes: list[tuple[int, ...]]
) -> Kind | None:
    if not places and not in_init:
        return None
    if places:
        if _IS_BATCH.search(site.name):
            return "batch"
        leads = {dim for _, dim in places} == {0} and len(places) == len(shapes)
        if leads and not in_init and not site.name and len(shapes[0]) > 1:
            return "batch"
        if site.value <= _SMALL and in_init:
            return None
        if in_init and not _IS_SPACE.search(site.name):
            return "feature"
        return "space"
    if site.value <= _SMALL:
        return None
    if site.value <= _MAYBE_COUNT and _IS_COUNT.search(site.name):
        return None
    if _IS_BATCH.search(site.name):
        return "batch"
    return "space" if _IS_SPACE.search(site.name) else "feature"


def _is_structure(source: str, site: Site) -> bool:
    """Whether the number decides what the layers are rather than how wide: their kernel sizes,
    groups, heads, or how many there are."""
    if site.value > _MAYBE_COUNT:
        return False
    try:
        return _structure(source) != _structure(replaced(source, {site: site.value // 2}))
    except Exception:
        return bool(_IS_COUNT.search(site.name))


def _structure(source: str) -> list[Any]:
    import torch

    from bench.kernelbench.subjects import model_of, namespace

    with torch.device("meta"):
        model = model_of(namespace(source))
    return [
        (type(m).__name__, [repr(getattr(m, name, None)) for name in _STRUCTURE])
        for m in model.modules()
    ]


def _trial(source: str, scale: Scale) -> float:
    """The least processor seconds of three forwards on one thread: what else the machine does
    must not decide. Raises what the text raises."""
    import time

    import torch

    from bench.kernelbench.subjects import inputs_of, model_of, namespace

    space = namespace(source)
    model, inputs = model_of(space), inputs_of(space)
    spent = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for _ in range(4):
                started = time.process_time()
                model(*inputs)
                spent.append(time.process_time() - started)
                if sum(spent) > 20 * scale.ceiling_s:
                    break
    finally:
        torch.set_num_threads(threads)
    return min(spent[1:] or spent)


if __name__ == "__main__":
    main()
