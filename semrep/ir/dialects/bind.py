"""From a call's arguments to canonical parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from semrep.ir.dialects.op import METHOD, PROPERTY, REQUIRED, SpelledParameter, Spelling

A = TypeVar("A")

# What is known of an argument when an overload is chosen.
TENSOR, SCALAR, SEQUENCE, NONE, UNKNOWN = "tensor", "scalar", "sequence", "none", "unknown"


@dataclass(frozen=True, slots=True)
class Bound(Generic[A]):
    """given: canonical parameter → the call's argument (a tuple where a variadic parameter
    took several); filled: canonical parameter → constant, by default or by the spelling."""

    spelling: Spelling
    given: Mapping[str, A | tuple[A, ...]]
    filled: Mapping[str, Any]


def bind(
    spellings: Sequence[Spelling],
    receiver: A | None,
    positional: Sequence[A],
    keywords: Mapping[str, A],
    kind_of: Callable[[A], str],
) -> Bound[A] | None:
    """The first overload that takes these arguments.

    None where none does, or where two different operations would and nothing known about the
    arguments decides between them.
    """
    fitting: list[Bound[A]] = []
    several = len({s.op.name for s in spellings}) > 1
    unsure = False
    for spelling in spellings:
        bound = _fit(spelling, receiver, positional, keywords, kind_of)
        if bound is None:
            continue
        doubt = False
        if several:
            fits, doubt = _kinds_fit(bound, kind_of)
            if not fits:
                continue
        fitting.append(bound)
        unsure = unsure or doubt
    if not fitting:
        return None
    if unsure and len({b.spelling.op.name for b in fitting}) > 1:
        return None
    return fitting[0]


def _fit(
    spelling: Spelling,
    receiver: A | None,
    positional: Sequence[A],
    keywords: Mapping[str, A],
    kind_of: Callable[[A], str],
) -> Bound[A] | None:
    given: dict[str, A | tuple[A, ...]] = {}
    parameters = list(spelling.parameters)
    if spelling.form in (METHOD, PROPERTY):
        if receiver is None:
            return None
        first = parameters.pop(0).means if parameters else spelling.op.parameters[0].name
        given[first] = receiver
    elif receiver is not None:
        return None
    seen: set[str] = set()
    queue = list(positional)
    for parameter in parameters:
        if parameter.variadic:
            if not queue:
                continue
            if len(queue) == 1 and kind_of(queue[0]) in (SEQUENCE, UNKNOWN):
                if kind_of(queue[0]) == UNKNOWN and spelling.op.parameters[0].name != "tensors":
                    return None  # one int, or a sequence of them: nothing says which
                given[parameter.means] = queue[0]
            else:
                given[parameter.means] = tuple(queue)
            queue = []
            seen.add(parameter.name)
        elif parameter.positional and queue:
            given[parameter.means] = queue.pop(0)
            seen.add(parameter.name)
        else:
            continue
    if queue:
        return None
    by_name: dict[str, SpelledParameter] = {p.name: p for p in parameters if p.keyword}
    for name, argument in keywords.items():
        spelled = by_name.get(name)
        if spelled is None or name in seen or spelled.means in given:
            return None
        given[spelled.means] = argument
    filled: dict[str, Any] = dict(spelling.fixed)
    for parameter in parameters:
        if parameter.means in given or parameter.means in filled:
            continue
        if parameter.default is REQUIRED:
            return None
        filled[parameter.means] = parameter.default
    for canonical in spelling.op.parameters:
        if canonical.name not in given and canonical.name not in filled:
            if canonical.default is REQUIRED:
                return None
            filled[canonical.name] = canonical.default
    if spelling.op.name in ("amax", "amin") and filled.get("dim") == ():
        filled["dim"] = None  # how torch.amax writes `all dimensions`
    return Bound(spelling, given, filled)


def _kinds_fit(bound: Bound[A], kind_of: Callable[[A], str]) -> tuple[bool, bool]:
    """Whether the kinds of the arguments agree with the op, and whether that is in doubt."""
    doubt = False
    for name, argument in bound.given.items():
        parameter = bound.spelling.op.parameter(name)
        kind = SEQUENCE if isinstance(argument, tuple) else kind_of(argument)
        if parameter is None:
            continue
        if kind == UNKNOWN:
            doubt = doubt or not (parameter.is_operand and parameter.name == "input")
        elif parameter.is_tensor and kind != TENSOR or not parameter.is_operand and kind == TENSOR:
            return False, False
    return True, doubt
