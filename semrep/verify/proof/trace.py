"""What running a function comes to, symbolically: a tree of everything that others can see.

Pure, total operations on values of known type are terms and leave nothing here. Whatever may
raise, run unknown code or touch memory is an `Event`, in order.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """kind: the exact type, in the words of the language ("int", "i32", ...); term: of the sort
    that goes with the kind; shape: extents of a block, as text, right-aligned; base: what a
    pointer is an offset from."""

    kind: str
    term: Any
    shape: tuple[str, ...] = ()
    base: Any = None


@dataclass(frozen=True, slots=True)
class Missing:
    """No value that the proof could speak about: maybe unbound, or of several kinds."""

    reason: str


Slot = Value | Missing
Environment = dict[str, Slot]


@dataclass(slots=True)
class Event:
    """op with equal arguments in an equal state does the same and gives equal results.

    roles: one for each argument, or none: "mask"; "masked" and "unmasked" arguments count only
    where the mask is true, or false.
    """

    op: str
    args: tuple[Value, ...]
    results: tuple[Value, ...]
    node: ast.AST
    roles: tuple[str, ...] = ()


@dataclass(slots=True)
class Branch:
    condition: Any
    then: list[Entry]
    other: list[Entry]
    node: ast.AST


@dataclass(slots=True)
class Loop:
    """entry, head, after: the slots of every name that the body stores, before the loop, at the
    start of any iteration, and behind it. facts: hold inside an iteration."""

    op: str
    header: tuple[Value, ...]
    element: Value | None
    node: ast.AST
    facts: list[Any] = field(default_factory=list)
    entry: Environment = field(default_factory=dict)
    head: Environment = field(default_factory=dict)
    after: Environment = field(default_factory=dict)
    body: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class End:
    """Leaves the block: "return", "raise", "break", "exit" (a loop's own end), "next"."""

    op: str
    args: tuple[Value, ...]
    node: ast.AST
    carried: Environment = field(default_factory=dict)


Entry = Event | Branch | Loop | End
