"""The original of a verification: what it is, what it accepts, what it does on each case."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from semrep.passes.contract import BITWISE, WITHIN_TOLERANCE
from semrep.runtime.arrays import ROUNDOFF
from semrep.runtime.harness import Harness
from semrep.runtime.session import Session
from semrep.runtime.values import ArrayValue
from semrep.runtime.worker import Done, Failed
from semrep.verify.cases import Case, Domain, Effort, Leaf, plan
from semrep.verify.control import known_wrong
from semrep.verify.observation import without_parameters
from semrep.verify.oracle import Comparison, Reference, is_damage
from semrep.verify.verdict import Grade, Inconclusive

# What the original may take for all its cases, per effort, before the rest is left out.
CASE_SECONDS: Mapping[Effort, float] = {"quick": 16.0, "full": 80.0, "paranoid": 600.0}
_REFERENCE_FACTOR = 12
_LARGEST_BOUNDARY = 8192


@dataclass(slots=True)
class Observed:
    """The original's behaviour on a list of cases; references are computed when first needed.

    planned: how many cases there were before time ran out. unsettled: names of cases in which
    the original itself depends on what is not specified (fresh memory, order of programs).
    """

    cases: tuple[Case, ...]
    records: list[dict[str, Any]]
    executed: list[int]
    seconds: float
    planned: int
    unsettled: frozenset[str] = frozenset()
    references: dict[int, Reference] = field(default_factory=dict)
    why_no_reference: dict[int, str] = field(default_factory=dict)


class Untrustworthy(Exception):
    """The original cannot be relied on; the message says why."""

    @property
    def verdict(self) -> Inconclusive:
        return Inconclusive(f"no trustworthy baseline: {self}")


class Original:
    """Runs one original under one harness, and remembers what was seen."""

    def __init__(
        self,
        source: bytes,
        harness: Harness,
        session: Session,
        effort: Effort,
        timeout_s: float,
        *,
        own_parameters: bool = False,
    ) -> None:
        self.source = source
        self.harness = harness
        self.session = session
        self.effort: Effort = effort
        self.timeout_s = timeout_s
        self.own_parameters = own_parameters
        self._observed: dict[object, Observed] = {}
        self._domains: dict[tuple[int, ...], Domain] = {}

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What `jobs.describe` found. Raises Untrustworthy."""
        done = self.session.run(
            "semrep.verify.jobs:describe", self.source, self.harness, self.session.seed
        )
        value = _value(done)
        if "error" in value:
            raise Untrustworthy(_fails(value["error"]))
        return cast(Mapping[str, Any], value)

    @property
    def grade(self) -> Grade:
        if self.harness.device != "cpu":
            return "gpu"
        return "interpreter" if self.facts["launches"] else "cpu"

    @cached_property
    def coarsest(self) -> float:
        """The roundoff of the narrowest float among arguments and state."""
        dtypes = {leaf[1] for leaves in self.facts["leaves"] for leaf in leaves}
        dtypes |= {
            value.dtype for value in self.facts["state"].values() if isinstance(value, ArrayValue)
        }
        return max((ROUNDOFF[d] for d in dtypes if d in ROUNDOFF), default=ROUNDOFF["float64"])

    @property
    def symbols(self) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Sizes of the first example, and the "path.axis" places that share each."""
        return self.domain(boundaries_of(self.source)).symbols

    def domain(self, boundaries: tuple[int, ...]) -> Domain:
        """What the original accepts; boundaries: sizes to try around."""
        if boundaries not in self._domains:
            done = self.session.run(
                "semrep.verify.jobs:learn_domain",
                self.source,
                self.harness,
                self.facts["examples"],
                self.facts["state"],
                self.session.seed,
                self.effort,
                boundaries,
                self.facts["init"],
                wall_s=self.timeout_s + CASE_SECONDS[self.effort],
            )
            if isinstance(done, Failed) and done.cause == "error":
                raise RuntimeError(f"learning what the original accepts failed: {done.output}")
            # A variant that kills or hangs the original says nothing about its examples.
            value: Any = done.value if isinstance(done, Done) else {"error": done.reason}
            if "error" in value:
                self._domains[boundaries] = Domain(unknown=str(value["error"])[:200])
            else:
                self._domains[boundaries] = Domain(
                    accepted=tuple(Case(**case) for case in value["accepted"]),
                    rejected=tuple(Case(**case) for case in value["rejected"]),
                    tried=value["tried"],
                    symbols=tuple(value["symbols"]),
                    configurations=value["configurations"],
                )
        return self._domains[boundaries]

    def planned(self, seed: int) -> tuple[Case, ...]:
        """All cases under this seed."""
        examples = [[Leaf(*leaf) for leaf in leaves] for leaves in self.facts["leaves"]]
        return plan(
            examples,
            self.domain(boundaries_of(self.source)),
            effort=self.effort,
            seed=seed,
            stateful=self.facts["stateful"] and not self.own_parameters,
            triton=self.harness.triton,
            mutable=self.harness.framework != "jax",
        )

    def observed(self, seed: int, *, screening: bool = False) -> Observed:
        """The original on the planned cases (the few for screening). Raises Untrustworthy."""
        key = (seed, screening)
        if key not in self._observed:
            cases = self.planned(seed)
            if screening:
                cases = tuple(case for case in cases if case.screening)
            self._observed[key] = self.observe(cases)
        return self._observed[key]

    def observed_around(self, boundaries: tuple[int, ...]) -> Observed | None:
        """The original at sizes around these; None where there is nothing to try."""
        if boundaries not in self._observed:
            cases = tuple(case for case in self.domain(boundaries).accepted if case.varies_size)
            if not cases:
                return None
            self._observed[boundaries] = self.observe(cases)
        return self._observed[boundaries]

    def run(
        self,
        source: bytes,
        label: str,
        harness: Harness,
        cases: Sequence[Case],
        wall_s: float,
        *,
        check_state: bool = True,
        stop_after_s: float | None = None,
    ) -> Done | Failed:
        """Runs a source on cases in a fresh child, with the original's examples and state."""
        return self.session.run(
            *self.job(source, label, harness, cases, check_state, stop_after_s), wall_s=wall_s
        )

    def job(
        self,
        source: bytes,
        label: str,
        harness: Harness,
        cases: Sequence[Case],
        check_state: bool,
        stop_after_s: float | None = None,
    ) -> tuple[Any, ...]:
        """What `run` runs, as a job's name and its arguments."""
        return (
            "semrep.verify.jobs:run_cases",
            source,
            label,
            harness,
            tuple(cases),
            self.facts["examples"],
            self.facts["state"],
            self.session.seed,
            check_state,
            self.harness.device == "cpu",
            self.facts["init"],
            stop_after_s,
        )

    def observe(self, planned: tuple[Case, ...]) -> Observed:
        """Runs the cases twice, in two processes, and asks for the same bits."""
        seconds = CASE_SECONDS[self.effort]
        job = self.job(self.source, "original", self.harness, planned, True, seconds)
        one, other = self.session.run_twice(*job, wall_s=2 * self.timeout_s + seconds)
        first, second = _value(one), _value(other)
        for value in (first, second):
            if "cases" not in value:
                raise Untrustworthy(_fails(value.get("error")))
        # Either may have stopped early, at the end of its time.
        pairs = zip(planned, first["cases"], second["cases"], strict=False)
        kept = [pair for pair in pairs if _is_usable(pair[0], pair[1])]
        if not kept or first["cases"][0]["raised"] is not None and not kept[0][0].probing:
            raise Untrustworthy(_fails(first["cases"][0]["raised"]))
        same = Comparison(BITWISE)
        for case, record, again in kept:
            found = same.compare(case, record, again, None)
            if found is not None:
                raise Untrustworthy(f"two runs of the original differ: {found}")
        cases = tuple(case for case, _, _ in kept)
        records = [record for _, record, _ in kept]
        if self.own_parameters:
            records = [without_parameters(record) for record in records]
        _check_comparator(cases, records)
        return Observed(
            cases,
            records,
            sorted({*first["executed"], *second["executed"]}),
            one.seconds,
            len(planned),
            _unsettled(cases, records),
        )

    def references(self, observed: Observed, wanted: Sequence[int]) -> Mapping[int, Reference]:
        """float64 references of these cases, by index; those that cannot be had are missing."""
        missing = [
            index
            for index in wanted
            if index not in observed.references and index not in observed.why_no_reference
        ]
        if missing:
            limit = 4.0 + _REFERENCE_FACTOR * max(observed.seconds, 1.0)
            done = self.session.run(
                "semrep.verify.reference:run_reference",
                self.source,
                self.harness,
                tuple(observed.cases[index] for index in missing),
                self.facts["examples"],
                self.facts["state"],
                self.session.seed,
                self.facts["init"],
                limit,
                wall_s=self.timeout_s + 2 * limit,
            )
            value = done.value if isinstance(done, Done) else {"error": done.reason}
            found = value.get("cases") or [value] * len(missing)
            for index, reference in zip(missing, found, strict=True):
                if "error" in reference:
                    observed.why_no_reference[index] = str(reference["error"])
                else:
                    observed.references[index] = cast(Reference, reference)
        return observed.references


