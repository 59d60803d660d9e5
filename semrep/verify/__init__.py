"""Verification by differential execution: `Verifier`, `verify`, and the verdicts.

The package is itself the call: `semrep.verify(f, g, inputs=...)` is `semrep.verify.verify`.
"""

import sys
import types
from typing import Any

from semrep.runtime import Harness, NoHarness, discover
from semrep.verify.pair import NotRunnable, Pair, contract_named, verify
from semrep.verify.verdict import (
    Counterexample,
    Different,
    Equivalent,
    Grade,
    Inconclusive,
    Verdict,
)
from semrep.verify.verifier import Baseline, Verifier

__all__ = [
    "Baseline",
    "Counterexample",
    "Different",
    "Equivalent",
    "Grade",
    "Harness",
    "Inconclusive",
    "NoHarness",
    "NotRunnable",
    "Pair",
    "Verdict",
    "Verifier",
    "contract_named",
    "discover",
    "verify",
]


class _Callable(types.ModuleType):
    def __call__(self, *arguments: Any, **named: Any) -> Verdict:
        return verify(*arguments, **named)


sys.modules[__name__].__class__ = _Callable
