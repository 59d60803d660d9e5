"""Whether integers can satisfy linear inequalities at all: what a test of dependence asks.

Fourier and Motzkin's elimination, over rational numbers: what has no rational solution has no
integer one (Schrijver, Theory of Linear and Integer Programming, 1986, section 12.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

from semrep.passes.array.affine import Affine, Atom

_MOST = 400


def is_impossible(nonnegative: Iterable[Affine]) -> bool:
    """Whether no integers make all of these sums >= 0. False where it is not found out."""
    rows = {_reduced(row) for row in nonnegative}
    while True:
        if any(row.is_constant and row.constant < 0 for row in rows):
            return True
        rows = {row for row in rows if not row.is_constant}
        atom = _cheapest(rows)
        if atom is None:
            return False
        above = [row for row in rows if row.factor(atom) > 0]
        below = [row for row in rows if row.factor(atom) < 0]
        rest = {row for row in rows if not row.factor(atom)}
        if len(above) * len(below) + len(rest) > _MOST:
            return False
        for low in above:
            for high in below:
                joined = low.scaled(-high.factor(atom)) + high.scaled(low.factor(atom))
                rest.add(_reduced(joined))
        rows = rest


def _cheapest(rows: set[Affine]) -> Atom | None:
    """The integer whose elimination leaves the fewest inequalities."""
    counts: dict[Atom, list[int]] = {}
    for row in rows:
        for atom, factor in row.terms.items():
            counts.setdefault(atom, [0, 0])[factor > 0] += 1
    return min(counts, key=lambda a: (counts[a][0] * counts[a][1], a.text), default=None)


def _reduced(row: Affine) -> Affine:
    """The inequality divided by what its factors share; its constant rounds down, for the sum
    of the others is a multiple of that."""
    shared = gcd(*row.terms.values()) if row.terms else 1
    if shared <= 1:
        return row
    return Affine([(a, f // shared) for a, f in row.terms.items()], row.constant // shared)
