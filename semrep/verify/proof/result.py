"""What an attempt to prove two programs equal came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proof:
    """The two programs mean the same for all inputs.

    theory: what the proof is in, and what it is for. steps: the equalities that were needed, as
    "line 4 `i < n` = line 4 `n > i`"; empty where the programs have the same syntax tree.
    """

    theory: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        return f"proved in {self.theory} ({len(self.steps)} steps)"


@dataclass(frozen=True, slots=True)
class Unproved:
    """No proof was found. That says nothing about whether the programs differ.

    counterexample: values of the symbols in the last open equality for which its sides differ,
    where the solver gave some. They need not be reachable.
    """

    reason: str
    counterexample: str = ""

    def __str__(self) -> str:
        example = f" ({self.counterexample})" if self.counterexample else ""
        return f"unproved: {self.reason}{example}"


class Refused(Exception):
    """Raised inside this package where a proof attempt ends; `prove` turns it into `Unproved`."""

    def __init__(self, reason: str, counterexample: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.counterexample = counterexample
