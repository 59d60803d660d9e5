"""What a pass promises about numerics. The verifier enforces exactly this promise."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field


class Numerics(enum.IntEnum):
    """Grades of numeric agreement, strongest first; a larger value promises less."""

    BITWISE = 0
    REASSOCIATES = 1
    WITHIN_TOLERANCE = 2

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Contract:
    """The promise of one rewrite, or of a whole pipeline.

    numerics: how closely results agree (BITWISE: every bit; REASSOCIATES: a different
        order of the same exact sums, so exact on small integers; WITHIN_TOLERANCE: other
        elementary functions of the same value).
    assumes: facts beyond the text that must hold, in words ("b has rank 2 on every call").
    preserves: what beyond the results stays as it was.
    """

    numerics: Numerics = Numerics.BITWISE
    assumes: frozenset[str] = frozenset()
    preserves: frozenset[str] = field(
        default=frozenset({"shape", "dtype", "exceptions", "side-effects"})
    )

    def assuming(self, *facts: str) -> Contract:
        return Contract(self.numerics, self.assumes | frozenset(facts), self.preserves)

    def __str__(self) -> str:
        extra = f" assuming {'; '.join(sorted(self.assumes))}" if self.assumes else ""
        return f"{self.numerics}{extra}"


OBSERVED = "ranks, element types and layer settings are those of the observed run"
"""What a rewrite assumes that goes by the types that one run showed."""

BITWISE = Contract(Numerics.BITWISE)
REASSOCIATES = Contract(Numerics.REASSOCIATES)
WITHIN_TOLERANCE = Contract(Numerics.WITHIN_TOLERANCE)


def weakest(contracts: Iterable[Contract]) -> Contract:
    """The promise that a sequence of rewrites keeps: the weakest grade, all assumptions."""
    result = BITWISE
    for contract in contracts:
        result = Contract(
            max(result.numerics, contract.numerics),
            result.assumes | contract.assumes,
            result.preserves & contract.preserves,
        )
    return result
