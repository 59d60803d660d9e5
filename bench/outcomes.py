"""Running a function and describing all that can be seen of the run, so that two versions of
it can be compared. Knows nothing of semrep: the one must not check itself by the other."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import os
import re
import signal
import struct
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_DEPTH = 8
_ITEMS = 60
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|id=\d+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """kind: `value`, `raises` or `timeout`. value, arguments: descriptions of the result (or
    the exception's class) and of the arguments afterwards. log: operators that ran, in order."""

    kind: str
    value: object
    arguments: object
    printed: str
    log: tuple[object, ...]


class Probe:
    """A value whose operators log that they were called, with what, and in which order."""

    log: list[object] = []

    def __init__(self, name: str, number: float) -> None:
        self.name = name
        self.number = number

    def __repr__(self) -> str:
        return f"Probe({self.name})"

    def __hash__(self) -> int:
        Probe.log.append(("hash", self.name))
        return hash(self.name)

    def __bool__(self) -> bool:
        Probe.log.append(("bool", self.name))
        return bool(self.number)

    def __len__(self) -> int:
        Probe.log.append(("len", self.name))
        return 2

    def __iter__(self) -> Iterator[Probe]:
        Probe.log.append(("iter", self.name))
        for i in range(2):
            Probe.log.append(("next", self.name, i))
            yield Probe(f"{self.name}[{i}]", i)

    def __call__(self, *arguments: object) -> Probe:
        Probe.log.append(("call", self.name, len(arguments)))
        return Probe(f"{self.name}()", self.number)

    def __getitem__(self, key: object) -> Probe:
        Probe.log.append(("getitem", self.name, describe(key)))
        if isinstance(key, int) and key > 3:
            raise IndexError(key)
        return Probe(f"{self.name}[]", self.number)

    def __setitem__(self, key: object, value: object) -> None:
        Probe.log.append(("setitem", self.name, describe(key), describe(value)))

    def __contains__(self, item: object) -> bool:
        Probe.log.append(("contains", self.name, describe(item)))
        return False

    def __iadd__(self, other: object) -> Probe:
        Probe.log.append(("iadd", self.name, describe(other)))
        self.number += 1
        return self

    def __deepcopy__(self, memo: object) -> Probe:
        return Probe(self.name, self.number)


def _operator(name: str) -> Callable[..., object]:
    def run(self: Probe, *others: object) -> object:
        Probe.log.append((name, self.name, *map(describe, others)))
        if name in ("eq", "ne", "lt", "le", "gt", "ge"):
            # Neither True nor False: whoever asks has to ask again.
            return Probe(f"({name} {self.name})", len(self.name) % 2)
        return Probe(f"({name} {self.name})", self.number)

    return run


_OPERATORS = """
add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul and or
xor rand ror rxor lshift rshift rlshift neg pos invert eq ne lt le gt ge abs
"""
for _name in _OPERATORS.split():
    setattr(Probe, f"__{_name}__", _operator(_name))


class Timeout(BaseException):
    """The function did not come back in time."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises Timeout in the main thread's Python code."""

    def stop(number: int, frame: object) -> None:
        raise Timeout

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def observe(
    function: Callable[..., object], arguments: tuple[object, ...], seconds: float = 0.5
) -> Outcome:
    """Call a function on copies of the arguments."""
    given = copy.deepcopy(arguments)
    Probe.log = []
    out = io.StringIO()
    kind: str
    quiet = contextlib.redirect_stderr(io.StringIO())
    with contextlib.redirect_stdout(out), quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with deadline(seconds):
                value = describe(function(*given))
                kind = "value"
        except Timeout:
            return Outcome("timeout", None, None, "", ())
        except Exception as error:
            kind, value = "raises", type(error).__qualname__
        except SystemExit:
            kind, value = "raises", "SystemExit"
    log = tuple(Probe.log[:500])
    printed = _ADDRESS.sub("(address)", out.getvalue().replace(os.getcwd(), "."))
    return Outcome(kind, value, describe(given), printed, log)


def describe(value: object, depth: int = _DEPTH) -> object:
    """A value as nested tuples and strings: exact types, every bit of a float."""
    if type(value) is str:
        return ("str", _ADDRESS.sub("(address)", value))
    if value is None or isinstance(value, (bool, int, str, bytes)) and _is_plain(value):
        return (type(value).__name__, value)
    if isinstance(value, float):
        # All NaNs are one: their sign is not the business of Python code.
        bits = "nan" if math.isnan(value) else struct.pack("<d", value).hex()
        return (type(value).__name__, bits)
    if isinstance(value, complex):
        return ("complex", describe(value.real), describe(value.imag))
    if isinstance(value, Probe):
        return ("Probe", value.name, describe(value.number))
    if depth == 0:
        return ("deep", type(value).__name__)
    inner = depth - 1
    if isinstance(value, (list, tuple)):
        return (type(value).__qualname__, *(describe(v, inner) for v in value[:_ITEMS]))
    if isinstance(value, dict):
        items = list(value.items())[:_ITEMS]
        return (
            type(value).__qualname__,
            *((describe(k, inner), describe(v, inner)) for k, v in items),
        )
    if isinstance(value, (set, frozenset)):
        return (type(value).__qualname__, *sorted(repr(describe(v, inner)) for v in value))
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        return ("array", str(value.dtype), str(getattr(value, "shape", ())), value.tobytes())
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)):
        return ("callable", getattr(value, "__qualname__", ""))
    if isinstance(value, types.ModuleType):
        return ("module", value.__name__)
    if hasattr(value, "__next__"):
        return ("iterator", *_drain(value, inner))
    state = getattr(value, "__dict__", None)
    if state is None:
        slots = [s for c in type(value).__mro__ for s in getattr(c, "__slots__", ())]
        state = {s: getattr(value, s, None) for s in slots}
    return (type(value).__qualname__, describe(dict(state), inner))


def _is_plain(value: object) -> bool:
    return type(value) in (bool, int, str, bytes)


def _drain(iterator: object, depth: int) -> Iterator[object]:
    for _ in range(_ITEMS):
        try:
            yield describe(next(iterator), depth)  # type: ignore[call-overload]
        except StopIteration:
            return
        except Exception as error:
            yield ("raises", type(error).__qualname__)
            return
