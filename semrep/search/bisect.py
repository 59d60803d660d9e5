"""Finds the step of a trace after which the program is no longer what it was."""

from __future__ import annotations

from collections.abc import Sequence

from semrep.ir.module import Module
from semrep.passes.contract import weakest
from semrep.passes.manager import Step, Trace
from semrep.verify import Equivalent, Verifier


def states(trace: Trace) -> list[Module]:
    """The modules of a trace: the original, then one after each step."""
    found = [trace.before]
    for step in trace.steps:
        found.append(found[-1].apply(step.edits))
    return found


def first_guilty(trace: Trace, verifier: Verifier) -> tuple[Step, str]:
    """The first step whose result does not verify, with the reason, by bisection.

    The whole trace must be known not to verify. A step that a later one makes good again can
    hide; so does LLVM's opt-bisect.
    """
    modules: Sequence[Module] = states(trace)
    good, bad = 0, len(trace.steps)
    reason = ""
    while bad - good > 1 or not reason:
        middle = (good + bad) // 2 if bad - good > 1 else bad
        contract = weakest(s.contract for s in trace.steps[:middle])
        verdict = verifier.check(modules[middle].source, contract)
        if isinstance(verdict, Equivalent):
            if middle == bad:
                return trace.steps[bad - 1], "it verified here, and not on fresh inputs"
            good = middle
        else:
            bad, reason = middle, str(verdict)
    return trace.steps[bad - 1], reason
