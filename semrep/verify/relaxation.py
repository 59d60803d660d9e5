"""Which cases a contract's assumptions take out of the comparison."""

from __future__ import annotations

import re
from dataclasses import dataclass

from semrep.passes.contract import Contract
from semrep.verify.cases import Case


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Read from the words of `Contract.assumes`.

    A fact with the word finite (or NaN, infinity) lifts the cases that feed NaN and infinities;
    one with shape, size, divisible or rank lifts the cases of other shapes; one with
    contiguous, stride or layout lifts the strided case; one with gradient, inference or
    forward lifts the derivatives; one that begins with "parameters" allows other parameters.
    """

    special: bool
    shapes: bool
    layout: bool
    gradients: bool
    parameters: bool

    @classmethod
    def of(cls, contract: Contract) -> Relaxation:
        def says(pattern: str) -> bool:
            return any(re.search(pattern, fact, re.IGNORECASE) for fact in contract.assumes)

        return cls(
            special=says(r"\b(finite|nan|nans|infinit\w*)\b"),
            shapes=says(r"\b(shapes?|sizes?|divisible|rank)\b"),
            layout=says(r"\b(contiguous|strides?|layout)\b"),
            gradients=says(r"\b(gradients?|inference|forward)\b"),
            parameters=says(r"^parameters\b"),
        )

    def keeps(self, case: Case) -> bool:
        return not (
            (self.special and case.special)
            or (self.shapes and case.varies_shape)
            or (self.layout and case.strided)
            or (self.gradients and case.gradient)
        )

    @property
    def lifted(self) -> tuple[str, ...]:
        names = {
            "NaN and infinities": self.special,
            "other shapes": self.shapes,
            "other layouts": self.layout,
            "gradients": self.gradients,
            "equal parameter names": self.parameters,
        }
        return tuple(name for name, on in names.items() if on)
