"""Sums of integer variables with integer factors: what subscripts and bounds of loops are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Atom:
    """An integer that does not change while a loop runs, or a loop's counter.

    key: the same for two atoms only where they are the same integer. text: how the code writes
    it. least: no value is below. seen: its value in the observed call. floor: where it is a
    quotient, rounded down: of what and by what.
    """

    key: Hashable
    text: str = field(compare=False)
    least: int | None = field(default=None, compare=False)
    seen: int | None = field(default=None, compare=False)
    floor: tuple[Affine, int] | None = field(default=None, compare=False)


class Affine:
    """constant + Σ factor · atom. Immutable; equal where the terms are."""

    __slots__ = ("constant", "terms")

    def __init__(self, terms: Iterable[tuple[Atom, int]] = (), constant: int = 0) -> None:
        merged: dict[Atom, int] = {}
        for atom, factor in terms:
            merged[atom] = merged.get(atom, 0) + factor
        self.terms = {atom: factor for atom, factor in merged.items() if factor}
        self.constant = constant

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.terms.items(), self.constant + other)
        return Affine([*self.terms.items(), *other.terms.items()], self.constant + other.constant)

    def __sub__(self, other: Affine | int) -> Affine:
        return self + (-other if isinstance(other, int) else other.scaled(-1))

    def scaled(self, by: int) -> Affine:
        return Affine([(a, f * by) for a, f in self.terms.items()], self.constant * by)

    def factor(self, atom: Atom) -> int:
        return self.terms.get(atom, 0)

    def without(self, atom: Atom) -> Affine:
        return Affine([(a, f) for a, f in self.terms.items() if a != atom], self.constant)

    def replaced(self, atom: Atom, value: Affine) -> Affine:
        return self.without(atom) + value.scaled(self.factor(atom))

    @property
    def is_constant(self) -> bool:
        return not self.terms

    @property
    def seen(self) -> int | None:
        """The value in the observed call, where all atoms have one."""
        total = self.constant
        for atom, factor in self.terms.items():
            if atom.seen is None:
                return None
            total += factor * atom.seen
        return total

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Affine)
            and self.constant == other.constant
            and self.terms == other.terms
        )

    def __hash__(self) -> int:
        return hash((self.constant, frozenset(self.terms.items())))

    @property
    def text(self) -> str:
        """Python for the value: positive terms first, a constant last."""
        parts: list[str] = []
        for atom, factor in sorted(self.terms.items(), key=lambda t: t[1] < 0):
            sign = "-" if factor < 0 else "+"
            size = abs(factor)
            name = f"({atom.text})" if atom.floor is not None and size != 1 else atom.text
            word = name if size == 1 else f"{size} * {name}"
            parts.append(f" {sign} {word}" if parts else f"{'-' if factor < 0 else ''}{word}")
        if self.constant or not parts:
            sign = "-" if self.constant < 0 else "+"
            parts.append(f" {sign} {abs(self.constant)}" if parts else str(self.constant))
        return "".join(parts)

    @property
    def is_sum(self) -> bool:
        """Whether the text binds less tightly than a name."""
        return len(self.terms) + bool(self.constant) > 1 or any(f != 1 for f in self.terms.values())

    def __repr__(self) -> str:
        return f"<{self.text}>"


def quotient(of: Affine, by: int) -> Atom:
    """`of // by`, for `by` > 0."""
    text = f"({of.text}) // {by}" if of.is_sum else f"{of.text} // {by}"
    least = 0 if all(f > 0 and a.least is not None for a, f in of.terms.items()) else None
    if least is not None:
        least = (of.constant + sum(f * (a.least or 0) for a, f in of.terms.items())) // by
    seen = of.seen // by if of.seen is not None else None
    return Atom(("quotient", of, by), text, least, seen, (of, by))


def _without_quotients(value: Affine) -> Affine:
    """No more than the value: by * (of // by) lies above of - by and not above of."""
    for atom, factor in value.terms.items():
        if atom.floor is not None and factor % atom.floor[1] == 0:
            of, by = atom.floor
            edge = of if factor < 0 else of + 1 - by
            value = value.without(atom) + edge.scaled(factor // by)
    return value


@dataclass(frozen=True, slots=True)
class Bounds:
    """The values of a counter while its loop runs: least <= counter < end, in either
    direction. step: as the loop has it, never 0."""

    counter: Atom
    least: Affine
    end: Affine
    step: int = 1


class Prover:
    """Inequalities of integers under loops that are running.

    loops: outermost first; bounds of inner ones may name the counters of outer ones.
    """

    _DEPTH = 3

    def __init__(self, loops: Iterable[Bounds]) -> None:
        self.loops = list(loops)
        self._runs = [b.end - b.least - 1 for b in self.loops]
        """None of these is negative, for otherwise no iteration would be running."""

    def is_nonnegative(self, value: Affine, *, as_observed: bool = False) -> bool:
        """Whether a value is >= 0 for certain; as_observed: or at least in the observed call,
        whatever the iteration."""
        for loop in reversed(self.loops):
            factor = value.factor(loop.counter)
            if factor:
                edge = loop.least if factor > 0 else loop.end - 1
                value = value.replaced(loop.counter, edge)
        return self._holds(value, self._DEPTH, as_observed) or self._holds(
            _without_quotients(value), self._DEPTH, as_observed
        )

    def _holds(self, value: Affine, depth: int, as_observed: bool) -> bool:
        if all(f > 0 and a.least is not None for a, f in value.terms.items()):
            if value.constant + sum(f * (a.least or 0) for a, f in value.terms.items()) >= 0:
                return True
        if as_observed and (seen := value.seen) is not None and seen >= 0:
            return True
        if depth:
            for run in self._runs:
                if any(a in value.terms for a in run.terms) and not any(
                    run.factor(b.counter) for b in self.loops
                ):
                    if self._holds(value - run, depth - 1, as_observed):
                        return True
        return False

    def is_positive(self, value: Affine, *, as_observed: bool = False) -> bool:
        return self.is_nonnegative(value - 1, as_observed=as_observed)
