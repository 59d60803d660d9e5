"""Rows counted: who caught what, and what was refused that should not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from bench.records import Record
from bench.statistics import bootstrap
from bench.trust.anchors import ANCHORS
from bench.trust.equivalents import TRANSFORMATIONS
from bench.trust.examination import ACCEPTED, EQUIVALENT, MUTANT, PROGRAM, Row
from bench.trust.operators import OPERATORS
from bench.trust.program import KINDS


def differing(rows: Sequence[Row]) -> list[Row]:
    """Mutants that give results and are known to differ."""
    return [r for r in rows if r.role == MUTANT and r.ran and r.difference]


def subtle(rows: Sequence[Row]) -> list[Row]:
    """Of these, the ones that some anchor accepts."""
    return [r for r in differing(rows) if r.accepted]


def caught(row: Row) -> bool:
    return row.verdict != ACCEPTED


def false_rejects(rows: Sequence[Row]) -> list[Row]:
    return [
        r
        for r in rows
        if r.role == EQUIVALENT and r.strict and r.verdict not in (ACCEPTED, "Inconclusive")
    ]


def records(suite: str, rows: Sequence[Row], programs: int) -> Iterator[Record]:
    mutants, fine = differing(rows), subtle(rows)
    made = [r for r in rows if r.role == MUTANT]
    pairs = [r for r in rows if r.role == EQUIVALENT]
    strict = [r for r in pairs if r.strict]
    note = (
        f"{programs} programs; of {len(made)} mutants "
        f"{sum(not r.ran for r in made)} give no result, "
        f"{sum(r.ran and not r.difference for r in made)} look equivalent "
        f"(semrep accepts {sum(r.ran and not r.difference and not caught(r) for r in made)}), "
        f"{len(mutants)} differ; Inconclusive on {_inconclusive(mutants)} of these; "
        f"by kind {_by_kind(mutants)}"
    )
    yield _share(suite, "mutants_killed", mutants, caught, _peers(mutants), note)
    note = (
        f"Mutants that some anchor accepts. By kind {_by_kind(fine)}. Accepted, by how they "
        f"differ: {_counted(r.difference for r in fine if not caught(r))}"
    )
    yield _share(suite, "subtle_mutants_killed", fine, caught, _peers(fine), note)
    rejected = false_rejects(rows)
    note = "; ".join(f"{r.program}: {r.name}" for r in rejected)
    note += f". Inconclusive: {_inconclusive(strict)}"
    yield Record(
        suite, "false_rejects", len(rejected), "equivalents", len(strict), peers={
            name: sum(name in r.usable and name not in r.accepted for r in strict)
            for name in ANCHORS
        }, note=note.removeprefix(". "),
    )  # fmt: skip
    loose = [r for r in pairs if not r.strict]
    yield Record(
        suite, "loose_equivalents_rejected", sum(caught(r) for r in loose), "equivalents",
        len(loose), note="Equal but for overflow or special values: either answer is right.",
    )  # fmt: skip
    refused = [r for r in rows if r.role == PROGRAM]
    yield Record(
        suite, "programs_unusable", len(refused), "programs", programs,
        note="; ".join(f"{r.program}: {r.verdict}" for r in refused),
    )  # fmt: skip
    for name in ANCHORS:
        for figure, of in (("killed", mutants), ("subtle_killed", fine)):
            has_say = [r for r in of if name in r.usable]
            if has_say:
                yield _share(
                    suite, f"{figure}_by_{name}", has_say, lambda r, n=name: n not in r.accepted
                )
    by_operator = {r.name for r in mutants}
    note = "; ".join(
        f"{name} {sum(caught(r) for r in mutants if r.name == name)}"
        f"/{sum(r.name == name for r in mutants)}"
        for name in sorted(by_operator)
    )
    yield Record(suite, "operators", len(by_operator), "operators", len(OPERATORS), note=note)


def _share(
    suite: str,
    name: str,
    rows: Sequence[Row],
    holds: Callable[[Row], bool],
    peers: dict[str, float] | None = None,
    note: str = "",
) -> Record:
    if not rows:
        return Record(suite, name, 0.0, "of mutants", 0, note=note)
    found = [float(holds(r)) for r in rows]
    value, low, high = bootstrap(found, lambda s: sum(s) / len(s))
    return Record(suite, name, value, "of mutants", len(rows), low, high, peers or {}, note)


def _peers(rows: Sequence[Row]) -> dict[str, float]:
    shares = {}
    for name in ANCHORS:
        has_say = [r for r in rows if name in r.usable]
        if has_say:
            shares[name] = sum(name not in r.accepted for r in has_say) / len(has_say)
    return shares


def _inconclusive(rows: Sequence[Row]) -> int:
    return sum(r.verdict == "Inconclusive" for r in rows)


def _by_kind(rows: Sequence[Row]) -> str:
    parts = []
    for kind in KINDS:
        of_kind = [r for r in rows if r.kind == kind]
        if of_kind:
            parts.append(f"{kind} {sum(map(caught, of_kind))}/{len(of_kind)}")
    return ", ".join(parts)


def _counted(things: Iterator[str]) -> str:
    return ", ".join(f"{k} {v}" for k, v in Counter(things).most_common()) or "none"


def brief(rows: Sequence[Row]) -> str:
    mutants, pairs = differing(rows), [r for r in rows if r.role == EQUIVALENT]
    unusable = [r for r in rows if r.role == PROGRAM]
    if unusable:
        return f"{unusable[0].verdict}: {unusable[0].why[:120]}"
    text = f"{sum(map(caught, mutants))}/{len(mutants)} caught"
    return f"{text}, {sum(not caught(r) for r in pairs)}/{len(pairs)} accepted"


def details(rows: Sequence[Row]) -> Iterator[str]:
    """Every differing mutant that semrep accepts, and every equivalent that it does not."""
    for r in differing(rows):
        if not caught(r):
            what = (r.arbiter or {}).get("what", "")
            yield f"ACCEPTED {r.program}:{r.line} {r.name}: {r.before} -> {r.after}"
            yield f"    {r.difference}: {what}; anchors that accept: {len(r.accepted)}"
    for r in rows:
        if r.role == EQUIVALENT and r.strict and caught(r):
            yield f"REFUSED {r.program}:{r.line} {r.name} ({r.contract}): {r.why}"


def operator_table() -> str:
    lines = ["faults:"]
    lines += [f"  {o.name:22} {o.imitates}" for o in OPERATORS]
    lines += ["", "transformations that change nothing:"]
    lines += [f"  {t.name:22} {t.description} ({t.contract})" for t in TRANSFORMATIONS]
    return "\n".join(lines)
