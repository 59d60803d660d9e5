"""Asks Triton's front end about the kernels that the interpreter has run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from semrep.runtime.harness import Harness
from semrep.runtime.limits import Limits
from semrep.runtime.session import Session
from semrep.runtime.worker import Done
from semrep.verify.cases import Case
from semrep.verify.original import Original
from semrep.verify.verdict import Different

_MOST_CASES = 24


class FrontEnd:
    """Compiles what one original launches, once, and what its candidates launch."""

    def __init__(self, original: Original, seed: int, limits: Limits) -> None:
        self._original = original
        self._seed = seed
        self._limits = limits

    @cached_property
    def _session(self) -> Session:
        return Session(
            self._original.source,
            self._original.harness,
            seed=self._seed,
            limits=self._limits,
            compiles=True,
        )

    def close(self) -> None:
        """Ends the worker, where one was needed."""
        if "_session" in self.__dict__:
            self._session.close()

    def judge(
        self, candidate: bytes, harness: Harness, cases: Sequence[Case]
    ) -> Different | str | None:
        """A kernel of the candidate that does not compile, where the original's all do; a note
        where the original's cannot be compiled here; None where all is well."""
        why = self._why_not
        if why is not None:
            return f"kernels were not compiled: {why}"
        chosen = _chosen(cases)
        found = self._compile(candidate, "candidate", harness, chosen)
        if found is None or "error" in found:
            # It loads and runs in the interpreter; what fails here is not its kernels.
            return "kernels were not compiled: the candidate does not load without the interpreter"
        if found["refused"] is None:
            return None
        kernel, message, number = found["refused"]
        return Different(f"kernel {kernel} does not compile: {message}", case=chosen[number])

    @cached_property
    def _why_not(self) -> str | None:
        cases = _chosen(self._original.planned(self._seed))
        found = self._compile(self._original.source, "original", self._original.harness, cases)
        if found is None:
            return "the original takes too long without the interpreter"
        if "error" in found:
            return f"the original does not load without the interpreter: {found['error']['type']}"
        if found["refused"] is not None:
            kernel, message, _ = found["refused"]
            return f"the original's {kernel} does not compile: {message}"
        return None if found["launches"] else "the original launches none without the interpreter"

    def _compile(
        self, source: bytes, label: str, harness: Harness, cases: Sequence[Case]
    ) -> Mapping[str, Any] | None:
        facts = self._original.facts
        done = self._session.run(
            "semrep.verify.compilation:compile_cases",
            source,
            label,
            harness,
            tuple(cases),
            facts["examples"],
            facts["state"],
            self._session.seed,
            facts["init"],
        )
        return done.value if isinstance(done, Done) else None


def _chosen(cases: Sequence[Case]) -> list[Case]:
    """What makes launches differ: sizes, layouts, dtypes and gradients, but not values."""
    telling = [case for case in cases if not (case.draw or case.rejected)]
    return telling[:_MOST_CASES]
