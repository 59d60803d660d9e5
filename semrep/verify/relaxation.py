"""Which cases a contract's assumptions take out of the comparison."""

from __future__ import annotations

import re
from dataclasses import dataclass

from semrep.passes.contract import Contract
from semrep.verify.cases import Case

# Words of an assumption, and the kinds of cases they take out.
_WORDS = {
    "NaN and infinities": r"\b(finite|nan|nans|infinit\w*)\b",
    "other shapes": r"\b(shapes?|sizes?|divisible|rank)\b",
    "other ranks": r"\b(ranks?|shapes?)\b",
    "other element types": r"\b(element types?|dtypes?)\b",
    "other layouts": r"\b(contiguous|strides?|layouts?)\b",
    "shared arguments": r"\b(alias\w*|shared arguments)\b",
    "other plain arguments": r"\b(plain arguments|constants as given)\b",
    "gradients": r"\b(gradients?|inference|forward)\b",
    "equal parameter names": r"^parameters\b",
    "magnitudes near overflow": r"\boverflows?\b",
    "changed weights": r"\bweights never change\b",
    "rejected calls": r"\b(rejected calls|errors|exceptions)\b",
}


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Read from the words of `Contract.assumes`; see `lifted` for the kinds there are."""

    lifted: tuple[str, ...]

    @classmethod
    def of(cls, contract: Contract) -> Relaxation:
        return cls(
            tuple(
                kind
                for kind, pattern in _WORDS.items()
                if any(re.search(pattern, fact, re.IGNORECASE) for fact in contract.assumes)
            )
        )

    @property
    def parameters(self) -> bool:
        """Whether the candidate may have other parameters."""
        return "equal parameter names" in self.lifted

    @property
    def inference(self) -> bool:
        """Whether nobody asks for derivatives."""
        return "gradients" in self.lifted

    def keeps(self, case: Case) -> bool:
        kinds = {
            "NaN and infinities": case.special,
            "other shapes": case.varies_size,
            "other ranks": case.ranked,
            "other element types": bool(case.dtype),
            "other layouts": case.layout != "own",
            "shared arguments": case.alias is not None,
            "other plain arguments": bool(case.plain),
            "gradients": case.gradient,
            "magnitudes near overflow": case.values == "huge",
            "changed weights": case.parameters != "own" or bool(case.dtype),
            "rejected calls": case.rejected,
        }
        return not any(kinds.get(kind, False) for kind in self.lifted)
