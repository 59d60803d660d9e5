"""A process that runs originals and candidates for the anchors and the arbiter.

One JSON object a line on standard input, one answer a line on standard output. Jobs: `load` an
original, then `anchors` or `arbiter` with a candidate. Whoever asks kills it when it hangs.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from types import ModuleType
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import torch

from bench.trust.anchors import ANCHORS, TRIALS, Leaves, accepts
from bench.trust.arbiter import Arbiter
from bench.trust.calling import call, copied, entry_of, flat, load
from bench.trust.drawing import NORMAL, UNIFORM, draw
from bench.trust.interpreter import forget, mend
from bench.trust.program import Program

_TRIAL_SEED = 7000


class Session:
    """One original: its results are kept, candidates come and go."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.lines: set[int] = set()
        self.values: dict[str, dict[str, int]] = {}
        self.original = self._traced()
        self.expected = {how: self._results(self.original, how) for how in (UNIFORM, NORMAL)}
        # An anchor that does not take the original for itself, say for a NaN, has no say.
        self.usable = [
            name
            for name, (how, _) in ANCHORS.items()
            if self.expected[how] and all(accepts(name, r, r) for r in self.expected[how])
        ]

    def _traced(self) -> ModuleType:
        """The original, once run with a note of which lines were run."""
        found: list[ModuleType] = []

        def trace(frame: Any, event: str, _: Any) -> Any:
            if "trust_program_" not in frame.f_code.co_filename:
                return None
            if event == "line":
                self.lines.add(frame.f_lineno)
            elif event == "return":
                seen = self.values.setdefault(frame.f_code.co_name, {})
                seen |= {k: v for k, v in frame.f_locals.items() if type(v) is int}
            return trace

        sys.settrace(trace)
        try:
            found.append(load(self.program.source))
            self._result(found[0], UNIFORM, _TRIAL_SEED)
        finally:
            sys.settrace(None)
        return found[0]

    def _result(self, module: ModuleType, how: str, seed: int) -> Leaves:
        function = entry_of(self.program, module)
        args, kwargs = draw(self.program, self.original if self._loaded else module, how, seed)
        return flat(call(function, copied(args), copied(kwargs), seed))

    @property
    def _loaded(self) -> bool:
        return hasattr(self, "original")

    def _results(self, module: ModuleType, how: str) -> list[Leaves]:
        return [self._result(module, how, _TRIAL_SEED + i) for i in range(TRIALS)]

    def anchors(self, candidate: str) -> dict[str, Any]:
        """Which anchors accept; ran: whether the candidate gave any result at all."""
        try:
            module = load(candidate)
        except Exception as e:
            return {"ran": False, "accepted": [], "error": f"{type(e).__name__}: {e}"[:200]}
        results: dict[str, list[Leaves] | None] = {}
        ran, error = False, ""
        forget()
        for how in (UNIFORM, NORMAL):
            found: list[Leaves] | None = []
            for i in range(TRIALS):
                try:
                    # The original's arguments: both are given the same ones, one after the other.
                    found.append(self._result(module, how, _TRIAL_SEED + i))  # type: ignore[union-attr]
                    ran = True
                except Exception as e:
                    found, error = None, f"{type(e).__name__}: {e}"[:200]
                    break
            results[how] = found
        accepted = []
        for name in self.usable:
            how = ANCHORS[name][0]
            new = results[how]
            if new is not None and all(
                accepts(name, a, b) for a, b in zip(self.expected[how], new, strict=True)
            ):
                accepted.append(name)
        return {"ran": ran, "accepted": accepted, "error": error}

    def arbiter_as_given(self, candidate: str) -> dict[str, Any]:
        return self.arbiter(candidate, as_given=True)

    def arbiter(self, candidate: str, as_given: bool = False) -> dict[str, Any]:
        try:
            module = load(candidate)
        except Exception as e:
            return {"where": "plain", "what": f"{type(e).__name__}: {e}"[:200]}
        found = Arbiter(self.program, self.original).judge(module, as_given)
        return {} if found is None else {"where": found.where, "what": found.what}


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    mend()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what programs print is not an answer
    session: Session | None = None
    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            job = json.loads(line)
            answer: dict[str, Any]
            try:
                if job["do"] == "load":
                    session = Session(Program(**job["program"]))
                    answer = {"lines": sorted(session.lines), "usable": session.usable}
                    answer["values"] = session.values
                else:
                    assert session is not None
                    answer = getattr(session, job["do"])(job["candidate"])
            except Exception as e:
                answer = {"failed": f"{type(e).__name__}: {e}"[:300]}
            print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
