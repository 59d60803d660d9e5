"""The cases a candidate is tried on: described as data, so that every process makes the same."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Values = Literal[
    "own",
    "normal",
    "uniform",
    "offset",
    "small",
    "negative",
    "constant",
    "ramp",
    "zeros",
    "integers",
    "large",
    "huge",
    "subnormal",
    "nan",
    "inf",
]
Parameters = Literal["own", "perturbed", "integers"]
Layout = Literal["own", "strided", "transposed", "offset", "expanded", "negative"]
Effort = Literal["quick", "full", "paranoid"]

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
DRAWS: dict[Effort, int] = {"quick": 16, "full": 512, "paranoid": 3000}
"""Independent random draws by effort: what the confidence statement counts."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """An array argument of a harness example, as far as planning needs it."""

    path: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One call to make: which harness example, with what in place of its values.

    shapes: new shapes by argument path, for the arguments that change; ranked: some of them
    have another number of dimensions. dtype: of the floating arguments and state in place of
    their commonest. layout: how the arrays lie in memory. alias: two argument paths that are
    given one array. literal: elements written out, by path. plain: other values
    of arguments that are no arrays, by path. gradient: also compare the
    derivatives of the results. probing: the harness did not ask for this; the original was
    seen to accept it. rejected: the original was seen to raise. repeat: the call is made twice
    on the same arrays, with other values the first time, and with
    other weights where gradients are recorded. other_memory: what is allocated
    and not written holds other values. other_order: programs of a kernel run in another one.
    guarded: the arguments lie against pages that nobody may touch. recorded: torch records
    what gradients need, as it does unless it is told not to.
    configuration: of every autotuner. twin: the case that differs from this one in nothing
    that may show. draw: one of the independent draws, told apart by its seed alone.
    screening: among the few that every candidate of a search is tried on.
    """

    name: str
    seed: int
    values: Values = "own"
    base: int = 0
    parameters: Parameters = "own"
    layout: Layout = "own"
    dtype: str = ""
    shapes: Shapes = ()
    ranked: bool = False
    alias: tuple[str, str] | None = None
    literal: tuple[tuple[str, tuple[float, ...]], ...] = ()
    plain: tuple[tuple[str, Any], ...] = ()
    gradient: bool = False
    probing: bool = False
    rejected: bool = False
    repeat: bool = False
    other_memory: bool = False
    other_order: bool = False
    guarded: bool = False
    recorded: bool = True
    configuration: int = 0
    twin: str = ""
    draw: bool = False
    screening: bool = False

    def __str__(self) -> str:
        details = [f"seed {self.seed}"]
        details += [f"{path}: {list(shape)}" for path, shape in self.shapes]
        return f"{self.name} ({', '.join(details)})"

    @property
    def special(self) -> bool:
        """Whether it feeds NaN or infinities."""
        return self.values in ("nan", "inf")

    @property
    def varies_size(self) -> bool:
        return bool(self.shapes) and not self.ranked


@dataclass(frozen=True, slots=True)
class Domain:
    """What the original was seen to accept beyond its examples.

    accepted, rejected: variants of the first example, most telling first; tried: how many.
    symbols: the dimensions that must be equal, as groups of "path.axis" with their size.
    configurations: of the autotuner with most of them. unknown: why nothing of this was found out.
    """

    accepted: tuple[Case, ...] = ()
    rejected: tuple[Case, ...] = ()
    tried: int = 0
    symbols: tuple[tuple[int, tuple[str, ...]], ...] = ()
    configurations: int = 1
    unknown: str = ""


def named_seed(seed: int, name: str) -> int:
    return zlib.crc32(f"{seed}/{name}".encode())


