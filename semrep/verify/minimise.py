"""Finds a smaller call that still tells a candidate from the original, and writes it as code.

Greedy shrinking over cases, which are data: smaller sizes and simpler values first, then the
elements written out and zeroed or rounded one after another (MacIver and Donaldson, Test-case
reduction via test-case generation, ECOOP 2020, do the same over draws). Every step is a run.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence

from semrep.passes.contract import Contract
from semrep.runtime.worker import Done
from semrep.verify.cases import Case, Values
from semrep.verify.observation import without_parameters
from semrep.verify.oracle import Comparison, needs_reference
from semrep.verify.original import Observed
from semrep.verify.relaxation import Relaxation
from semrep.verify.verdict import Counterexample, Different
from semrep.verify.verifier import Verifier

SECONDS = 30.0
_MOST_BATCHES = 24
_MOST_LITERAL = 64
_ROUNDS = 60
_BATCH = 32
_SIMPLE: tuple[Values, ...] = ("constant", "integers", "normal")
_SMALL = (1, 2, 3, 5, 8, 17, 33)

Found = tuple[Case, Counterexample]


def minimised(
    verifier: Verifier, candidate: bytes, verdict: Different, contract: Contract
) -> Different:
    """The verdict with the smallest counterexample found, and a script that shows it."""
    if verdict.case is None:
        return verdict
    shrinker = _Shrinker(verifier, candidate, contract)
    start = dataclasses.replace(verdict.case, screening=False, draw=False, twin="")
    again = shrinker.first([start])
    if again is None:
        # It shows only between two cases (fresh memory, order): there is no one call to shrink.
        return dataclasses.replace(verdict, code=shrinker.script(verdict.case))
    case, found = shrinker.shrink(*again)
    found = dataclasses.replace(found, arguments=shrinker.arguments(case))
    return dataclasses.replace(verdict, counterexample=found, case=case, code=shrinker.script(case))


class _Shrinker:
    def __init__(self, verifier: Verifier, candidate: bytes, contract: Contract) -> None:
        self.verifier = verifier
        self.candidate = candidate
        self.contract = contract
        self.deadline = time.monotonic() + SECONDS
        self.batches = _MOST_BATCHES
        self.leaves = {
            path: (dtype, tuple(shape))
            for path, dtype, shape in (verifier.original.facts["leaves"] or [[]])[0]
        }

    def shrink(self, case: Case, found: Counterexample) -> Found:
        best = (case, found)
        if case.base == 0 and not case.literal:
            best = self.first(sorted(self._smaller(case), key=self._size)) or best
            simple = [v for v in _SIMPLE if v != best[0].values]
            best = (
                self.first([dataclasses.replace(best[0], values=values) for values in simple])
                or best
            )
            written = self._written_out(best[0])
            if written is not None:
                best = self.first([written]) or best
        for _ in range(_ROUNDS):
            simpler = self.first(list(_simpler(best[0]))) if best[0].literal else None
            if simpler is None:
                break
            best = simpler
        return best

    def first(self, cases: Sequence[Case]) -> Found | None:
        """The first of these cases on which the two differ."""
        for start in range(0, len(cases), _BATCH):
            if self.batches <= 0 or time.monotonic() > self.deadline:
                return None
            self.batches -= 1
            found = self._first(cases[start : start + _BATCH])
            if found is not None:
                return found
        return None

    def _first(self, cases: Sequence[Case]) -> Found | None:
        original = self.verifier.original
        limit = max(1.0, self.deadline - time.monotonic())
        before = original.run(
            original.source, "original", original.harness, cases, 4 * limit, stop_after_s=limit
        )
        if not isinstance(before, Done) or "cases" not in before.value:
            return None
        pairs = [
            (case, record)
            for case, record in zip(cases, before.value["cases"], strict=False)
            if record["raised"] is None
        ]
        kept = tuple(case for case, _ in pairs)
        if not kept:
            return None
        after = original.run(
            self.candidate,
            "candidate",
            self.verifier.candidate_harness,
            kept,
            10.0 + 10 * limit,
            check_state=not self.verifier.own_parameters,
        )
        if not isinstance(after, Done) or "cases" not in after.value:
            return None
        records = [[record for _, record in pairs], after.value["cases"]]
        if self.verifier.own_parameters:
            records = [[without_parameters(record) for record in side] for side in records]
        observed = Observed(kept, records[0], [], before.seconds, len(kept))
        triples = list(zip(kept, *records, strict=True))
        wanted = [i for i, triple in enumerate(triples) if needs_reference(*triple)]
        references = original.references(observed, wanted)
        inference = Relaxation.of(self.contract).inference
        comparison = Comparison(self.contract, coarsest=original.coarsest, inference=inference)
        for index, (case, old, new) in enumerate(triples):
            found = comparison.compare(case, old, new, references.get(index))
            if found is not None:
                return case, found
        return None

    def arguments(self, case: Case) -> tuple[str, ...]:
        """The call's arguments in words."""
        changed = dict(case.shapes)
        return tuple(
            f"argument {path}: {dtype}{list(changed.get(path, shape))}"
            for path, (dtype, shape) in self.leaves.items()
        )

    def script(self, case: Case) -> str:
        """A script that makes the call on both files; "" where it cannot be written."""
        verifier = self.verifier
        done = verifier.session.run(
            "semrep.verify.reproduction:script",
            verifier.source,
            verifier.harness,
            verifier.candidate_harness,
            case,
            verifier.original.facts["examples"],
            verifier.original.facts["init"],
            verifier.seed,
        )
        return done.value if isinstance(done, Done) and isinstance(done.value, str) else ""

    def _size(self, case: Case) -> int:
        changed = dict(case.shapes)
        elements = 0
        for path, (_, shape) in self.leaves.items():
            count = 1
            for n in changed.get(path, shape):
                count *= n
            elements += count
        return elements

    def _smaller(self, case: Case) -> Iterator[Case]:
        """The case at smaller sizes of each dimension."""
        symbols = self.verifier.original.symbols
        changed = dict(case.shapes)
        choices: list[dict[str, tuple[int, ...]]] = [changed]
        for size in _SMALL:
            choices.append(
                self._resized(changed, symbols, dict.fromkeys(range(len(symbols)), size))
            )
            for one in range(len(symbols)):
                choices.append(self._resized(changed, symbols, {one: size}))
                rest = {other: 1 for other in range(len(symbols)) if other != one}
                choices.append(self._resized(changed, symbols, {**rest, one: size}))
        seen = set()
        values = "normal" if case.values == "own" else case.values
        for choice in choices:
            shapes = tuple(
                (path, shape) for path, shape in choice.items() if shape != self.leaves[path][1]
            )
            if shapes in seen or any(n == 0 for _, shape in shapes for n in shape):
                continue
            seen.add(shapes)
            yield dataclasses.replace(
                case, shapes=shapes, values=values, parameters="own", probing=True
            )

    def _resized(
        self,
        shapes: dict[str, tuple[int, ...]],
        symbols: Sequence[tuple[int, tuple[str, ...]]],
        sizes: dict[int, int],
    ) -> dict[str, tuple[int, ...]]:
        made = {path: list(shapes.get(path, shape)) for path, (_, shape) in self.leaves.items()}
        for number, size in sizes.items():
            for place in symbols[number][1]:
                path, _, axis = place.rpartition(".")
                if path in made and int(axis) < len(made[path]):
                    made[path][int(axis)] = min(size, made[path][int(axis)])
        return {path: tuple(shape) for path, shape in made.items()}

    def _written_out(self, case: Case) -> Case | None:
        if self._size(case) > _MOST_LITERAL or case.special:
            return None
        verifier = self.verifier
        done = verifier.session.run(
            "semrep.verify.reproduction:written_out",
            verifier.source,
            verifier.harness,
            case,
            verifier.original.facts["examples"],
            verifier.seed,
        )
        if not isinstance(done, Done) or not done.value:
            return None
        return dataclasses.replace(case, literal=tuple(done.value))


def _simpler(case: Case) -> Iterator[Case]:
    """The case with elements zeroed (all but one array, halves, single ones) or rounded."""
    arrays = case.literal
    for number, (path, values) in enumerate(arrays):

        def with_values(new: tuple[float, ...], number: int = number, path: str = path) -> Case:
            literal = (*arrays[:number], (path, new), *arrays[number + 1 :])
            return dataclasses.replace(case, literal=literal)

        count = len(values)
        step = count
        while step >= 1:
            for start in range(0, count, step):
                part = values[start : start + step]
                if any(part):
                    zeros = (0.0,) * len(part)
                    yield with_values((*values[:start], *zeros, *values[start + step :]))
            step //= 2
        rounded = tuple(float(round(v)) for v in values)
        if rounded != values:
            yield with_values(rounded)
        signs = tuple(float((v > 0) - (v < 0)) for v in values)
        if signs != values:
            yield with_values(signs)
