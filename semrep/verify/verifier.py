"""Verifies candidates against one original: baseline once, then a fresh process for each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

from semrep.ir.signature import Signature
from semrep.passes.contract import BITWISE, Contract, Numerics
from semrep.runtime.arrays import ROUNDOFF
from semrep.runtime.harness import Harness
from semrep.runtime.limits import Limits
from semrep.runtime.measurement import Measurement
from semrep.runtime.session import Session
from semrep.runtime.values import ArrayValue
from semrep.runtime.worker import Failed
from semrep.verify.cases import Case, Effort, Leaf, plan
from semrep.verify.coverage import unexecuted_edits
from semrep.verify.observe import read_signature
from semrep.verify.oracle import Comparison, Reference
from semrep.verify.relaxation import Relaxation
from semrep.verify.verdict import Different, Equivalent, Grade, Inconclusive, Verdict

# What the original may take for all its cases, per effort, before the rest is left out.
_CASE_SECONDS: Mapping[Effort, float] = {"quick": 8.0, "full": 40.0, "paranoid": 240.0}


@dataclass(frozen=True, slots=True)
class Baseline:
    """The original as it was found: it runs, and two runs of it agree bit for bit.

    seconds: one call on the harness's first example; planned: cases planned, of which `cases`
    fitted the time; launches: Triton kernels launched by all of them.
    """

    cases: tuple[Case, ...]
    planned: int
    seconds: float
    launches: int
    grade: Grade
    stateful: bool

    def __str__(self) -> str:
        return (
            f"original runs in {self.seconds * 1e3:.3g} ms, "
            f"{len(self.cases)} of {self.planned} cases, {self.grade}"
        )


@dataclass(slots=True)
class _Observed:
    """The original's behaviour on a list of cases; references are computed when first needed."""

    cases: tuple[Case, ...]
    records: list[dict[str, Any]]
    executed: list[int]
    seconds: float
    references: list[Reference | None] | None = None
    why_no_reference: str = ""


