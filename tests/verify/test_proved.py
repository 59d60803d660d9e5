"""A proof beside the runs raises the grade; it never overrules a run."""

from __future__ import annotations

import pytest

from semrep.verify import Different, Equivalent, Inconclusive
from semrep.verify.proof import is_available
from tests.verify.subjects import edited, verifier

pytestmark = pytest.mark.skipif(not is_available(), reason="needs the extra [smt]")

GUARDS = """
def f(a, b, rows):
    if a and b:
        return len(rows) * 2
    if not (a or b):
        return [n * 8 + 7 for n in range(len(rows))]
    return None

def g(n):
    if type(n) is int:
        return n * 4
    return 0

semrep_entry = "f"

def semrep_inputs():
    return [(True, True, [1]), (False, False, [1, 2, 3]), (True, False, [])]
"""


def test_a_proof_raises_the_grade() -> None:
    candidate = edited(GUARDS, ("if not (a or b):", "if not a and not b:"))
    verdict = verifier(GUARDS).check(candidate)
    assert isinstance(verdict, Equivalent) and verdict.grade == "proved", str(verdict)
    assert verdict.theory and verdict.cases >= 3


def test_what_never_runs_may_be_proved() -> None:
    candidate = edited(GUARDS, ("return n * 4", "return n + n + n + n"))
    verdict = verifier(GUARDS).check(candidate)
    assert isinstance(verdict, Equivalent) and verdict.grade == "proved", str(verdict)
    wrong = edited(GUARDS, ("return n * 4", "return n + n + n"))
    assert isinstance(verifier(GUARDS).check(wrong), Inconclusive)


def test_a_run_that_differs_stays_different(monkeypatch: pytest.MonkeyPatch) -> None:
    from semrep.verify import verifier as room
    from semrep.verify.proof import Proof

    monkeypatch.setattr(room, "prove", lambda *a, **k: Proof("wishful thinking", ()))
    candidate = edited(GUARDS, ("if not (a or b):", "if not (a and b):"))
    assert isinstance(verifier(GUARDS).check(candidate), Different)
