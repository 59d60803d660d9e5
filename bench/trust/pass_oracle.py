"""Whether a rewrite that semrep accepted is wrong: decided without semrep's verifier."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any

from bench.outcomes import Outcome, Probe, observe
from bench.trust.executor import Executor
from bench.trust.forked import Ended, call
from bench.trust.pass_corpus import PYTHON, Subject
from bench.trust.pass_corpus import TRITON as KERNEL
from bench.trust.program import JAX, NUMPY, TORCH, TRITON, Program

_DRAWS = 400
_FOREIGN = 60
_LIMIT_S = 60.0
_NUMBERS = (0, 1, 2, 3, 5, 7, -1, -2, -3, 10, 100, 2**31, 2**63, -(2**63), 10**30)
_FLOATS = (0.0, -0.0, 1.0, -1.5, 0.1, 2.5, 1e308, -1e308, 5e-324, 1e16, float("nan"), float("inf"),
           -float("inf"), 3.0, 1e-9)  # fmt: skip
_TEXTS = ("", "a", "ab", "xyz", "aa", "é", "0", "-1", "None")


@dataclass(frozen=True, slots=True)
class Judgement:
    """difference: what was found with arguments like those of the program's examples, "" for
    nothing. elsewhere: the same with arguments of other types."""

    difference: str = ""
    elsewhere: str = ""


def judge(subject: Subject, text: str, inputs: str | None, executor: Executor) -> Judgement:
    if subject.kind == PYTHON:
        found = call(_compare, (subject, text), _LIMIT_S)
        if isinstance(found, Ended):
            again = call(_compare, (subject, subject.source), _LIMIT_S)
            return Judgement() if isinstance(again, Ended) else Judgement(found.why)
        return Judgement(*found)
    program = Program(
        subject.name, _kind(subject), subject.source, subject.entry, inputs, subject.name
    )  # fmt: skip
    if "failed" in executor.load(program, _LIMIT_S):
        return Judgement()
    # Case files' kernels are launched for one size alone.
    resized = not (subject.spec and subject.kind == KERNEL)
    asked = executor.ask("arbiter" if resized else "arbiter_as_given", text, 2 * _LIMIT_S)
    if "failed" in asked:
        asked = executor.ask("arbiter_as_given", text, 2 * _LIMIT_S)
    return Judgement(f"{asked['where']}: {asked['what']}" if asked.get("where") else "")


def _kind(subject: Subject) -> str:
    if "import triton" in subject.source:
        return TRITON
    if "import jax" in subject.source:
        return JAX
    return TORCH if "import torch" in subject.source else NUMPY


def _compare(item: tuple[Subject, str]) -> tuple[str, str]:
    """Runs both versions of a plain function on many arguments."""
    subject, text = item
    rng = random.Random(subject.source)
    old, again, new = (_loaded(t, subject.entry or "") for t in (subject.source,) * 2 + (text,))
    if new is None:
        return "it does not load, or lacks the function", ""
    for number in range(_DRAWS):
        example = rng.choice(subject.arguments)
        arguments = example if number < 20 else tuple(_like(a, rng) for a in example)
        found = _differs(old, again, new, arguments)
        if found:
            return found, ""
    for _ in range(_FOREIGN):
        count = len(subject.arguments[0])
        arguments = tuple(_foreign(n, rng) for n in range(count))
        found = _differs(old, again, new, arguments)
        if found:
            return "", found
    return "", ""


def _loaded(source: str, name: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "case"}
    try:
        exec(compile(source, "<case>", "exec"), namespace)
    except Exception:
        return None
    return namespace.get(name)


def _differs(old: Any, again: Any, new: Any, arguments: tuple[Any, ...]) -> str:
    first, found = _seen(old, arguments), _seen(new, arguments)
    if first == found or "timeout" in (first.kind, found.kind):
        return ""
    # What does not agree with itself proves nothing.
    return "" if _seen(again, arguments) != first else f"{arguments!r}: {found} not {first}"[:400]


def _seen(function: Any, arguments: tuple[Any, ...]) -> Outcome:
    return observe(function, copy.deepcopy(arguments), 0.3)


def _like(value: Any, rng: random.Random) -> Any:
    """Another value of the same type, or the same."""
    if rng.random() < 0.25:
        return copy.deepcopy(value)
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int):
        return rng.choice(_NUMBERS[:10] if rng.random() < 0.8 else _NUMBERS)
    if isinstance(value, float):
        return rng.choice(_FLOATS)
    if isinstance(value, str):
        return rng.choice(_TEXTS)
    if isinstance(value, (list, tuple)):
        items = [_like(rng.choice(value), rng) for _ in range(rng.choice((0, 1, 2, 3, 6)))] if (
            value
        ) else []  # fmt: skip
        return type(value)(items)
    if isinstance(value, dict):
        return {k: _like(v, rng) for k, v in value.items() if rng.random() < 0.9}
    return copy.deepcopy(value)


def _foreign(number: int, rng: random.Random) -> Any:
    name = "abcdefgh"[number % 8]
    return rng.choice((Probe(name, rng.choice((0, 1))), rng.choice(_FLOATS), rng.choice(_NUMBERS),
                       rng.choice(_TEXTS), [1, 2], [Probe(name, 1)] * 2, None, {1: 2}))  # fmt: skip
