"""Runs passes over a module: one step, one sweep, or a pipeline to its fixed point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from semrep.ir.module import Module
from semrep.ir.text import EditSet, OverlapError, Span
from semrep.ir.unit import Unit
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
        settled: set[Unit] = set()
        while len(steps) - first < self.max_steps:
            refused: list[Missed] = []
            was_partial = bool(settled)
            chosen = self._choose(module, pass_, settled, refused)
            if not chosen and was_partial:
                # What a unit may do can depend on others (a callee's text): look once more.
                settled.clear()
                refused.clear()
                chosen = self._choose(module, pass_, settled, refused)
            after = self._apply(module, pass_, chosen, steps)
            if after is module or after.digest in seen:
                # Only what is still refused at the end is worth telling.
                for m in refused:
                    missed[m.site.pass_spec, str(m.site.span), m.refusal.code] = m
                return after
            module = after
            seen.add(module.digest)
        return module

    def _choose(
        self, module: Module, pass_: Pass, settled: set[Unit], refused: list[Missed]
    ) -> list[tuple[Site, EditSet]]:
        """What to do at once: all sites of a pass whose sites are independent, else the first
        legal one of each unit. Units without one join `settled`, which are passed over."""
        chosen: list[tuple[Site, EditSet]] = []
        busy: set[Unit] = set()
        idle: set[Unit] = set()
        for site in pass_.sites(module):
            placed = module.unit_at(site.span)
            unit = placed.unit if placed is not None else None
            if unit in settled or (unit in busy and not pass_.is_independent):
                continue
            result = _rewrite(module, pass_, site)
            if isinstance(result, Refusal) or self._is_idle(module, site, result):
                if isinstance(result, Refusal) and result.code != "no-change":
                    refused.append(Missed(site, result))
                if unit is not None:
                    idle.add(unit)
                continue
            if placed is None or not all(placed.span.contains(e.span) for e in result):
                # It reaches beyond its unit: nothing else may happen beside it.
                if not chosen:
                    return [(site, result)]
                continue
            chosen.append((site, result))
            busy.add(placed.unit)
        settled |= idle - busy
        return _disjoint(chosen)

    def _is_idle(self, module: Module, site: Site, edits: EditSet) -> bool:
        """True for a step that changes nothing, or was vetoed."""
        removed = tuple(module.source[e.span.start : e.span.end] for e in edits)
        written = tuple(e.text for e in edits)
        return removed == written or (site.pass_spec, removed, written) in self.vetoed

    def _apply(
        self, module: Module, pass_: Pass, kept: list[tuple[Site, EditSet]], steps: list[Step]
    ) -> Module:
        """Apply disjoint rewrites together, and tell them one by one."""
        if not kept:
            return module
        started = time.perf_counter()
        together = EditSet(e for _, edits in kept for e in edits)
        after = module.apply(together)
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
