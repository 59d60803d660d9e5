"""Leave out the arguments of `range` that are its defaults, and the inverse.

Rewrite:     range(0, n), range(a, b, 1)   -->   range(n), range(a, b)
Legal when:  `range` is Python's own.
Numerics:    bitwise.
Refuses:     nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import PYTHON, TRITON, NodePass, Refusal
from semrep.passes.registry import register


def range_arguments(module: Module, unit: Unit, call: Node) -> list[Node] | None:
    """The positional arguments of a call of Python's own `range`, else None."""
    if call.kind != "call" or not module.environment.is_builtin_call(unit, call, "range"):
        return None
    given = call["arguments"].operands
    plain = all(g.kind not in ("list_splat", "keyword_argument", "dictionary_splat") for g in given)
    return given if plain and call["arguments"].kind == "argument_list" else None


@register
@dataclass(frozen=True, slots=True)
class NormalizeRange(NodePass):
    """Leave out the arguments of `range` that are its defaults."""

    name: ClassVar[str] = "normalize-range"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})
    inverse: ClassVar[str | None] = "expand-range"

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node["function"].bytes != b"range" or node.has_comment:
            return False
        given = range_arguments(module, unit, node) or []
        return (len(given) == 2 and given[0].text == "0") or (
            len(given) == 3 and given[2].text == "1"
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        given = node["arguments"].operands
        if len(given) == 3:
            return [Edit(Span(given[1].end, given[2].end), b"")]
        return [Edit(Span(given[0].start, given[1].start), b"")]


@register
@dataclass(frozen=True, slots=True)
class ExpandRange(NodePass):
    """Write out the start of a `range` that has only a stop.

    Rewrite:     range(n)   -->   range(0, n)
    Legal when:  `range` is Python's own. Numerics: bitwise. Refuses: nothing.
    """

    name: ClassVar[str] = "expand-range"
    dialects: ClassVar[frozenset[str]] = frozenset({PYTHON, TRITON})
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})
    inverse: ClassVar[str | None] = "normalize-range"
    is_opt_in: ClassVar[bool] = True

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if node["function"].bytes != b"range":
            return False
        given = range_arguments(module, unit, node)
        return given is not None and len(given) == 1 and given[0].kind != "generator_expression"

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        start = node["arguments"].operands[0].start
        return [Edit(Span(start, start), b"0, ")]
