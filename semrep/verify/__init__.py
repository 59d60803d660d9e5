"""Verification by differential execution: `Verifier`, `verify`, and the verdicts."""

from semrep.runtime import Harness, NoHarness, discover
from semrep.verify.verdict import (
    Counterexample,
    Different,
    Equivalent,
    Grade,
    Inconclusive,
    Verdict,
)
from semrep.verify.verifier import Baseline, Verifier, verify

__all__ = [
    "Baseline",
    "Counterexample",
    "Different",
    "Equivalent",
    "Grade",
    "Harness",
    "Inconclusive",
    "NoHarness",
    "Verdict",
    "Verifier",
    "discover",
    "verify",
]