class Verifier:
    """Checks candidates for one original under one harness. A context manager.

    effort: how many cases ("quick" about 20, "full" and "paranoid" more draws). seed: decides
    all of them. timeout_s: wall clock for one candidate; memory_bytes: address space for it.
    """

    def __init__(
        self,
        source: bytes,
        harness: Harness,
        *,
        effort: Effort = "quick",
        seed: int = 0,
        timeout_s: float = 60.0,
        memory_bytes: int = 4 << 30,
    ) -> None:
        self.source = source
        self.harness = harness
        self.effort: Effort = effort
        self.seed = seed
        self.timeout_s = timeout_s
        limits = Limits(wall_s=timeout_s, memory_bytes=memory_bytes)
        self.session = Session(source, harness, seed=seed, limits=limits)
        self._baseline: Baseline | Inconclusive | None = None
        self._observed: _Observed | None = None
        self._facts: dict[str, Any] = {}
        self._signature: Signature | Inconclusive | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the worker."""
        self.session.close()

    def baseline(self) -> Baseline | Inconclusive:
        """Runs the original, once: what is known about it, or why it cannot be relied on."""
        if self._baseline is None:
            self._baseline = self._find_baseline()
        return self._baseline

    def signature(self) -> Signature | Inconclusive:
        """Types of the entry's arguments and attributes, seen on one run of the original."""
        if self._signature is None:
            done = self.session.run(
                "semrep.verify.observe:observe", self.source, self.harness, self.seed
            )
            if isinstance(done, Failed):
                self._signature = Inconclusive(f"the original fails: {done.reason}")
            elif "error" in done.value:
                self._signature = Inconclusive(_original_fails(done.value["error"]))
            else:
                self._signature = read_signature(self.harness.entry, done.value)
        return self._signature

    def check(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        """The verdict on a candidate that promises `contract`, in a fresh process."""
        baseline = self.baseline()
        if isinstance(baseline, Inconclusive):
            return baseline
        assert self._observed is not None
        return self._judge(candidate, contract, self._observed, baseline, (self.seed,))

    def confirm(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        """The same on values not drawn before, the original run anew: the final decision."""
        baseline = self.baseline()
        if isinstance(baseline, Inconclusive):
            return baseline
        text = b"|".join((str(self.seed).encode(), self.source, candidate, b"confirm"))
        fresh = int.from_bytes(hashlib.blake2b(text, digest_size=6).digest())
        observed = self._observe(self._planned(fresh))
        if isinstance(observed, Inconclusive):
            return observed
        return self._judge(candidate, contract, observed, baseline, (self.seed, fresh))

    def measure(
        self, candidate: bytes, budget_s: float = 2.0, *, threads: int | None = None
    ) -> Measurement | Inconclusive:
        """Times original and candidate on the harness's example, in interleaved pairs.

        threads: of the array library; None takes what its user gets, one for each processor.
        """
        done = self.session.run(
            "semrep.runtime.timing:sample_pairs",
            self.source,
            candidate,
            self.harness,
            self.seed,
            budget_s,
            wall_s=self.timeout_s + budget_s,
            threads=threads or len(os.sched_getaffinity(0)),
        )
        if isinstance(done, Failed):
            return Inconclusive(f"not timed: {done.reason}")
        if "error" in done.value:
            return Inconclusive(f"not timed: {done.value['error']}")
        return Measurement(
            samples_original=tuple(done.value["original"]),
            samples_candidate=tuple(done.value["candidate"]),
            warmup=done.value["warmup"],
            inner=done.value["inner"],
            device=self.harness.device,
            seed=self.seed,
        )

    def _find_baseline(self) -> Baseline | Inconclusive:
        done = self.session.run("semrep.verify.jobs:describe", self.source, self.harness, self.seed)
        if isinstance(done, Failed):
            return Inconclusive(f"no trustworthy baseline: the original fails: {done.reason}")
        if "error" in done.value:
            return Inconclusive(_original_fails(done.value["error"]))
        self._facts = done.value
        planned = self._planned(self.seed)
        observed = self._observe(planned)
        if isinstance(observed, Inconclusive):
            return observed
        self._observed = observed
        launches = done.value["launches"]
        grade: Grade = "cpu"
        if self.harness.device != "cpu":
            grade = "gpu"
        elif launches:
            grade = "interpreter"
        return Baseline(
            cases=observed.cases,
            planned=len(planned),
            seconds=done.value["seconds"],
            launches=launches,
            grade=grade,
            stateful=done.value["stateful"],
        )

    def _planned(self, seed: int) -> tuple[Case, ...]:
        examples = [[Leaf(*leaf) for leaf in leaves] for leaves in self._facts["leaves"]]
        return plan(examples, effort=self.effort, seed=seed, stateful=self._facts["stateful"])

    def _run(
        self,
        source: bytes,
        label: str,
        cases: tuple[Case, ...],
        wall_s: float,
        check_state: bool,
        stop_after_s: float | None = None,
    ) -> Any:
        return self.session.run(
            "semrep.verify.jobs:run_cases",
            source,
            label,
            self.harness,
            cases,
            self._facts["examples"],
            self._facts["state"],
            self.seed,
            check_state,
            self.harness.device == "cpu",
            stop_after_s,
            wall_s=wall_s,
        )

    def _observe(self, cases: tuple[Case, ...]) -> _Observed | Inconclusive:
        """Runs the original on the cases twice, in two processes, and asks for the same bits."""
        seconds = _CASE_SECONDS[self.effort]
        first = self._run(self.source, "original", cases, self.timeout_s + seconds, True, seconds)
        if isinstance(first, Failed):
            return Inconclusive(f"no trustworthy baseline: the original fails: {first.reason}")
        if "error" in first.value or "state_keys" in first.value:
            return Inconclusive(_original_fails(first.value.get("error")))
        records = first.value["cases"]
        ran = cases[: len(records)]
        if records[0]["raised"] is not None:
            return Inconclusive(_original_fails(records[0]["raised"]))
        kept = [
            index
            for index, case in enumerate(ran)
            if "raised" not in records[index]["gradients"]
            and not (case.gradient and not records[index]["gradients"])
        ]
        ran, records = tuple(ran[i] for i in kept), [records[i] for i in kept]
        second = self._run(self.source, "original", ran, self.timeout_s + 3 * first.seconds, True)
        if isinstance(second, Failed) or "cases" not in second.value:
            return Inconclusive("no trustworthy baseline: a second run of the original fails")
        same = Comparison(BITWISE)
        for case, one, two in zip(ran, records, second.value["cases"], strict=True):
            found = same.compare(case, one, two, None)
            if found is not None:
                return Inconclusive(
                    f"no trustworthy baseline: two runs of the original differ: {found}"
                )
        executed = sorted({*first.value["executed"], *second.value["executed"]})
        return _Observed(ran, records, executed, first.seconds)

    def _references(self, observed: _Observed) -> list[Reference | None]:
        if observed.references is None:
            done = self.session.run(
                "semrep.verify.reference:run_reference",
                self.source,
                self.harness,
                observed.cases,
                self._facts["examples"],
                self._facts["state"],
                self.seed,
                wall_s=self.timeout_s + 12 * observed.seconds,
            )
            references: list[Reference | None] = [None] * len(observed.cases)
            if isinstance(done, Failed):
                observed.why_no_reference = done.reason
            elif "error" in done.value:
                observed.why_no_reference = done.value["error"]
            else:
                for index, found in enumerate(done.value["cases"]):
                    if observed.records[index]["raised"] is not None:
                        continue
                    if "error" in found:
                        observed.why_no_reference = found["error"]
                    else:
                        references[index] = cast(Reference, found)
            observed.references = references
        return observed.references

    def _judge(
        self,
        candidate: bytes,
        contract: Contract,
        observed: _Observed,
        baseline: Baseline,
        seeds: tuple[int, ...],
    ) -> Verdict:
        try:
            compile(candidate, "<candidate>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            return Different(f"the candidate does not parse: {error}")
        relaxation = Relaxation.of(contract)
        chosen = [i for i, case in enumerate(observed.cases) if relaxation.keeps(case)]
        cases = tuple(observed.cases[i] for i in chosen)
        # A correct rewrite is not much slower than what it replaces.
        wall_s = min(self.timeout_s, 10.0 + 20.0 * observed.seconds)
        done = self._run(candidate, "candidate", cases, wall_s, not relaxation.parameters)
        if isinstance(done, Failed):
            return Different(f"the candidate fails: {done.reason}")
        if "error" in done.value:
            raised = done.value["error"]
            return Different(f"the candidate does not load: {raised['type']}: {raised['message']}")
        if "state_keys" in done.value:
            return Different(f"the candidate's parameters differ: {done.value['state_keys']}")
        records = done.value["cases"]
        if len(records) != len(cases):
            return Different("the candidate did not finish its cases")
        references: list[Reference | None] = [None] * len(observed.cases)
        if contract.numerics is not Numerics.BITWISE:
            references = self._references(observed)
        comparison = Comparison(contract, coarsest=self._coarsest())
        for index, record in zip(chosen, records, strict=True):
            case = observed.cases[index]
            found = comparison.compare(case, observed.records[index], record, references[index])
            if found is not None:
                return Different(str(found), found)
        if comparison.incomparable is not None:
            return Inconclusive(comparison.incomparable)
        if self.harness.device == "cpu":
            missed = unexecuted_edits(
                self.source, candidate, observed.executed, done.value["executed"]
            )
            if missed:
                lines = ", ".join(map(str, missed[:5]))
                return Inconclusive(
                    f"the harness never executes the edit at line {lines}", unexecuted=missed
                )
        notes = list(comparison.notes)
        if observed.why_no_reference:
            notes.append(f"float64 reference missing in places: {observed.why_no_reference}")
        if len(baseline.cases) < baseline.planned:
            notes.append(f"{len(baseline.cases)} of {baseline.planned} cases fitted the time")
        return Equivalent(
            cases=len(cases),
            seeds=seeds,
            grade=baseline.grade,
            contract=str(contract),
            max_error_ratio=comparison.max_error_ratio,
            original_error=comparison.original_error,
            names=tuple(case.name for case in cases),
            lifted=relaxation.lifted,
            notes=tuple(notes),
        )

    def _coarsest(self) -> float:
        dtypes = {leaf[1] for leaves in self._facts["leaves"] for leaf in leaves}
        dtypes |= {
            value.dtype for value in self._facts["state"].values() if isinstance(value, ArrayValue)
        }
        return max((ROUNDOFF[d] for d in dtypes if d in ROUNDOFF), default=ROUNDOFF["float64"])


def verify(
    original: bytes,
    candidate: bytes,
    harness: Harness,
    contract: Contract = BITWISE,
    *,
    effort: Effort = "quick",
    seed: int = 0,
    timeout_s: float = 60.0,
) -> Verdict:
    """One candidate, checked once. For several of one original keep a `Verifier`."""
    with Verifier(original, harness, effort=effort, seed=seed, timeout_s=timeout_s) as verifier:
        return verifier.check(candidate, contract)


def _original_fails(error: Mapping[str, Any] | None) -> str:
    detail = f"{error['type']}: {error['message']}" if error else "its state cannot be restored"
    return f"no trustworthy baseline: the original fails: {detail}"
