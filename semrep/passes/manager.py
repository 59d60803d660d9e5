"""Runs passes over a module: one step, one sweep, or a pipeline to its fixed point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from semrep.ir.module import Module
from semrep.ir.text import EditSet, OverlapError, Span
from semrep.passes.base import Pass, Refusal, Site
from semrep.passes.contract import Contract, weakest
from semrep.passes.pipeline import Pipeline, parse_pass

MAX_STEPS = 10_000


class BrokenEdit(RuntimeError):
    """A pass wrote text that does not parse: a bug in the pass, never in the input."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rewrite that took place. removed: the old text of each edit. before, after: digests
    of the texts. seconds: spent in deciding and rewriting."""

    site: Site
    edits: EditSet
    removed: tuple[bytes, ...]
    contract: Contract
    before: str
    after: str
    seconds: float = field(compare=False)

    @property
    def key(self) -> tuple[object, ...]:
        """Names the rewrite wherever it stands: pass, old text, new text."""
        return self.site.pass_spec, self.removed, tuple(e.text for e in self.edits)

    def __str__(self) -> str:
        return f"{self.site.pass_spec}@{self.site.span}: {self.edits}"


@dataclass(frozen=True, slots=True)
class Missed:
    """A site at which a pass refused to act."""

    site: Site
    refusal: Refusal

    def __str__(self) -> str:
        return f"{self.site.pass_spec}: {self.refusal}"


@dataclass(frozen=True, slots=True)
class Trace:
    """What a run did. Replaying `pipeline` on the same text gives the same result."""

    before: Module
    after: Module
    steps: tuple[Step, ...] = ()
    missed: tuple[Missed, ...] = ()
    seconds: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    """Time spent in each pass, by spec, in seconds."""

    @property
    def changed(self) -> bool:
        return self.before.source != self.after.source

    @property
    def pipeline(self) -> str:
        """The steps as a pipeline, each at its place in the text it was applied to."""
        return ",".join(f"{s.site.pass_spec}@{s.site.span}" for s in self.steps)

    @property
    def contract(self) -> Contract:
        return weakest(s.contract for s in self.steps)

    def __str__(self) -> str:
        return f"{len(self.steps)} steps, {len(self.missed)} refused: {self.pipeline}"


Observer = Callable[[Step, Module], None]


def step(module: Module, pass_: Pass, site: Site) -> tuple[Module, Step] | Refusal:
    """Apply one pass at one site. An edit that changes nothing is the refusal `no-change`.
    Raises BrokenEdit where the result does not parse, ValueError for a foreign site."""
    started = time.perf_counter()
    result = _rewrite(module, pass_, site)
    if isinstance(result, Refusal):
        return result
    after = module.apply(result)
    if after.source == module.source:
        return Refusal("no-change", "the text is already what this pass would write")
    if after.tree.root_node.has_error and not module.tree.root_node.has_error:
        raise BrokenEdit(f"{site} does not parse after {result}")
    spent = time.perf_counter() - started
    return after, _record(module, after, pass_, site, result, spent)


def _rewrite(module: Module, pass_: Pass, site: Site) -> EditSet | Refusal:
    try:
        return pass_.rewrite(module, site)
    except RecursionError:
        return Refusal("too-deep", "the code nests deeper than the analyses can follow")


def _record(
    before: Module, after: Module, pass_: Pass, site: Site, edits: EditSet, seconds: float
) -> Step:
    removed = tuple(before.source[e.span.start : e.span.end] for e in edits)
    return Step(site, edits, removed, pass_.contract, before.digest, after.digest, seconds)


class PassManager:
    """Applies the passes of a pipeline in order, each until it finds nothing more to do.

    observer: called after each step with the step and the module it led to. max_steps: at
    most this many steps a pass. vetoed: keys of steps that must not be taken.
    """

    def __init__(
        self,
        *,
        observer: Observer | None = None,
        max_steps: int = MAX_STEPS,
        vetoed: Iterable[tuple[object, ...]] = (),
    ) -> None:
        self.vetoed = frozenset(vetoed)
        self.observer = observer
        self.max_steps = max_steps

    def run(self, module: Module, pipeline: Pipeline | str | Iterable[Pass]) -> Trace:
        """Raises PipelineError for a bad pipeline text, and ValueError where an element that
        names a place has no site there."""
        if isinstance(pipeline, str):
            pipeline = Pipeline.parse(pipeline)
        if isinstance(pipeline, Pipeline):
            elements = [(e.pass_, e.at) for e in pipeline]
        else:
            elements = [(p, None) for p in pipeline]
        current = module
        steps: list[Step] = []
        missed: dict[tuple[str, str, str], Missed] = {}
        seconds: dict[str, float] = {}
        for pass_, at in elements:
            started = time.perf_counter()
            if at is not None:
                current = self._at(current, pass_, at, steps)
            else:
                current = self._to_fixed_point(current, pass_, steps, missed)
            spent = time.perf_counter() - started
            seconds[str(pass_)] = seconds.get(str(pass_), 0.0) + spent
        return Trace(module, current, tuple(steps), tuple(missed.values()), tuple(seconds.items()))

    def _at(self, module: Module, pass_: Pass, at: Span, steps: list[Step]) -> Module:
        site = next((s for s in pass_.sites(module) if s.span == at), None)
        if site is None:
            raise ValueError(f"{pass_} has no site at {at} in this text")
        result = step(module, pass_, site)
        if isinstance(result, Refusal):
            raise ValueError(f"{site} is refused: {result}")
        return self._took(result, steps)

    def _took(self, result: tuple[Module, Step], steps: list[Step]) -> Module:
        after, taken = result
        steps.append(taken)
        if self.observer is not None:
            self.observer(taken, after)
        return after

    def _to_fixed_point(
        self,
        module: Module,
        pass_: Pass,
        steps: list[Step],
        missed: dict[tuple[str, str, str], Missed],
    ) -> Module:
        seen = {module.digest}
        first = len(steps)
        resume = 0
        while len(steps) - first < self.max_steps:
            before = module
            if pass_.is_independent:
                module = self._sweep(module, pass_, steps, missed)
            else:
                module = self._next(module, pass_, resume, steps, missed)
                resume = steps[-1].site.span.start if steps else 0
            if module is before or module.digest in seen:
                return module
            seen.add(module.digest)
        return module

    def _next(
        self,
        module: Module,
        pass_: Pass,
        resume: int,
        steps: list[Step],
        missed: dict[tuple[str, str, str], Missed],
    ) -> Module:
        """Act at the first legal site at or behind `resume`, else at the first before it: so
        a long file is gone through once, not once a step."""
        refused: list[Missed] = []
        for site in sorted(pass_.sites(module), key=lambda s: s.span.start < resume):
            result = step(module, pass_, site)
            if not isinstance(result, Refusal):
                if result[1].key not in self.vetoed:
                    return self._took(result, steps)
                result = Refusal("vetoed", "this step was taken back before")
            refused.append(Missed(site, result))
        # Only what is still refused at the end is worth telling.
        for m in refused:
            if m.refusal.code != "no-change":
                missed[m.site.pass_spec, str(m.site.span), m.refusal.code] = m
        return module

    def _is_vetoed(self, module: Module, site: Site, edits: EditSet) -> bool:
        if not self.vetoed:
            return False
        removed = tuple(module.source[e.span.start : e.span.end] for e in edits)
        return (site.pass_spec, removed, tuple(e.text for e in edits)) in self.vetoed

    def _sweep(
        self,
        module: Module,
        pass_: Pass,
        steps: list[Step],
        missed: dict[tuple[str, str, str], Missed],
    ) -> Module:
        """Act at all sites at once; where two sites' edits touch, the outer site waits."""
        started = time.perf_counter()
        chosen: list[tuple[Site, EditSet]] = []
        for site in pass_.sites(module):
            result = _rewrite(module, pass_, site)
            if isinstance(result, Refusal):
                missed[site.pass_spec, str(site.span), result.code] = Missed(site, result)
            elif not self._is_vetoed(module, site, result):
                chosen.append((site, result))
        kept = _disjoint(chosen)
        if not kept:
            return module
        together = EditSet(e for _, edits in kept for e in edits)
        after = module.apply(together)
        if after.source == module.source:
            return module
        if after.tree.root_node.has_error and not module.tree.root_node.has_error:
            raise BrokenEdit(f"{pass_} does not parse after {together}")
        spent = (time.perf_counter() - started) / len(kept)
        # Told as single steps, last one first: each then is a site of the text it acts on.
        current = module
        for index, (site, edits) in enumerate(reversed(kept)):
            last = index == len(kept) - 1
            following = after if last else Module(
                edits.apply(current.source), module.language, module.path, module.signature
            )  # fmt: skip
            moved = Site(site.pass_spec, site.span, current.digest)
            done = _record(current, following, pass_, moved, edits, spent)
            steps.append(done)
            if self.observer is not None:
                self.observer(done, following)
            current = following
        return after


