"""All that is asked about one program: semrep and every anchor on its mutants and equivalents."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.trust import equivalents, operators
from bench.trust.executor import Executor
from bench.trust.program import Program
from bench.trust.source_text import SourceText
from semrep.passes import contract as contracts
from semrep.verify import Baseline, Harness, Verifier, discover

MUTANT = "mutant"
EQUIVALENT = "equivalent"
PROGRAM = "program"
ACCEPTED = "Equivalent"
# Anchors whose refusal alone shows a difference; the others may refuse a rounding.
_TELLING = ("kernelbench_rand", "kernelbench_randn", "dynamo_same")
_CONTRACTS = {
    equivalents.BITWISE: contracts.BITWISE,
    equivalents.REASSOCIATES: contracts.REASSOCIATES,
    equivalents.WITHIN_TOLERANCE: contracts.WITHIN_TOLERANCE,
}


@dataclass(frozen=True, slots=True)
class Row:
    """What was found about one candidate. verdict: the class of semrep's answer, or "crash".
    usable, accepted: anchors that have a say, and those that accepted. ran: whether the candidate
    gives results. arbiter: what it found, None where it was not asked. difference: how it is
    known that a mutant differs; empty where nothing tells it apart."""

    role: str
    program: str
    kind: str
    name: str
    key: str
    contract: str = ""
    strict: bool = True
    line: int = 0
    before: str = ""
    after: str = ""
    verdict: str = ""
    why: str = ""
    seconds: float = 0.0
    ran: bool = True
    usable: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    arbiter: Mapping[str, str] | None = None
    difference: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Options:
    """mutants, equivalents: how many of each for a program. rarity: weights by name.
    limit_s: for one call of semrep or of a worker."""

    seed: int
    mutants: int
    equivalents: int
    rarity: Mapping[str, float]
    limit_s: float = 60.0
    arbiter_s: float = 240.0


def examine(program: Program, options: Options, done: Collection[str]) -> Iterator[Row]:
    """Rows of one program, those in `done` left out."""
    unusable = Row(PROGRAM, program.name, program.kind, program.origin, f"program {program.name}")
    if unusable.key in done:
        return
    with Executor() as executor:
        loaded = executor.load(program, 2 * options.limit_s)
        if "failed" in loaded:
            yield _with(unusable, verdict="fails by itself", why=loaded["failed"])
            return
        text = SourceText(program.source, program.targets, set(loaded["lines"]), loaded["values"])
        candidates = [c for c in _candidates(program, text, options) if c.key not in done]
        if not candidates:
            return
        source = program.source.encode()
        harness = discover(source, program.path, entry=program.entry, inputs=program.inputs)
        if not isinstance(harness, Harness):
            yield _with(unusable, verdict="no harness", why=str(harness))
            return
        with Verifier(
            source, harness, effort="quick", seed=options.seed, timeout_s=options.limit_s
        ) as verifier:
            baseline = verifier.baseline()
            if not isinstance(baseline, Baseline):
                yield _with(unusable, verdict="Inconclusive", why=str(baseline))
                return
            for candidate in candidates:
                yield _examined(candidate, program, verifier, executor, loaded["usable"], options)


def _candidates(program: Program, text: SourceText, options: Options) -> Iterator[Row]:
    rng = random.Random(f"{options.seed} {program.name}")
    for m in operators.sample(program, text, options.mutants, rng, options.rarity):
        yield Row(
            MUTANT, program.name, program.kind, m.operator, _key(MUTANT, program, m.source),
            contract=equivalents.WITHIN_TOLERANCE, line=m.line, before=m.before, after=m.after,
            source=m.source,
        )  # fmt: skip
    for e in equivalents.sample(program, text, options.equivalents, rng, options.rarity):
        yield Row(
            EQUIVALENT, program.name, program.kind, e.name, _key(EQUIVALENT, program, e.source),
            contract=e.contract, strict=e.strict, line=e.line, source=e.source,
        )  # fmt: skip


def _key(role: str, program: Program, source: str) -> str:
    digest = hashlib.sha256(f"{program.inputs}\n{source}".encode()).hexdigest()[:16]
    return f"{role} {program.name} {digest}"


def _with(row: Row, **changes: Any) -> Row:
    return Row(**(asdict(row) | changes))


def _examined(
    row: Row,
    program: Program,
    verifier: Verifier,
    executor: Executor,
    usable: list[str],
    options: Options,
) -> Row:
    answer = executor.ask("anchors", row.source, options.limit_s)
    accepted = list(answer.get("accepted", []))
    ran = bool(answer.get("ran", True))
    row = _with(row, usable=usable, accepted=accepted, ran=ran)
    if row.role == MUTANT and not ran:
        return _with(row, difference="gives no result", why=answer.get("error", ""))
    started = time.monotonic()
    try:
        found = verifier.check(row.source.encode(), _CONTRACTS[row.contract])
        verdict, why = type(found).__name__, str(found)
    except Exception as e:
        verdict, why = "crash", f"{type(e).__name__}: {e}"
    row = _with(row, verdict=verdict, why=why, seconds=time.monotonic() - started)
    refused = [a for a in _TELLING if a in usable and a not in accepted]
    if row.role == EQUIVALENT or (refused and verdict != ACCEPTED):
        return _with(row, difference=", ".join(refused))
    asked = _arbiter(row, executor, program, options)
    where = asked.get("where", "")
    return _with(row, arbiter=asked, difference=f"arbiter: {where}" if where else "")


def _arbiter(row: Row, executor: Executor, program: Program, options: Options) -> dict[str, str]:
    """Its finding, or nothing. Where it dies, the original may be to blame: then sizes are left
    alone, and the original goes the same way."""
    asked = executor.ask("arbiter", row.source, options.arbiter_s)
    if "failed" in asked:
        asked = executor.ask("arbiter_as_given", row.source, options.arbiter_s)
    if "failed" in asked:
        original = executor.ask("arbiter_as_given", program.source, options.arbiter_s)
        if "failed" in original:
            return {}
        return {"where": "plain", "what": str(asked["failed"])}
    return asked
