"""Runs two versions of a function on the same inputs, in this process. Knows nothing of
semrep's own verifier, so that the one can be held against the other."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass
class Outcome:
    """kind: `value` or `raises`. value: the result, or the exception's class name."""

    kind: str
    value: object
    arguments: object
    printed: str


def load(source: str, name: str | None = None) -> Callable[..., object]:
    """The function of this name (or the last one defined at top level)."""
    namespace: dict[str, object] = {"__name__": "case"}
    exec(compile(source, "<case>", "exec"), namespace)
    functions = [
        v for v in namespace.values()
        if callable(v) and getattr(v, "__module__", None) == "case" and not isinstance(v, type)
    ]  # fmt: skip
    found = namespace[name] if name else functions[-1]
    assert callable(found)
    return found


_SECONDS = 10


@contextlib.contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    """A case that never ends is a failure of the test, and must not hang the suite."""

    def stop(number: int, frame: object) -> None:
        raise BaseException(f"no result after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(function: Callable[..., object], arguments: tuple[object, ...]) -> Outcome:
    arguments = copy.deepcopy(arguments)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), _deadline(_SECONDS):
        try:
            value = function(*arguments)
            if hasattr(value, "__next__"):
                value = ["generator", *value]  # type: ignore[misc]
            kind = "value"
        except Exception as error:
            kind, value = "raises", type(error).__name__
    return Outcome(kind, value, arguments, out.getvalue())


def same(a: object, b: object) -> bool:
    """Same type and value, bit for bit; NaN equals NaN, -0.0 differs from 0.0."""
    if type(a) is not type(b):
        return (
            type(a).__qualname__ == type(b).__qualname__
            and not _is_builtin(a)
            and _same_state(a, b)
        )
    if isinstance(a, float):
        return (
            math.isnan(a) and math.isnan(b) or a == b and math.copysign(1, a) == math.copysign(1, b)
        )  # type: ignore[arg-type]
    if isinstance(a, complex) and isinstance(b, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(
            same(k, l) and same(v, w) for (k, v), (l, w) in zip(a.items(), b.items(), strict=True)
        )
    if hasattr(a, "dtype") and hasattr(a, "shape"):
        import numpy

        x, y = numpy.asarray(a), numpy.asarray(b)
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
    if callable(a):
        return True
    if _is_builtin(a):
        return bool(a == b)
    return _same_state(a, b) if hasattr(a, "__dict__") else bool(a == b)


def _is_builtin(value: object) -> bool:
    return type(value).__module__ == "builtins"


def _same_state(a: object, b: object) -> bool:
    return same(getattr(a, "__dict__", repr(a)), getattr(b, "__dict__", repr(b)))


def agree(before: Outcome, after: Outcome) -> bool:
    return (
        before.kind == after.kind
        and same(before.value, after.value)
        and same(before.arguments, after.arguments)
        and before.printed == after.printed
    )
