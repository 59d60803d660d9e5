"""The rooms put together: `apply_passes` and `optimize`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from semrep.ir.module import Module
from semrep.passes.base import Pass
from semrep.passes.contract import Contract, Numerics, weakest
from semrep.passes.manager import BrokenEdit, PassManager, Trace, replay
from semrep.passes.manager import Observer as StepObserver
from semrep.passes.pipeline import Element, Pipeline
from semrep.result import Rejected, Result, Status
from semrep.runtime import Harness, NoHarness, discover
from semrep.runtime.device import placed
from semrep.runtime.discovery import NOT_PYTHON
from semrep.search.beam import beam
from semrep.search.bisect import first_guilty
from semrep.search.budget import Budget
from semrep.search.differential import DifferentialEvaluator, Goal
from semrep.search.greedy import greedy
from semrep.search.proposer import FixedOrder, Proposer
from semrep.search.strategy import NOTHING_LEFT, Observer, Outcome, Search, Strategy
from semrep.store import CachedVerifier, Store
from semrep.verify import Equivalent, Inconclusive, Verifier

SAFE_PASSES = "canonical,scalar"
"""What `apply_passes` runs unless told otherwise: bitwise, and proven without a run."""

GOAL_PASSES = "array,tensor,triton,loop,scalar"
"""What `optimize` searches unless told otherwise."""

STRATEGIES: dict[str, Strategy] = {"greedy": greedy, "beam": beam()}

Effort = Literal["none", "quick", "full"]
T = TypeVar("T")
Passes = str | Sequence[str | Pass]

# Beyond this many guilty steps the passes, not the steps, are at fault.
_MOST_TAKEN_BACK = 16
_DEFAULT_SECONDS = {"quick": 45.0, "full": 300.0}
_FINAL_MEASUREMENT_S = 2.0
# An original that takes longer than this cannot be searched in any budget.
_TIMEOUT_S = {"quick": 30.0, "full": 120.0}


def apply_passes(
    src: str | bytes | Module,
    passes: Passes = SAFE_PASSES,
    *,
    verify: bool | None = None,
    entry: str | None = None,
    inputs: str | None = None,
    path: str | None = None,
    seed: int = 0,
    effort: Effort = "quick",
    device: str = "auto",
    observer: StepObserver | None = None,
) -> Result:
    """Run passes over source text, each to its fixed point, and verify the result.

    src: the text (or a Module). passes: a pipeline's text, or a sequence of pass names and
    passes. verify: None verifies where a way to run the text is found; True demands it; False
    leaves it out. entry, inputs: how to run it: a dotted name, and a Python expression for its
    arguments (see `semrep.runtime.discover` for what is found without them). path: of the
    text, for messages and relative imports. device: "cpu", "cuda", or "auto" for a GPU where
    there is one. observer: called after each step.

    Steps that make the text run differently are taken back and listed in `rejected`. Without
    a run, only steps with a BITWISE contract are taken, and the status is `not executed`.

    Raises PipelineError for a bad pipeline, and ValueError where `verify=True` and the text
    cannot be run.
    """
    module = src if isinstance(src, Module) else Module.from_text(src, path)
    pipeline = as_pipeline(passes)
    if not module.is_rewritable:
        return _not_rewritable(module)
    harness = None
    if verify is not False:
        harness = discover(module.source, module.path, entry, inputs)
    if isinstance(harness, Harness):
        harness = placed(harness, device)
    else:
        if verify:
            raise ValueError(f"cannot verify: {harness}")
        return _without_a_run(module, pipeline, harness, observer)
    with Store() as store, _verifier(module, harness, effort, seed, store) as verifier:
        typed = _with_facts(module, verifier)
        if isinstance(typed, Inconclusive):
            return Result.unchanged(module, Status.NO_BASELINE, typed.reason, harness)
        return _applied(typed, pipeline, verifier, observer)


def optimize(
    src: str | bytes | Path | Module,
    *,
    goal: str = "latency",
    passes: Passes = GOAL_PASSES,
    entry: str | None = None,
    inputs: str | None = None,
    path: str | None = None,
    budget: str | int | Budget | None = None,
    effort: Effort = "quick",
    strategy: str | Strategy = "greedy",
    proposer: Proposer | None = None,
    seed: int = 0,
    device: str = "auto",
    observer: Observer | None = None,
) -> Result:
    """Search for a faster (or smaller) program; every accepted step is verified by running it.

    src: a path, a text, or a Module. goal: "latency" or "size". budget: "30s", "200"
    (evaluations) or a Budget; by default 45 seconds, at full effort 300. strategy: "greedy",
    "beam", or a Strategy. device: "cpu", "cuda", or "auto". observer: called after each attempt.

    The result is confirmed on inputs that the search never saw. It is the original unless it
    is better with the whole of a 95% interval. Without a way to run the text, it is what
    `apply_passes` makes of the bitwise ones among `passes`.

    Raises ValueError for an unknown goal, strategy or budget, PipelineError for a bad
    pipeline, OSError where the path cannot be read.
    """
    aim = _named(goal, {str(g): g for g in Goal}, "goal")
    walk = _named(strategy, STRATEGIES, "strategy") if isinstance(strategy, str) else strategy
    if isinstance(src, Path):
        src, path = src.read_bytes(), str(src)
    module = src if isinstance(src, Module) else Module.from_text(src, path)
    pipeline = as_pipeline(passes)
    spend = budget_of(budget, effort)
    if not module.is_rewritable:
        return _not_rewritable(module)
    harness = discover(module.source, module.path, entry, inputs)
    if not isinstance(harness, Harness) or effort == "none":
        return _without_a_run(module, pipeline, harness, None)
    harness = placed(harness, device)
    spend.start()
    with Store() as store, _verifier(module, harness, effort, seed, store) as verifier:
        typed = _with_facts(module, verifier)
        if isinstance(typed, Inconclusive):
            return Result.unchanged(module, Status.NO_BASELINE, typed.reason, harness)
        # Confirming runs the original anew, and measures once more.
        spend.reserved = _FINAL_MEASUREMENT_S + 1.5 * spend.elapsed
        evaluator = DifferentialEvaluator(verifier, aim)
        search = Search(pipeline.passes, evaluator, spend, proposer or FixedOrder())
        search.observer = observer
        outcome = walk(search, typed)
        return _confirmed(typed, outcome, evaluator)


def as_pipeline(passes: Passes) -> Pipeline:
    """A pipeline from its text, or from pass names and passes. Raises PipelineError."""
    if isinstance(passes, str):
        return Pipeline.parse(passes)
    elements: list[Element] = []
    for one in passes:
        elements.extend(Pipeline.parse(one) if isinstance(one, str) else [Element(one)])
    return Pipeline(tuple(elements))


def _with_facts(module: Module, verifier: Verifier) -> Module | Inconclusive:
    """The module with the types that its entry was seen to be called with."""
    baseline = verifier.baseline()
    if isinstance(baseline, Inconclusive):
        return baseline
    signature = verifier.signature()
    return signature if isinstance(signature, Inconclusive) else module.with_signature(signature)


def _applied(
    module: Module, pipeline: Pipeline, verifier: Verifier, observer: StepObserver | None
) -> Result:
    """Run the pipeline; while the result does not verify, veto the first guilty step."""
    rejected: list[Rejected] = []
    trace = PassManager(observer=observer).run(module, pipeline)
    while trace.changed and len(rejected) < _MOST_TAKEN_BACK:
        verdict = verifier.confirm(trace.after.source, trace.contract)
        if isinstance(verdict, Equivalent):
            return Result(
                module, trace, Status.VERIFIED, str(verdict), verdict,
                harness=verifier.harness, rejected=tuple(rejected),
            )  # fmt: skip
        guilty, reason = first_guilty(trace, verifier)
        rejected.append(Rejected(guilty, reason))
        manager = PassManager(observer=observer, vetoed=[r.step.key for r in rejected])
        trace = manager.run(module, pipeline)
    if not rejected:
        missed = Trace(module, module, (), trace.missed, trace.seconds)
        note = "no pass found anything to rewrite"
        return Result(module, missed, Status.UNCHANGED, note, harness=verifier.harness)
    return Result(
        module, Trace(module, module, (), trace.missed, trace.seconds), Status.REJECTED,
        rejected[0].reason, harness=verifier.harness, rejected=tuple(rejected),
    )  # fmt: skip


def _without_a_run(
    module: Module,
    pipeline: Pipeline,
    harness: Harness | NoHarness | None,
    observer: StepObserver | None,
) -> Result:
    bitwise = [e for e in pipeline if _needs_no_run(e.pass_.contract)]
    trace = PassManager(observer=observer).run(module, Pipeline(tuple(bitwise)))
    if _compiles(module) and not _compiles(trace.after):
        # tree-sitter's grammar takes what CPython does not: the passes have a bug.
        raise BrokenEdit(f"Python does not accept what these steps wrote: {trace.pipeline}")
    note = str(harness) if isinstance(harness, NoHarness) else "verification was switched off"
    status = Status.NOT_EXECUTED if trace.changed else Status.UNCHANGED
    return Result(module, trace, status, note, harness=harness)


def _needs_no_run(contract: Contract) -> bool:
    """True for passes that prove all they rely on from the text."""
    return contract.numerics is Numerics.BITWISE and not contract.assumes


def _compiles(module: Module) -> bool:
    try:
        compile(module.source, module.path or "<text>", "exec", dont_inherit=True)
    except NOT_PYTHON:
        return False
    return True


def _why_nothing(outcome: Outcome) -> str:
    if outcome.attempts:
        return "nothing was faster"
    if outcome.stopped == NOTHING_LEFT:
        return "no pass applies here"
    return f"stopped before the first attempt ({outcome.stopped}); learning the original took it"


def _confirmed(module: Module, outcome: Outcome, evaluator: DifferentialEvaluator) -> Result:
    """Decide on fresh inputs and a longer measurement; fall back to earlier states."""
    verifier = evaluator.verifier
    steps = outcome.best.steps
    current = outcome.best.module
    rejected: list[Rejected] = []
    found = Result(
        module, Trace(module, module, (), outcome.missed), Status.UNCHANGED,
        _why_nothing(outcome),
        harness=verifier.harness, attempts=outcome.attempts, stopped=outcome.stopped,
        proposer=outcome.proposer,
    )  # fmt: skip
    evaluator.seconds = _FINAL_MEASUREMENT_S
    while steps:
        verdict = verifier.confirm(current.source, weakest(s.contract for s in steps))
        if isinstance(verdict, Equivalent):
            break
        rejected.append(Rejected(steps[-1], str(verdict)))
        steps = steps[:-1]
        current = replay(module, (s.site for s in steps))
    else:
        if rejected:
            found = replace(
                found, status=Status.REJECTED, note=rejected[0].reason, rejected=tuple(rejected)
            )
        return found
    cost = evaluator.cost(module, current)
    if isinstance(cost, str) or not cost.faster:
        note = cost if isinstance(cost, str) else f"no gain in the end: {cost.describe()}"
        return replace(found, note=note, rejected=tuple(rejected))
    return replace(
        found,
        trace=Trace(module, current, steps, outcome.missed),
        status=Status.VERIFIED,
        note=cost.describe(),
        verdict=verdict,
        cost=cost,
        rejected=tuple(rejected),
    )


def _verifier(
    module: Module, harness: Harness, effort: Effort, seed: int, store: Store
) -> Verifier:
    depth = _depth(effort)
    return CachedVerifier(
        store, module.source, harness, effort=depth, seed=seed, timeout_s=_TIMEOUT_S[depth]
    )


def _depth(effort: Effort) -> Literal["quick", "full"]:
    return "full" if effort == "full" else "quick"


def budget_of(budget: str | int | Budget | None, effort: Effort) -> Budget:
    """A budget from its text; without one, what the effort stands for. Raises ValueError."""
    if isinstance(budget, Budget):
        return budget
    if budget is None:
        return Budget(seconds=_DEFAULT_SECONDS.get(effort))
    return Budget.parse(str(budget))


def _named(name: str, known: Mapping[str, T], what: str) -> T:
    if name not in known:
        raise ValueError(f"no {what} is named {name!r}; there are {', '.join(known)}")
    return known[name]


def _not_rewritable(module: Module) -> Result:
    blocking = next(d for d in module.diagnostics if d.blocks_file)
    return Result.unchanged(module, Status.NOT_REWRITABLE, str(blocking))
