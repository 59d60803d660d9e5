"""Load a block once, before the loop, where no iteration changes it.

Rewrite:     for r in range(a, b): w = tl.load(W + cols, mask=m); …
             -->   w = tl.load(W + cols, mask=m & (a < b)); for r in range(a, b): …
Legal when:  address and mask are the same in each iteration, every iteration loads, and no
             store or unknown code of the loop may write what is loaded (semrep.passes.triton.
             aliasing). Unless the loop is known to run, its condition joins the mask, so that
             an empty loop still loads nothing. Pure assignments that the address needs move
             along. The compiler does this itself in loops without stores.
Numerics:    bitwise.
Refuses:     variant-address, conditional-load, maybe-empty-loop, aliased-store, unknown-code,
             volatile, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import (
    BIT_AND,
    binding_strength,
    bracketed,
    delete_statement,
    fresh_name,
    insert_before,
    replace,
    statement_of,
)
from semrep.ir.module import Module
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import BITWISE, Contract
from semrep.passes.loop.loops import enclosing_loop, stored_names
from semrep.passes.registry import register
from semrep.passes.triton.aliasing import LAUNCHES_IN_SIGHT
from semrep.passes.triton.counted_loops import stores_in
from semrep.passes.triton.invariant_accesses import (
    changing_names,
    run_condition,
    statements_needed,
    why_conditional,
    why_overwritten,
)
from semrep.passes.triton.kernels import Access, access, assigned, is_kernel, is_own, language_name
from semrep.passes.triton.layout import lines_of


@register
@dataclass(frozen=True, slots=True)
class HoistInvariantLoad(NodePass):
    """Load a loop-invariant block once, before the loop, past stores that cannot reach it."""

    name: ClassVar[str] = "hoist-invariant-load"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = BITWISE.assuming(LAUNCHES_IN_SIGHT)
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        loop = enclosing_loop(node)
        if loop is None or language_name(module, unit, node) != "load":
            return False
        load = access(module, unit, node, "load")
        if load is None or not is_kernel(module, unit):
            return False
        changing = changing_names(unit, loop)
        return not any(n.text in changing for n in load.pointer.find("identifier"))

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        loop, load = enclosing_loop(node), access(module, unit, node, "load")
        assert loop is not None and load is not None
        if load.is_volatile:
            return refuse("volatile", "this load is to happen each time", node)
        if refusal := why_conditional(loop, node):
            return refusal
        for part in load.options.values():
            if not facts.is_pure(part):
                return refuse("variant-address", "this may be another value each time", part)
        needed = statements_needed(facts, loop, list(load.options.values()), node)
        if isinstance(needed, Refusal):
            return needed
        guard = run_condition(module, facts, loop, load)
        if isinstance(guard, Refusal):
            return guard
        if refusal := why_overwritten(module, facts, load, [loop]):
            return refusal
        return _moved(facts, loop, load, needed, guard)


def _moved(
    facts: Facts, loop: Node, load: Access, needed: list[Node], guard: str
) -> list[Edit] | Refusal:
    unit = facts.unit
    lines: list[str] = []
    edits: list[Edit] = []
    statement = statement_of(load.call)
    assert statement is not None
    for moved in needed:
        text = lines_of(unit, moved)
        if text is None:
            return refuse("layout", "the text here is not to be moved", moved)
        lines += text
        edits.append(delete_statement(unit, moved))
    assignment = assigned(statement)
    text = lines_of(unit, statement)
    if text is None or statement.has_comment:
        return refuse("layout", "the text here is not to be moved", statement)
    if (
        assignment is not None
        and assignment["right"] is load.call
        and _moves(facts, loop, assignment["left"])
    ):
        edits.append(delete_statement(unit, statement))
        target = assignment["left"].text
    else:
        target = fresh_name(unit, _block_name(load.pointer))
        edits.append(replace(load.call, target))
    lines += f"{target} = {_guarded(load, guard)}".split("\n")
    before = insert_before(unit, loop, *lines)
    if before is None:
        return refuse("layout", "no line can be put before the loop", loop)
    return [before, *edits]


def _moves(facts: Facts, loop: Node, target: Node) -> bool:
    """Whether a variable can get its value before the loop instead of in each iteration."""
    binding = facts.scopes.binding(target)
    return (
        is_own(facts, binding)
        and binding is not None
        and target.text in stored_names(facts.unit, loop)
        and len(stores_in(facts, loop)[target.text]) == 1
        and not facts.flow.is_live_before(loop, binding)
    )


def _guarded(load: Access, guard: str) -> str:
    """The load's text, its mask narrowed by a condition."""
    call = load.call
    if not guard:
        return call.text
    mask = load.options.get("mask")
    if load.mask is None:
        if mask is not None:
            return _with(call, mask, guard)
        closing = call["arguments"].children[-1]
        inside = call.source[call["arguments"].start + 1 : closing.start].decode().rstrip()
        comma = "" if inside.endswith(",") or not inside else ","
        return f"{call['function'].text}({inside}{comma} mask={guard})"
    assert mask is not None
    old = bracketed(mask.text, binding_strength(mask), BIT_AND)
    return _with(call, mask, f"{old} & ({guard})")


def _with(call: Node, part: Node, text: str) -> str:
    span = Span(part.start - call.start, part.end - call.start)
    source = call.bytes
    return (source[: span.start] + text.encode() + source[span.end :]).decode()


def _block_name(pointer: Node) -> str:
    first = next(pointer.find("identifier"), None)
    base = first.text.lower().removesuffix("_ptr").removesuffix("ptr") if first is not None else ""
    return f"{base.strip('_') or 'loaded'}_block"
