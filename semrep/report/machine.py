"""Results as JSON: what `--json` prints, one object a file."""

from __future__ import annotations

from typing import Any

from semrep.ir.module import Module
from semrep.ir.text import Span
from semrep.passes.base import Refusal, Site
from semrep.passes.manager import Step
from semrep.report.diff import unified
from semrep.result import Result
from semrep.runtime import Harness

SCHEMA = 1


def to_json(result: Result) -> dict[str, Any]:
    """All of a result but the texts: digests, steps with their contracts, verdict, cost, what
    was missed, taken back and tried, and the diff. Byte offsets are of the text that the step
    or refusal was made on."""
    after = result.trace.after
    harness = result.harness
    return {
        "schema": SCHEMA,
        "path": result.module.path,
        "status": str(result.status),
        "note": result.note,
        "changed": result.changed,
        "before": result.module.digest,
        "after": after.digest,
        "pipeline": result.pipeline,
        "contract": str(result.contract),
        "harness": str(harness) if harness is not None else None,
        "executable": isinstance(harness, Harness),
        "verdict": result.verdict.to_json() if result.verdict is not None else None,
        "cost": result.cost.to_json() if result.cost is not None else None,
        "steps": [_step(s) for s in result.trace.steps],
        "missed": [_refusal(after, m.site, m.refusal) for m in result.missed],
        "rejected": [{"step": _step(r.step), "reason": r.reason} for r in result.rejected],
        "attempts": [
            {
                "pass": a.passes,
                "span": _span(a.move.step.site.span),
                "depth": a.depth,
                "decision": str(a.judgement.decision),
                "reason": a.judgement.reason,
            }
            for a in result.attempts
        ],
        "stopped": result.stopped,
        "proposer": result.proposer,
        "diff": unified(result.module, after),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "pass": step.site.pass_spec,
        "span": _span(step.site.span),
        "contract": str(step.contract),
        "edits": [
            {
                "span": _span(edit.span),
                "old": old.decode("utf-8", "replace"),
                "new": edit.text.decode("utf-8", "replace"),
            }
            for edit, old in zip(step.edits, step.removed, strict=True)
        ],
    }


def _refusal(module: Module, site: Site, refusal: Refusal) -> dict[str, Any]:
    span = refusal.span or site.span
    where = module.location(span)
    return {
        "pass": site.pass_spec,
        "code": refusal.code,
        "message": refusal.message,
        "span": _span(span),
        "line": where.line,
        "column": where.column,
    }


def _span(span: Span) -> list[int]:
    return [span.start, span.end]
