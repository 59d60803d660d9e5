"""Verifies candidates against one original: baseline once, then a fresh process for each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from semrep.ir.signature import Signature
from semrep.passes.contract import BITWISE, Contract, Numerics
from semrep.runtime import sanitizer
from semrep.runtime.harness import Harness
from semrep.runtime.limits import Limits
from semrep.runtime.measurement import Measurement
from semrep.runtime.measuring import NotMeasured, measure_pair
from semrep.runtime.sanitizer import Tool
from semrep.runtime.session import Session
from semrep.runtime.worker import Done, Failed
from semrep.verify.callables import is_generated
from semrep.verify.cases import Case, Domain, Effort
from semrep.verify.compiler import FrontEnd
from semrep.verify.coverage import unexecuted_edits
from semrep.verify.observation import without_parameters
from semrep.verify.observe import read_signature
from semrep.verify.oracle import Comparison, Record, needs_reference
from semrep.verify.original import Observed, Original, Untrustworthy, boundaries_of
from semrep.verify.proof import Proof, is_available, prove
from semrep.verify.relaxation import Relaxation
from semrep.verify.verdict import Different, Equivalent, Grade, Inconclusive, Verdict

# An original that is this far from float64 makes for a loose budget.
_LOOSE = 1e3
_PROOF_S = 2.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """The original as it was found: it runs, and two runs of it agree bit for bit.

    cases: those that every candidate is tried on first; seconds: one call on the harness's
    first example; planned: all cases there are; launches: Triton kernels launched by a call;
    domain: what the original accepts beyond its examples.
    """

    cases: tuple[Case, ...]
    planned: int
    seconds: float
    launches: int
    grade: Grade
    stateful: bool
    domain: Domain

    def __str__(self) -> str:
        return (
            f"original runs in {self.seconds * 1e3:.3g} ms, {self.planned} cases, "
            f"{len(self.cases)} to screen with, {self.grade}"
        )


@dataclass(frozen=True, slots=True)
class Ran:
    """What a candidate did on some cases: lines executed, and a record of each."""

    executed: list[int]
    records: list[tuple[Case, Record]]


class Verifier:
    """Checks candidates for one original under one harness. A context manager.

    effort: how many cases ("quick" about 60, "full" and "paranoid" hundreds more). seed:
    decides all of them. timeout_s: wall clock for one candidate; memory_bytes: address space
    for it. candidate_entry: what to call in a candidate, where its name is another.
    own_parameters: modules keep the parameters that they make themselves, after the same seed,
    and these are not compared. requires_coverage: an edited line that no case executes makes
    the verdict Inconclusive, and is otherwise noted. sanitizer: on a GPU, run the candidate's
    screening cases under this tool of compute-sanitizer too. progress: told what is done,
    before it is.
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
        candidate_entry: str | None = None,
        own_parameters: bool = False,
        requires_coverage: bool = True,
        sanitizer: Tool | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.source = source
        self.harness = harness
        self.effort: Effort = effort
        self.seed = seed
        self.timeout_s = timeout_s
        self.candidate_harness = replace(harness, entry=candidate_entry or harness.entry)
        limits = Limits(wall_s=timeout_s, memory_bytes=memory_bytes)
        self.session = Session(source, harness, seed=seed, limits=limits)
        self.own_parameters = own_parameters
        self.requires_coverage = requires_coverage
        self.sanitizer = sanitizer
        self.progress = progress or (lambda stage: None)
        self.original = Original(
            source, harness, self.session, effort, timeout_s, own_parameters=own_parameters
        )
        self.front_end = FrontEnd(self.original, seed, limits)
        self.launches = 0
        self._baseline: Baseline | Inconclusive | None = None
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
        """Ends the workers."""
        self.session.close()
        self.front_end.close()

    def baseline(self) -> Baseline | Inconclusive:
        """Runs the original, once: what is known about it, or why it cannot be relied on."""
        if self._baseline is None:
            try:
                self._baseline = self._find_baseline()
            except Untrustworthy as error:
                self._baseline = error.verdict
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
                error = done.value["error"]
                self._signature = Inconclusive(
                    f"the original fails: {error['type']}: {error['message']}"
                )
            else:
                self._signature = read_signature(self.harness.entry, done.value)
        return self._signature

    def screen(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        """A first verdict on the few most telling cases: what a search asks of each step."""
        return self._verdict(candidate, contract, self.seed, screening=True)

    def check(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        """The verdict on a candidate that promises `contract`, in a fresh process."""
        return self._verdict(candidate, contract, self.seed, screening=False)

    def confirm(self, candidate: bytes, contract: Contract = BITWISE) -> Verdict:
        """The same on values not drawn before, the original run anew: the final decision."""
        text = b"|".join((str(self.seed).encode(), self.source, candidate, b"confirm"))
        fresh = int.from_bytes(hashlib.blake2b(text, digest_size=6).digest())
        return self._verdict(candidate, contract, fresh, screening=False)

    def measure(
        self, candidate: bytes, budget_s: float = 2.0, *, threads: int | None = None
    ) -> Measurement | Inconclusive:
        """Times original and candidate on the harness's example, in interleaved pairs.

        threads: of the array library; None takes what its user gets, one for each processor.
        """
        try:
            return measure_pair(
                self.session,
                self.source,
                candidate,
                budget_s,
                wall_s=self.timeout_s,
                threads=threads,
            )
        except NotMeasured as error:
            return Inconclusive(f"not timed: {error}")

    def compare(
        self,
        candidate: bytes,
        contract: Contract,
        observed: Observed,
        chosen: Sequence[int],
        comparison: Comparison,
    ) -> Different | Ran:
        """Runs the candidate on the chosen cases: the first difference, or what it did."""
        cases = [observed.cases[index] for index in chosen]
        relaxation = Relaxation.of(contract)
        # A correct rewrite is not much slower than what it replaces.
        wall_s = min(max(self.timeout_s, 5.0 * observed.seconds), 10.0 + 20.0 * observed.seconds)
        done = self.original.run(
            candidate,
            "candidate",
            self.candidate_harness,
            cases,
            wall_s,
            check_state=not (relaxation.parameters or self.own_parameters),
        )
        if isinstance(done, Failed):
            case = last_case(done.output, cases)
            where = f" on {case}" if case is not None else ""
            return Different(f"the candidate fails: {done.reason}{where}", case=case)
        if "error" in done.value:
            raised = done.value["error"]
            return Different(f"the candidate does not load: {raised['type']}: {raised['message']}")
        if "state_keys" in done.value:
            return Different(
                f"the candidate's parameters differ: {done.value['state_keys']}",
                other_parameters=True,
            )
        records = done.value["cases"]
        if len(records) != len(cases):
            case, raised = cases[len(records) - 1], records[-1]["raised"]
            why = f": {raised['type']}: {raised['message'][:300]}" if raised else ""
            return Different(f"the candidate ended on {case}{why}", case=case)
        if self.own_parameters:
            records = [without_parameters(record) for record in records]
        self.launches += done.value["launches"]
        references: Any = {}
        if contract.numerics is not Numerics.BITWISE:
            wanted = [
                index
                for index, case, record in zip(chosen, cases, records, strict=True)
                if needs_reference(case, observed.records[index], record)
            ]
            references = self.original.references(observed, wanted)
        for index, case, record in zip(chosen, cases, records, strict=True):
            found = comparison.compare(case, observed.records[index], record, references.get(index))
            if found is not None:
                return Different(str(found), found, case)
        return Ran(done.value["executed"], list(zip(cases, records, strict=True)))

    def _proved(self, candidate: bytes, verdict: Verdict) -> Verdict:
        """The verdict with the grade "proved" where a proof stands beside the runs. What was run
        and differed stays different; what never ran and is proved is equivalent."""
        undecided = isinstance(verdict, Inconclusive) and bool(verdict.unexecuted)
        same_entry = self.candidate_harness.entry == self.harness.entry
        if not same_entry or not (undecided or isinstance(verdict, Equivalent)):
            return verdict
        if candidate == self.source or not is_available():
            return verdict
        found = prove(self.source, candidate, total_s=_PROOF_S)
        if not isinstance(found, Proof):
            return verdict
        if isinstance(verdict, Equivalent):
            return replace(verdict, grade="proved", theory=found.theory)
        note = "not executed by any case, and proved"
        return Equivalent(0, (self.seed,), "proved", "bitwise", notes=(note,), theory=found.theory)

    def _sanitized(
        self, candidate: bytes, tool: Tool, tried: Sequence[Case]
    ) -> Different | Inconclusive | None:
        cases = [case for case in tried if case.screening] or list(tried)
        job = self.original.job(
            candidate, "candidate", self.candidate_harness, cases, not self.own_parameters
        )
        try:
            done = sanitizer.run(tool, *job, timeout_s=10 * self.timeout_s)
        except sanitizer.NoSanitizer as error:
            return Inconclusive(str(error))
        if isinstance(done, Done):
            return None
        if done.cause == "error":
            return Different(f"the candidate fails: {done.reason}")
        return Inconclusive(f"compute-sanitizer: {done.reason}")

    def _grade(self) -> Grade:
        grade = self.original.grade
        return "interpreter" if grade == "cpu" and self.launches else grade

    def _find_baseline(self) -> Baseline:
        observed = self.original.observed(self.seed, screening=True)
        facts = self.original.facts
        return Baseline(
            cases=observed.cases,
            planned=len(self.original.planned(self.seed)),
            seconds=facts["seconds"],
            launches=facts["launches"],
            grade=self.original.grade,
            stateful=facts["stateful"],
            domain=self.original.domain(boundaries_of(self.source)),
        )

    def _verdict(
        self, candidate: bytes, contract: Contract, seed: int, *, screening: bool
    ) -> Verdict:
        try:
            compile(candidate, "<candidate>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            return Different(f"the candidate does not parse: {error}")
        try:
            self.progress("running the original")
            observed = [self.original.observed(seed, screening=screening)]
            self.progress("running the candidate")
            edges = sorted({*boundaries_of(candidate)} - {*boundaries_of(self.source)})
            if edges and not screening:
                around = self.original.observed_around(tuple(edges))
                observed += [around] if around else []
        except Untrustworthy as error:
            return error.verdict
        verdict = self._judge(candidate, contract, observed, (self.seed, seed))
        if screening:
            return verdict
        return self._proved(candidate, self._compiled(candidate, verdict, observed))

    def _compiled(
        self, candidate: bytes, verdict: Verdict, observed: Sequence[Observed]
    ) -> Verdict:
        """The verdict, unless kernels ran in the interpreter that no compiler takes."""
        if not isinstance(verdict, Equivalent) or verdict.grade != "interpreter":
            return verdict
        self.progress("compiling the kernels")
        cases = [case for some in observed for case in some.cases]
        found = self.front_end.judge(candidate, self.candidate_harness, cases)
        if isinstance(found, Different):
            return found
        return replace(verdict, notes=(*verdict.notes, found)) if found else verdict

    def _judge(
        self,
        candidate: bytes,
        contract: Contract,
        observed: Sequence[Observed],
        seeds: tuple[int, ...],
    ) -> Verdict:
        relaxation = Relaxation.of(contract)
        comparison = Comparison(
            contract, coarsest=self.original.coarsest, inference=relaxation.inference
        )
        executed_before: set[int] = set()
        executed_after: set[int] = set()
        tried: list[Case] = []
        notes: list[str] = []
        if self.own_parameters:
            notes.append("parameters are named differently: each made its own from one seed")
        unknown = self.original.domain(boundaries_of(self.source)).unknown
        if unknown:
            notes.append(f"sizes, layouts and dtypes were not varied: {unknown}")
        for some in observed:
            chosen = [
                index
                for index, case in enumerate(some.cases)
                if relaxation.keeps(case)
                # Sums in the order in which programs come have no bits to ask for.
                and not (
                    case.other_order
                    and case.name in some.unsettled
                    and contract.numerics is Numerics.BITWISE
                )
                and not (case.rejected and "exceptions" not in contract.preserves)
            ]
            executed_before.update(some.executed)
            ran: list[tuple[Case, Record]] = []
            for part in _parts(some.cases, chosen):
                found = self.compare(candidate, contract, some, part, comparison)
                if isinstance(found, Different):
                    return found
                executed_after.update(found.executed)
                ran += found.records
            different = _twins_differ(ran, some)
            if different is not None:
                return different
            tried += [some.cases[index] for index in chosen]
            if len(some.cases) < some.planned:
                notes.append(f"{len(some.cases)} of {some.planned} cases fitted the time")
            if some.why_no_reference:
                why = next(iter(some.why_no_reference.values()))
                notes.append(f"no float64 reference on {len(some.why_no_reference)} cases: {why}")
            if some.unsettled:
                notes.append("the original depends on fresh memory or the order of programs")
        if comparison.incomparable is not None:
            return Inconclusive(comparison.incomparable)
        if comparison.drowned is not None:
            return Inconclusive(
                f"{comparison.drowned} is nowhere large enough to be told from rounding errors"
            )
        if self.harness.device == "cpu":
            missed = unexecuted_edits(self.source, candidate, executed_before, executed_after)
            lines = ", ".join(map(str, missed[:5]))
            if missed and self.requires_coverage:
                return Inconclusive(
                    f"the harness never executes the edit at line {lines}", unexecuted=missed
                )
            if missed and not is_generated(candidate):
                notes.append(f"no case executes what was edited at line {lines}")
        if self.sanitizer is not None:
            found_by_tool = self._sanitized(candidate, self.sanitizer, tried)
            if found_by_tool is not None:
                return found_by_tool
            notes.append(f"compute-sanitizer {self.sanitizer} finds nothing")
        if comparison.original_error > _LOOSE:
            notes.append(
                f"the original is {comparison.original_error:.2g} roundings from float64, "
                "which widens what is accepted"
            )
        return Equivalent(
            cases=len(tried),
            seeds=tuple(dict.fromkeys(seeds)),
            grade=self._grade(),
            contract=str(contract),
            max_error_ratio=comparison.max_error_ratio,
            original_error=comparison.original_error,
            names=tuple(case.name for case in tried),
            lifted=relaxation.lifted,
            notes=(*comparison.notes, *dict.fromkeys(notes)),
            draws=sum(case.draw for case in tried),
            narrower=tuple(dict.fromkeys(comparison.narrower)),
        )


def last_case(output: str, cases: Sequence[Case]) -> Case | None:
    """The case that a child had begun when it ended, from what it wrote on the way."""
    begun = re.findall(r"^\x1ecase (\d+)$", output, re.MULTILINE)
    number = int(begun[-1]) if begun else len(cases)
    return cases[number] if number < len(cases) else None


def _parts(cases: Sequence[Case], chosen: Sequence[int]) -> Iterator[list[int]]:
    """The telling few first: most of what is wrong shows on them, and costs no more."""
    for screening in (True, False):
        part = [index for index in chosen if cases[index].screening is screening]
        if part:
            yield part


def _twins_differ(ran: Sequence[tuple[Case, Record]], observed: Observed) -> Different | None:
    """A candidate whose result depends on what no program may depend on, unlike the original."""
    by_name = {case.name: record for case, record in ran}
    same = Comparison(BITWISE)
    for case, record in ran:
        if case.twin in by_name and case.name not in observed.unsettled:
            found = same.compare(case, by_name[case.twin], record, None)
            if found is not None:
                return Different(
                    f"depends on fresh memory or on the order of programs: {found}", found, case
                )
    return None