def plan(
    examples: Sequence[Sequence[Leaf]],
    domain: Domain,
    *,
    effort: Effort,
    seed: int,
    stateful: bool,
    triton: bool = False,
    mutable: bool = True,
) -> tuple[Case, ...]:
    """The cases for these harness examples, most telling first.

    stateful: the entry belongs to a module with parameters, which some cases then change.
    mutable: arrays can be written to (not jax). The plan depends on its arguments alone.
    """
    made: list[Case] = []

    def add(name: str, **settings: Any) -> None:
        made.append(Case(name, named_seed(seed, f"{len(made)}/{name}"), **settings))

    perturbed: Parameters = "perturbed" if stateful else "own"
    integers: Parameters = "integers" if stateful else "own"
    screen = {"screening": True}
    for base, leaves in enumerate(examples):
        prefix = f"example {base + 1}: " if len(examples) > 1 else ""
        add(f"{prefix}example", base=base, **screen)
        if not leaves:
            continue
        floating = any("float" in leaf.dtype or "complex" in leaf.dtype for leaf in leaves)
        add(f"{prefix}normal", values="normal", base=base, parameters=perturbed, **screen)
        if floating:
            add(f"{prefix}integers", values="integers", base=base, parameters=integers, **screen)
    leaves = examples[0] if examples else ()
    floating = any("float" in leaf.dtype or "complex" in leaf.dtype for leaf in leaves)
    first_normal = f"{'example 1: ' if len(examples) > 1 else ''}normal"
    if floating:
        add("gradient", values="normal", parameters=perturbed, gradient=True, **screen)
        add("nan", values="nan", **screen)
        # Two calls as inference makes them, whose weights differ: code may branch on that.
        add("uniform ±10", values="uniform", parameters=perturbed, recorded=False, **screen)
        add("negative", values="negative", **screen)
    sizes = [case for case in domain.accepted if case.varies_size]
    others = [case for case in domain.accepted if not case.varies_size]
    for number, case in enumerate(sizes):
        settings = dataclasses.asdict(case)
        settings |= {"parameters": perturbed, "screening": number < 5}
        settings.pop("seed")
        add(settings.pop("name"), **settings)
    if leaves:
        twin = next(c for c in made if c.name == first_normal)
        # The very inputs of its twin: whatever differs then, differs by what is compared.
        changed: dict[str, dict[str, Any]] = {"other memory": {"other_memory": True}}
        if triton:
            changed["other order"] = {"other_order": True}
        for name, settings in changed.items():
            made.append(
                dataclasses.replace(twin, name=name, twin=twin.name, screening=triton, **settings)
            )
        for number in range(1, domain.configurations):
            made.append(
                dataclasses.replace(
                    twin, name=f"configuration {number + 1}", configuration=number,
                    twin="", screening=False,
                )
            )  # fmt: skip
    if floating:
        add("inf", values="inf", **screen)
        add("zeros", values="zeros", **screen)
        add("small", values="small", parameters=perturbed, recorded=False, **screen)
        add("offset", values="offset", **screen)
    for case in others:
        settings = dataclasses.asdict(case)
        telling = case.layout in ("strided", "transposed") or bool(case.plain and not leaves)
        settings |= {"parameters": perturbed, "screening": telling}
        settings.pop("seed")
        add(settings.pop("name"), **settings)
    if leaves and mutable:
        add("again", values="normal", parameters=perturbed, repeat=True)
        if stateful:
            add("inference", values="normal", parameters=perturbed, repeat=True, recorded=False)
        add("guarded", values="normal", parameters=perturbed, guarded=True)
    if floating:
        add("constant", values="constant", **screen)
        add("ramp", values="ramp", **screen)
        add("large", values="large", **screen)
        add("huge", values="huge")
        add("subnormal", values="subnormal")
    made.extend(
        dataclasses.replace(case, seed=named_seed(seed, case.name)) for case in domain.rejected
    )
    kinds: tuple[Values, ...] = ("normal", "integers", "uniform", "negative")
    arrays = [base for base, leaves in enumerate(examples) if leaves]
    for number in range(DRAWS[effort] if arrays else 0):
        kind = kinds[number % len(kinds)]
        params = integers if kind == "integers" else perturbed
        base = arrays[number // len(kinds) % len(arrays)]
        add(f"{kind} {number + 1}", values=kind, base=base, parameters=params, draw=True)
    return tuple(made)
