"""From a canonical operation back to source text in the framework of the surrounding code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from semrep.ir.dialects.catalogue import spellings_of
from semrep.ir.dialects.op import FUNCTION, METHOD, PROPERTY, REQUIRED, DType, Op, Spelling
from semrep.ir.dialects.operators import ATOM, PRECEDENCE, TOKEN_OF, UNARY_TOKEN_OF


@dataclass(frozen=True, slots=True)
class Written:
    """Source text of an expression and how tightly its outermost operator binds."""

    text: str
    precedence: int = ATOM

    def within(self, precedence: int) -> str:
        """The text as an operand of something that needs at least `precedence`."""
        return self.text if self.precedence >= precedence else f"({self.text})"


NameOf = Callable[[str], str | None]
"""How a module writes a dotted path ("torch.nn.functional.relu" → "F.relu"); None where no
name in scope leads there."""

# Written as a method where the array is no literal: shorter, and needs no import.
_METHODS_FIRST = frozenset(
    {"sum", "mean", "amax", "amin", "prod", "var", "std", "all", "any", "permute", "transpose",
     "reverse_dims", "mT", "t", "squeeze", "unsqueeze", "reshape", "view", "flatten", "expand",
     "repeat", "clamp", "to_dtype", "contiguous", "clone", "trace", "diagonal", "unflatten",
     "argmax", "argmin", "cumsum", "square"}
)  # fmt: skip


class CannotSpell(LookupError):
    """No spelling of an operation can be written with the names in scope."""


def spell(op: Op, framework: str, arguments: Mapping[str, Any], name_of: NameOf) -> Written:
    """The op applied to arguments, as text.

    arguments: canonical parameter → Written, a constant, or a tuple of these. Parameters at
    their defaults are left out. Raises CannotSpell where no spelling fits the framework and
    the names in scope.
    """
    if (written := _operator(op, arguments)) is not None:
        return written
    if op.name == "getitem":
        base = as_written(arguments["input"], name_of)
        return Written(f"{base.within(ATOM)}[{_index(arguments['index'], name_of)}]")
    if op.name == "permute" and arguments["dims"] == (1, 0):  # a matrix: `.T` in every framework
        base = as_written(arguments["input"], name_of)
        return Written(f"{base.within(ATOM)}.T")
    candidates = [s for s in spellings_of(op.name) if s.framework == framework]
    ranked = sorted(candidates, key=lambda s: _rank(s, op))
    for spelling in ranked:
        written = _apply(spelling, arguments, name_of)
        if written is not None:
            return written
    raise CannotSpell(f"{op.name} cannot be written in {framework} with the names in scope")


def _rank(spelling: Spelling, op: Op) -> int:
    if spelling.form == PROPERTY:
        return 0
    if op.name in _METHODS_FIRST:
        return 1 if spelling.form == METHOD else 2
    return 1 if spelling.form == FUNCTION else 2


def _operator(op: Op, arguments: Mapping[str, Any]) -> Written | None:
    if any(
        p.name in arguments and arguments[p.name] != p.default
        for p in op.parameters
        if not p.is_operand
    ):
        return None
    names = [p.name for p in op.operands]
    token = TOKEN_OF.get(op.name)
    if token is not None and len(names) == 2:
        left, right = (as_written(arguments[n], None) for n in names)
        own = PRECEDENCE[token]
        if token == "**":  # binds to the right, and tighter than a minus on its left
            return Written(f"{left.within(own + 1)} ** {right.within(PRECEDENCE['unary'])}", own)
        lowest = own + 1 if own == PRECEDENCE["<"] else own
        return Written(f"{left.within(lowest)} {token} {right.within(own + 1)}", own)
    if op.name in UNARY_TOKEN_OF and len(names) == 1:
        operand = as_written(arguments[names[0]], None)
        own = PRECEDENCE["unary"]
        return Written(f"{UNARY_TOKEN_OF[op.name]}{operand.within(own)}", own)
    return None


def _apply(spelling: Spelling, arguments: Mapping[str, Any], name_of: NameOf) -> Written | None:
    op = spelling.op
    todo = {}
    for name, value in arguments.items():
        canonical = op.parameter(name)
        if canonical is not None and canonical.is_operand and value is None and name != "input":
            continue  # an optional operand that is absent
        todo[name] = value
    parameters = list(spelling.parameters)
    for name, value in spelling.fixed:
        if todo.pop(name, None) != value:
            return None
    if spelling.form in (METHOD, PROPERTY):
        first = parameters.pop(0).means if parameters else op.parameters[0].name
        receiver = todo.pop(first)
        if not isinstance(receiver, Written):
            return None
        head = f"{receiver.within(ATOM)}.{spelling.name}"
        if spelling.form == PROPERTY:
            left = {n: v for n, v in todo.items() if not _is_default(op, n, v)}
            return None if left else Written(head)
    else:
        found = name_of(spelling.path)
        if found is None:
            return None
        head = found
    written: list[str] = []
    by_position = True
    for parameter in parameters:
        if parameter.means not in todo:
            if parameter.default is REQUIRED:
                return None
            by_position = False
            continue
        value = todo.pop(parameter.means)
        if (
            not isinstance(value, Written)
            and value == parameter.default
            and type(value) is type(parameter.default)
        ):
            by_position = False
            continue
        canonical = op.parameter(parameter.means)
        as_operand = canonical is not None and canonical.is_operand
        if parameter.variadic:
            items = value if isinstance(value, tuple) else (value,)
            if isinstance(value, Written):
                written.append(value.text)
            else:
                written.extend(as_written(v, name_of).text for v in items)
        elif (
            by_position
            and parameter.positional
            and (as_operand or not parameter.keyword or parameter.default is REQUIRED)
        ):
            written.append(as_written(value, name_of).text)
        elif parameter.keyword:
            by_position = False
            written.append(f"{parameter.name}={as_written(value, name_of).text}")
        else:
            return None
    if any(not _is_default(op, n, v) for n, v in todo.items()):
        return None  # the spelling has no way to say this
    return Written(f"{head}({', '.join(written)})")


def _is_default(op: Op, name: str, value: Any) -> bool:
    parameter = op.parameter(name)
    return (
        parameter is not None
        and not isinstance(value, Written)
        and bool(parameter.default == value)
    )


def as_written(value: Any, name_of: NameOf | None) -> Written:
    """A constant, or a tuple of arguments, as text."""
    if isinstance(value, Written):
        return value
    if isinstance(value, DType):
        for owner in ("torch", "numpy", "jax.numpy"):
            if name_of is not None and (found := name_of(f"{owner}.{value.name}")) is not None:
                return Written(found)
        raise CannotSpell(f"no name in scope for the element type {value.name}")
    if isinstance(value, tuple):
        inside = ", ".join(as_written(v, name_of).text for v in value)
        return Written(f"({inside},)" if len(value) == 1 else f"({inside})")
    if isinstance(value, float) and not math.isfinite(value):
        return Written(f'float("{value}")')
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
        return Written(repr(value), PRECEDENCE["unary"])
    return Written(repr(value))


def _index(value: Any, name_of: NameOf) -> str:
    if isinstance(value, tuple):
        return ", ".join(_index(v, name_of) for v in value) + ("," if len(value) == 1 else "")
    if isinstance(value, slice):
        parts = [
            "" if p is None else as_written(p, name_of).text for p in (value.start, value.stop)
        ]
        step = "" if value.step is None else f":{as_written(value.step, name_of).text}"
        return ":".join(parts) + step
    return "..." if value is Ellipsis else as_written(value, name_of).text
