"""Results for people: a summary, the evidence, and on request the reasons."""

from __future__ import annotations

from collections.abc import Iterator

from semrep.ir.module import Module
from semrep.ir.text import Span
from semrep.passes.manager import Missed, Step
from semrep.report.diff import fragment
from semrep.result import Result, Status
from semrep.runtime import Harness, NoHarness
from semrep.search.evaluation import Attempt, Decision
from semrep.search.strategy import NOTHING_LEFT

_MISSED_IN_SUMMARY = 3
_STEPS_IN_SUMMARY = 24


def summary(result: Result) -> str:
    """Harness, steps, verdict, times, and what stood nearest in the way."""
    return "\n".join(_summary(result)) + "\n"


def _summary(result: Result) -> Iterator[str]:
    name = result.module.path or "<stdin>"
    harness = result.harness
    if isinstance(harness, Harness):
        yield f"{name}: {harness.entry}  ({harness.description.removeprefix(f'{name}: ')})"
    else:
        yield f"{name}:"
    if result.trace.steps:
        yield ""
        yield from _steps(result.trace.steps)
    yield ""
    if result.verdict is not None:
        yield f"  verified   {result.verdict}"
    if result.cost is not None:
        yield f"  measured   {result.cost.describe()}"
    if result.contract.assumes:
        yield f"  assumes    {'; '.join(sorted(result.contract.assumes))}"
    if result.status is not Status.VERIFIED:
        yield f"  {result.status!s:<9}  {result.note}"
    if isinstance(harness, NoHarness):
        yield "             to verify: --entry NAME --inputs 'EXPRESSION', or see --help"
    for rejected in result.rejected:
        yield f"  taken back {rejected}"
    tried = [a for a in result.attempts if a.judgement.decision is not Decision.ACCEPTED]
    if tried:
        yield f"  tried      {len(result.attempts)} candidates, {_tally(result.attempts)}"
    if result.stopped and result.stopped != NOTHING_LEFT:
        yield f"  stopped    {result.stopped}"
    told = _by_reason(result.missed)
    for text in told[:_MISSED_IN_SUMMARY]:
        yield f"  missed     {text}"
    if len(told) > _MISSED_IN_SUMMARY:
        yield f"             {len(told) - _MISSED_IN_SUMMARY} more reasons: --explain"


def _steps(steps: tuple[Step, ...]) -> Iterator[str]:
    """A line a step; of many, a line a pass."""
    width = max(len(s.site.pass_spec) for s in steps)
    if len(steps) > _STEPS_IN_SUMMARY:
        counts: dict[tuple[str, str], int] = {}
        for s in steps:
            key = (s.site.pass_spec, str(s.contract.numerics))
            counts[key] = counts.get(key, 0) + 1
        for (spec, numerics), count in counts.items():
            yield f"  {count:5} times  {spec:<{width}}  {numerics}"
        return
    for number, step in enumerate(steps, 1):
        old, new = _heart(step)
        rewrite = f"{old} → {new}"
        yield f"  {number:2}  {step.site.pass_spec:<{width}}  {rewrite}   {step.contract.numerics}"


def _tally(attempts: tuple[Attempt, ...]) -> str:
    counts: dict[str, int] = {}
    for a in attempts:
        counts[str(a.judgement.decision)] = counts.get(str(a.judgement.decision), 0) + 1
    return ", ".join(f"{n} {what}" for what, n in sorted(counts.items(), key=lambda i: -i[1]))


def _heart(step: Step) -> tuple[str, str]:
    """The largest of a step's edits, old and new."""
    pairs = list(zip(step.removed, step.edits, strict=True))
    old, edit = max(pairs, key=lambda p: len(p[0]) + len(p[1].text))
    return fragment(old, 48) or "(nothing)", fragment(edit.text, 48) or "(removed)"


def _by_reason(missed: tuple[Missed, ...]) -> list[str]:
    """One line a pass and reason, the most important family first."""
    order = {"tensor": 0, "array": 0, "triton": 1, "loop": 2, "scalar": 3}
    counts: dict[tuple[str, str, str], int] = {}
    for m in missed:
        key = (m.site.pass_spec, m.refusal.code, m.refusal.message)
        counts[key] = counts.get(key, 0) + 1

    def rank(item: tuple[tuple[str, str, str], int]) -> tuple[int, str]:
        from semrep.passes import registry

        name = item[0][0].partition("{")[0]
        return order.get(registry.find(name).family, 9), name

    return [
        f"{spec}: {message} ({code}{f', {n} places' if n > 1 else ''})"
        for (spec, code, message), n in sorted(counts.items(), key=rank)
    ]


def explanation(result: Result, line: int | None = None) -> str:
    """Every step, every candidate that was turned down and every refusal, with its place; for
    one line of the result where `line` (1-based) is given."""
    return "\n".join(_explanation(result, line)) + "\n"


def _explanation(result: Result, line: int | None) -> Iterator[str]:
    after = result.trace.after
    for step in result.trace.steps:
        old, new = _heart(step)
        yield f"applied   {step.site.pass_spec}: {old} → {new} ({step.contract})"
    for a in result.attempts:
        if a.judgement.decision is Decision.ACCEPTED:
            continue
        old, new = _heart(a.move.step)
        yield f"rejected  {a.passes}: {old} → {new}"
        yield f"          {a.judgement.decision}: {a.judgement.reason}"
        counterexample = getattr(a.judgement.verdict, "counterexample", None)
        if counterexample is not None:
            yield from (f"          {text}" for text in counterexample.describe().splitlines())
    for rejected in result.rejected:
        yield f"rejected  {rejected}"
    for m in result.missed:
        span = m.refusal.span or m.site.span
        if line is not None and after.location(span).line != line:
            continue
        yield f"missed    {m.site.pass_spec}"
        yield from (
            f"          {t}" for t in pointed(after, span, m.refusal.code, m.refusal.message)
        )


def pointed(module: Module, span: Span, code: str, message: str) -> Iterator[str]:
    """`path:line:column: code: message`, the line, and a caret under the place."""
    where = module.location(span)
    yield f"{module.path or '<stdin>'}:{where.line}:{where.column}: {code}: {message}"
    text = "".join(
        c if c.isprintable() or c == "\t" else "·" for c in module.lines.text_of(where.line)
    )
    yield f"    {text[:160]}"
    if where.column <= 160:
        blank = "".join("\t" if c == "\t" else " " for c in text[: where.column - 1])
        yield f"    {blank}^"


def diagnostics(module: Module) -> str:
    """The diagnostics of a module, each with its place and a caret."""
    return "".join(
        f"{line}\n"
        for d in module.diagnostics
        for line in pointed(module, d.span, d.code, d.message)
    )
