"""From one module to the next: every legal step, worked out but not yet judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from semrep.ir.module import Module
from semrep.ir.text import Span
from semrep.passes.base import Pass, Refusal, Site
from semrep.passes.manager import BrokenEdit, Missed, Step, step


@dataclass(frozen=True, slots=True)
class Move:
    """A step from one module to the next."""

    pass_: Pass
    step: Step
    after: Module


Within = Callable[[Module, Site], bool]


def everywhere(module: Module, site: Site) -> bool:
    return True


def inside(spans: Iterable[Span]) -> Within:
    """Only sites that touch one of these spans of the module they belong to."""
    wanted = tuple(spans)

    def touches(module: Module, site: Site) -> bool:
        return any(w.overlaps(site.span) or w.contains(site.span) for w in wanted)

    return touches


def legal_moves(
    module: Module,
    passes: Iterable[Pass],
    within: Within = everywhere,
    missed: Callable[[Missed], None] | None = None,
) -> Iterator[Move]:
    """All legal steps from a module, pass by pass in the order given.

    missed: told of each refusal. A pass that writes text which does not parse is told of as
    the refusal `broken-edit`; it is a bug of the pass, and no reason to stop the others.
    """
    for pass_ in passes:
        for site in pass_.sites(module):
            if not within(module, site):
                continue
            try:
                result = step(module, pass_, site)
            except BrokenEdit as error:
                result = Refusal("broken-edit", str(error))
            if isinstance(result, Refusal):
                if missed is not None and result.code != "no-change":
                    missed(Missed(site, result))
                continue
            yield Move(pass_, result[1], result[0])