def _disjoint(chosen: list[tuple[Site, EditSet]]) -> list[tuple[Site, EditSet]]:
    """The site with the smallest span wins where edits touch; result in source order."""
    kept: list[tuple[Site, EditSet]] = []
    end = -1
    hulls = sorted(
        ((e.edits[0].span.start, e.edits[-1].span.end, s, e) for s, e in chosen if e),
        key=lambda item: (item[0], item[1]),
    )
    for start, stop, site, edits in hulls:
        if start >= end:
            kept.append((site, edits))
            end = max(stop, start)
        elif stop - start < end - kept[-1][1].edits[0].span.start and stop <= end:
            kept[-1] = (site, edits)
            end = stop
    return kept


def replay(module: Module, steps: Iterable[Site]) -> Module:
    """Apply recorded sites in order. Raises ValueError where one no longer applies."""
    for site in steps:
        name, _, rest = site.pass_spec.partition("{")
        pass_ = parse_pass(name, rest.removesuffix("}") or None)
        result = step(module, pass_, site)
        if isinstance(result, Refusal):
            raise ValueError(f"{site} is refused: {result}")
        module = result[0]
    return module


__all__ = [
    "MAX_STEPS", "BrokenEdit", "Missed", "OverlapError", "PassManager", "Step", "Trace", "replay",
    "step",
]  # fmt: skip
