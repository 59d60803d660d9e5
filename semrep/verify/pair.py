"""Two programs, told apart or not: what `semrep verify` and `semrep.verify(f, g)` do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semrep.passes.contract import WITHIN_TOLERANCE, Contract, Numerics
from semrep.runtime import Harness, NoHarness, discover
from semrep.runtime.device import placed
from semrep.runtime.discovery import entry_like
from semrep.runtime.sanitizer import Tool
from semrep.verify.callables import as_source, harness_of
from semrep.verify.cases import Effort
from semrep.verify.minimise import minimised
from semrep.verify.verdict import Different, Verdict
from semrep.verify.verifier import Verifier

Program = str | bytes | Path | Callable[..., Any]


class NotRunnable(ValueError):
    """There is no way to run one of the two; the message says what to give."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sources, and how to run each. Made by `Pair.of`."""

    original: bytes
    candidate: bytes
    harness: Harness
    candidate_entry: str

    @classmethod
    def of(
        cls,
        original: Program,
        candidate: Program,
        inputs: Any = None,
        *,
        entry: str | None = None,
        candidate_entry: str | None = None,
        device: str = "auto",
    ) -> Pair:
        """Reads both. inputs: an expression (for files), or the arguments themselves (for
        callables): a tuple of them, or a list of tuples for several calls.

        Raises NotRunnable, TypeError for what cannot be copied, OSError.
        """
        if callable(original) or callable(candidate):
            if not (callable(original) and callable(candidate)):
                raise NotRunnable("give two callables, or two files or texts")
            if inputs is None:
                raise NotRunnable("callables need inputs=(...), a tuple of example arguments")
            harness = harness_of(original, inputs)
            other = harness_of(candidate, inputs)
            harness = replace(harness, triton=harness.triton or other.triton)
            harness = placed(harness, device)
            return cls(as_source(original, inputs), as_source(candidate), harness, harness.entry)
        source, path = _read(original)
        text, _ = _read(candidate)
        found = discover(source, path, entry, inputs)
        if isinstance(found, NoHarness):
            raise NotRunnable(f"the original cannot be run: {found}")
        called = candidate_entry or entry_like(text, found.entry)
        if isinstance(called, NoHarness):
            raise NotRunnable(f"the candidate cannot be run: {called}")
        triton = found.triton or b"triton" in text
        return cls(source, text, placed(replace(found, triton=triton), device), called)


def verify(
    original: Program,
    candidate: Program,
    inputs: Any = None,
    *,
    entry: str | None = None,
    candidate_entry: str | None = None,
    contract: Contract | None = None,
    strict: bool = False,
    effort: Effort = "quick",
    seed: int = 0,
    timeout_s: float = 60.0,
    device: str = "auto",
    sanitizer: Tool | None = None,
    progress: Callable[[str], None] | None = None,
) -> Verdict:
    """Whether `candidate` may stand in for `original`, by running both on the same inputs.

    original, candidate: two paths or source texts, or two callables (functions, lambdas,
    `torch.nn.Module` instances). inputs: example arguments; for files an expression such as
    "(f32(64, 512),)", or None where the original's file says how it is run. contract: what the
    candidate promises; by default agreement within an error budget taken from the original's
    own distance to float64. strict: the candidate must also accept every shape, dtype and
    layout that the original accepts, and raise where that raises; otherwise what it rejects
    with an error is listed in `Equivalent.narrower`. effort: "quick", "full" or "paranoid".
    device: "cpu", "cuda", or "auto" for a GPU where there is one. sanitizer: on a GPU, also run the
    candidate under this tool of compute-sanitizer ("memcheck", "racecheck", ...).

    `Different` carries the smallest counterexample found and a script that shows it.
    Raises NotRunnable, TypeError (a callable that cannot be copied) and OSError.
    """
    pair = Pair.of(
        original, candidate, inputs, entry=entry, candidate_entry=candidate_entry, device=device
    )
    promised = contract or WITHIN_TOLERANCE
    if not strict:
        lax = promised.preserves - {"exceptions"}
        promised = Contract(promised.numerics, promised.assumes, lax)
    own_parameters = False
    while True:
        with Verifier(
            pair.original,
            pair.harness,
            effort=effort,
            seed=seed,
            timeout_s=timeout_s,
            candidate_entry=pair.candidate_entry,
            own_parameters=own_parameters,
            requires_coverage=False,
            sanitizer=sanitizer if pair.harness.device != "cpu" else None,
            progress=progress,
        ) as verifier:
            verdict = verifier.check(pair.candidate, promised)
            if isinstance(verdict, Different):
                if verdict.other_parameters and not strict and not own_parameters:
                    # Another module may name its parameters otherwise, and draw the same ones.
                    own_parameters = True
                    continue
                if progress is not None:
                    progress("looking for a smaller counterexample")
                verdict = minimised(verifier, pair.candidate, verdict, promised)
            return verdict


def contract_named(name: str) -> Contract:
    """The contract of this grade ("bitwise", "reassociates", "within-tolerance")."""
    grades = {str(grade): grade for grade in Numerics}
    if name not in grades:
        raise ValueError(f"no contract is named {name!r}; there are {', '.join(grades)}")
    return Contract(grades[name])


def _read(program: Any) -> tuple[bytes, str | None]:
    if isinstance(program, bytes):
        return program, None
    if isinstance(program, Path) or "\n" not in program:
        return Path(program).read_bytes(), str(program)
    return program.encode(), None
