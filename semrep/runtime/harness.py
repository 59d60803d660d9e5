"""How a source is run: which entry, with which arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Framework = Literal["torch", "jax", "numpy"]
Convention = Literal["given", "semrep_inputs", "kernelbench", "example", "annotations"]


@dataclass(frozen=True, slots=True)
class Harness:
    """How to run a source; found by `discover` or written by hand.

    entry: dotted name inside the file ("forward", "Model", "LigerRMSNormFunction.apply").
    inputs: a Python expression for the arguments, evaluated in the file's namespace joined
        with torch, np, jnp, the specs, randn and rand. A tuple is positional arguments, a
        dict is named ones, `arguments(...)` is both, a list is several cases.
    init: the same for the constructor's arguments where the entry is a class.
    framework: which arrays a spec becomes.
    device: "cpu" or "cuda".
    triton: the file (or what it imports) launches Triton kernels.
    path: where the text came from; relative imports and messages need it.
    convention: how the harness was found.
    """

    entry: str
    inputs: str
    init: str | None = None
    framework: Framework = "numpy"
    device: str = "cpu"
    triton: bool = False
    path: str | None = None
    convention: Convention = "given"

    @property
    def description(self) -> str:
        """One line for people: what is called, with what, and who said so."""
        origin = {
            "given": "as given",
            "semrep_inputs": "by semrep_inputs()",
            "kernelbench": "by get_inputs() and get_init_inputs()",
            "example": "by @example",
            "annotations": "by its annotations",
        }[self.convention]
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.entry} on {self.inputs} {origin}, {self.device}"

    def __str__(self) -> str:
        return self.description


@dataclass(frozen=True, slots=True)
class NoHarness:
    """Why the source cannot be run, and what its author can add."""

    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"