def boundaries_of(*sources: bytes) -> tuple[int, ...]:
    """Integers in the texts that could be block sizes or limits, ascending."""
    found: set[int] = set()
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and type(node.value) is int:
                if 4 <= node.value <= _LARGEST_BOUNDARY:
                    found.add(node.value)
    return tuple(sorted(found))


def _value(done: Done | Failed) -> Any:
    if isinstance(done, Failed):
        raise Untrustworthy(f"the original fails: {done.reason}")
    return done.value


def _is_usable(case: Case, record: Mapping[str, Any]) -> bool:
    if case.gradient and ("raised" in record["gradients"] or not record["gradients"]):
        return False
    if record["raised"] is not None and is_damage(record["raised"]):
        # Two programs that both leave their arrays do not agree: neither has a meaning here.
        return False
    if case.rejected:
        return record["raised"] is not None
    return not (case.probing and record["raised"] is not None)


def _unsettled(cases: Sequence[Case], records: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    by_name = {case.name: record for case, record in zip(cases, records, strict=True)}
    same = Comparison(BITWISE)
    return frozenset(
        case.name
        for case, record in zip(cases, records, strict=True)
        if case.twin in by_name and same.compare(case, by_name[case.twin], record, None) is not None
    )


def _check_comparator(cases: Sequence[Case], records: Sequence[dict[str, Any]]) -> None:
    """A control: a result known to be wrong must be told from the right one."""
    for case, record in zip(cases, records, strict=True):
        wrong = known_wrong(record)
        if wrong is not None:
            if Comparison(WITHIN_TOLERANCE).compare(case, record, wrong, None) is None:
                raise RuntimeError(f"the comparison accepts a wrong result on {case}")
            return


def _fails(error: Mapping[str, Any] | None) -> str:
    detail = f"{error['type']}: {error['message']}" if error else "its state cannot be restored"
    return f"the original fails: {detail}"
