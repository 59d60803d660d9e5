"""Let a masked load fill in what a `tl.where` puts there afterwards.

Rewrite:     x = tl.load(p, mask=m); y = tl.where(m, x, 0.0)
             -->   x = tl.load(p, mask=m, other=0.0); y = x
Legal when:  the mask is the load's own, unchanged in between; the load has no fill-in of its own
             or the same one; the value is a number. Where the block has a name, other uses of
             it see the filled-in block: that is safe, for what they saw there was undefined.
             A fraction put into a block of integers would have made it one of floats, and a
             kernel's text does not tell its types.
Numerics:    bitwise for floats; promised within tolerance, so that it is not taken without a run.
Refuses:     changed, other-fill, not-a-number, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import delete_statement, replace, statement_of
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register
from semrep.passes.triton.counted_loops import names_in
from semrep.passes.triton.initial_values import number
from semrep.passes.triton.kernels import (
    Access,
    access,
    assigned,
    is_kernel,
    is_own,
    language_name,
)
from semrep.passes.triton.straight_line import key_of


@register
@dataclass(frozen=True, slots=True)
class FoldWhereIntoOther(NodePass):
    """Let a masked load fill in what a `tl.where` puts there afterwards."""

    name: ClassVar[str] = "fold-where-into-other"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(
        "a block that is filled with a fraction holds floats"
    )
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if language_name(module, unit, node) != "where" or not is_kernel(module, unit):
            return False
        given = node["arguments"].operands
        if len(given) != 3 or any(g.kind == "keyword_argument" for g in given):
            return False
        found = _load(module, self.facts(module, unit, node), given[1])
        if found is None or found.mask is None or not found.is_plain:
            return False
        return key_of(found.mask) == key_of(given[0])

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        mask, block, fill = node["arguments"].operands
        load = _load(module, facts, block)
        assert load is not None and load.mask is not None
        if number(facts, fill) is None or fill.kind == "integer" and int(fill.text, 0) > 127:
            return refuse("not-a-number", "the load may convert this in another way", fill)
        if load.other is not None and key_of(load.other) != key_of(fill):
            return refuse("other-fill", "the load fills in something else", load.other)
        if load.is_volatile or not facts.is_pure(mask):
            return refuse("changed", "the mask may be another one here", mask)
        if block.kind != "identifier":
            return _folded(load, node, fill)
        statement, here = statement_of(load.call), statement_of(node)
        assert statement is not None and here is not None
        for name in names_in(facts, mask):
            binding = facts.scopes.binding(name)
            if binding is None or binding.is_global:
                continue
            if not is_own(facts, binding) or not facts.flow.is_unchanged(statement, here, binding):
                return refuse("changed", f"{name.text!r} may have changed in between", name)
        edits = [_with_other(load, fill)] if load.other is None else []
        again = assigned(here)
        if again is not None and again["right"] is node and again["left"].text == block.text:
            return [*edits, delete_statement(unit, here)]
        return [*edits, replace(node, block.text)]


def _load(module: Module, facts: Facts, block: Node) -> Access | None:
    """The load that an expression is, or whose value a variable must hold."""
    if block.kind == "call":
        return access(module, facts.unit, block, "load")
    if block.kind != "identifier":
        return None
    stores = facts.flow.reaching(block)
    store = next(iter(stores), None)
    if len(stores) != 1 or not isinstance(store, Node) or store.parent is None:
        return None
    statement = store.parent.parent
    assignment = assigned(statement) if statement is not None else None
    if assignment is None or assignment["left"] is not store:
        return None
    return access(module, facts.unit, assignment["right"], "load")


def _with_other(load: Access, fill: Node) -> Edit:
    closing = load.call["arguments"].children[-1]
    last = load.call["arguments"].operands[-1]
    text = b", other=" + fill.bytes
    if closing.source[last.end : closing.start].strip().startswith(b","):
        comma = closing.source.index(b",", last.end) + 1
        return Edit(Span(comma, comma), b" other=" + fill.bytes + b",")
    return Edit(Span(last.end, last.end), text)


def _folded(load: Access, whole: Node, fill: Node) -> list[Edit] | Refusal:
    """Keep of the `tl.where` nothing but the load."""
    if whole.has_comment:
        return refuse("layout", "a comment stands among the arguments", whole)
    call = load.call
    edits = [
        Edit(Span(whole.start, call.start), b""),
        Edit(Span(call.end, whole.end), b""),
    ]
    return edits if load.other is not None else [*edits, _with_other(load, fill)]
