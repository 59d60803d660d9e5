"""The one door to z3, imported at first use: bounded questions about equality."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from semrep.verify.proof.result import Refused

# z3 checks its clock between steps; the resource limit stops a step that is too long for that.
_RESOURCES_PER_S = 3_000_000


def is_available() -> bool:
    """True where the extra `smt` is installed. Imports nothing."""
    return importlib.util.find_spec("z3") is not None


@lru_cache(maxsize=1)
def z3() -> Any:
    """The z3 module; ImportError with the name of the extra where it is missing."""
    try:
        import z3 as module
    except ImportError as error:
        raise ImportError("proofs need z3: pip install 'semrep[smt]'") from error
    return module


@lru_cache(maxsize=1)
def object_sort() -> Any:
    """Values that nothing is known about; equal terms stand for the same object."""
    return z3().DeclareSort("Object")


class Solver:
    """Answers "does this hold for all values?" within a time limit for each question and one
    for all of them. False means: not shown, be it false, too hard, or out of time."""

    def __init__(self, query_s: float = 2.0, total_s: float = 10.0) -> None:
        self._query_s = query_s
        self._deadline = time.monotonic() + total_s
        self.counterexample = ""
        self.gave_up = ""
        self._answers: dict[tuple[int, ...], tuple[bool, list[Any]]] = {}

    def check_time(self) -> None:
        """Raises Refused when the total is spent."""
        if time.monotonic() > self._deadline:
            raise Refused("out of time: the proof takes longer than its limit")

    def normal(self, term: Any) -> Any:
        """A normal form: sums of monomials, so that ring identities become identical terms."""
        return z3().simplify(term, som=True, som_blowup=100)

    def equal(self, left: Any, right: Any, given: Iterable[Any] = ()) -> bool:
        """True where both terms have the same sort and value whenever `given` holds."""
        if left.sort() != right.sort():
            return False
        if left.eq(right) or self.normal(left).eq(self.normal(right)):
            return True
        return self.holds(left == right, given)

    def holds(self, goal: Any, given: Iterable[Any] = ()) -> bool:
        """True where the goal holds whenever all of `given` does."""
        m = z3()
        goal = self.normal(goal)
        if m.is_true(goal):
            return True
        given = list(given)
        if not given and m.is_false(goal):
            return False
        # Terms are shared, so that the same question has the same numbers; the kept terms keep
        # them from being given to others.
        key = (goal.get_id(), *(g.get_id() for g in given))
        if key in self._answers:
            return self._answers[key][0]
        answer = self._ask(goal, given)
        self._answers[key] = (answer, [goal, *given])
        return answer

    def _ask(self, goal: Any, given: list[Any]) -> bool:
        m = z3()
        self.check_time()
        left = min(self._query_s, max(0.05, self._deadline - time.monotonic()))
        solver = m.Solver()
        solver.set("timeout", int(left * 1000))
        solver.set("rlimit", int(left * _RESOURCES_PER_S))
        solver.add(*given)
        solver.add(m.Not(goal))
        found = solver.check()
        if found == m.unsat:
            return True
        self.counterexample = self.gave_up = ""
        if found == m.sat:
            self.counterexample = _printed(solver.model())
        else:
            self.gave_up = "the solver gave up on an equality"
        return False


def _printed(model: Any) -> str:
    shown = []
    for name in sorted(model.decls(), key=str)[:40]:
        if name.arity() == 0 and not str(name).startswith(("o!", "c!")):
            value = model[name]
            number = value.as_signed_long() if z3().is_bv_value(value) else value
            text = str(name).removeprefix("param:")
            if text.startswith("index:"):
                text = f"index along axis -{text.split(':')[1]}"
            if not str(value).startswith("Object!"):
                shown.append(f"{text} = {number}")
    return ", ".join(shown[:12])
