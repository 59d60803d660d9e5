"""The cases a candidate is tried on: described as data, so that every process makes the same."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
    "nan",
    "inf",
]
Parameters = Literal["own", "perturbed", "integers"]
Effort = Literal["quick", "full", "paranoid"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """An array argument of a harness example, as far as planning needs it."""

    path: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One call to make: which harness example, with what in place of its values.

    shapes: new shapes by argument path, for the arguments that change. gradient: also compare
    the derivatives of the results. probing: an original that rejects this case is asked for
    the same rejection, and only so much of it.
    """

    name: str
    seed: int
    values: Values = "own"
    base: int = 0
    parameters: Parameters = "own"
    strided: bool = False
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    gradient: bool = False
    probing: bool = False

    def __str__(self) -> str:
        shapes = ", ".join(f"{path}: {list(shape)}" for path, shape in self.shapes)
        return f"{self.name} (seed {self.seed}{', ' + shapes if shapes else ''})"

    @property
    def special(self) -> bool:
        """Whether it feeds NaN or infinities."""
        return self.values in ("nan", "inf")

    @property
    def varies_shape(self) -> bool:
        return bool(self.shapes)


def plan(
    examples: Sequence[Sequence[Leaf]], *, effort: Effort, seed: int, stateful: bool
) -> tuple[Case, ...]:
    """The cases for these harness examples, most telling first.

    stateful: the entry belongs to a module with parameters, which some cases then change.
    The plan depends on its arguments alone.
    """
    made: list[Case] = []

    def add(name: str, **settings: object) -> None:
        number = len(made)
        case_seed = zlib.crc32(f"{seed}/{number}/{name}".encode())
        made.append(Case(name, case_seed, **settings))  # type: ignore[arg-type]

    perturbed: Parameters = "perturbed" if stateful else "own"
    integers: Parameters = "integers" if stateful else "own"
    for base, leaves in enumerate(examples):
        prefix = f"example {base + 1}: " if len(examples) > 1 else ""
        add(f"{prefix}example", base=base)
        if not leaves:
            continue
        first = base == 0
        floating = any("float" in leaf.dtype or "complex" in leaf.dtype for leaf in leaves)
        add(f"{prefix}normal", values="normal", base=base, parameters=perturbed)
        if floating:
            add(f"{prefix}integers", values="integers", base=base, parameters=integers)
        if not first:
            continue
        if floating:
            add("gradient", values="normal", parameters=perturbed, gradient=True)
            add("nan", values="nan")
            add("uniform ±10", values="uniform", parameters=perturbed)
            add("negative", values="negative")
        for name, shapes in _shape_variants(leaves):
            add(name, values="normal", shapes=shapes, probing=True, parameters=perturbed)
        if floating:
            add("inf", values="inf")
            add("strided", values="normal", strided=True, probing=True)
            add("zeros", values="zeros")
            add("small", values="small", parameters=perturbed)
            add("offset", values="offset")
            add("constant", values="constant")
            add("ramp", values="ramp")
            add("large", values="large")
    repeats = {"quick": 0, "full": 8, "paranoid": 48}[effort]
    kinds: tuple[Values, ...] = ("normal", "integers", "uniform", "negative")
    arrays = [base for base, leaves in enumerate(examples) if leaves]
    for number in range(repeats if arrays else 0):
        kind = kinds[number % len(kinds)]
        params = integers if kind == "integers" else perturbed
        base = arrays[number // len(kinds) % len(arrays)]
        add(f"{kind} again", values=kind, base=base, parameters=params)
    return tuple(made)


def reseeded(cases: Sequence[Case], seed: int) -> tuple[Case, ...]:
    """The same cases with values not drawn before."""
    return tuple(
        dataclasses.replace(case, seed=zlib.crc32(f"{seed}/{case.seed}".encode())) for case in cases
    )


def _shape_variants(
    leaves: Sequence[Leaf],
) -> list[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]]:
    """Other sizes for the same call. Equal sizes are taken to be one size, and change together.

    Sizes of 1 stay: they stand for broadcasting.
    """
    sizes = [n for leaf in leaves for n in leaf.shape if n > 1]
    if not sizes:
        return []
    lead = next((leaf.shape[0] for leaf in leaves if leaf.shape and leaf.shape[0] > 1), None)
    variants: list[tuple[str, dict[int, int]]] = []
    if lead is not None:
        variants.append((f"{lead} → 1", {lead: 1}))
        variants.append((f"{lead} → {min(lead + 1, 7)}", {lead: min(lead + 1, 7)}))
    others = [n for n in dict.fromkeys(sizes) if n != lead]
    for size in others[-1:]:
        odd = size - 1 if size > 2 else size + 1
        variants.append((f"{size} → {odd}", {size: odd}))
    made = []
    for name, change in variants:
        shapes = tuple(
            (leaf.path, tuple(change.get(n, n) for n in leaf.shape))
            for leaf in leaves
            if any(n in change for n in leaf.shape)
        )
        made.append((name, shapes))
    return made
