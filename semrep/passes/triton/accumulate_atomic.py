"""Add up in registers what a loop adds to one place in memory, and add it there once.

Rewrite:     for r in range(a, b): tl.atomic_add(p + cols, v, mask=m)
             -->   total = tl.zeros([B], p.dtype.element_ty)
                   for r in range(a, b): total += tl.cast(v, p.dtype.element_ty)
                   tl.atomic_add(p + cols, total, mask=m & (a < b))
Legal when:  address and mask are the same in each iteration, every iteration adds, nobody looks
             at what the atomic returns, and nothing else in the loop may load or store there
             (semrep.passes.triton.aliasing). The address must be scalars plus one
             `tl.arange(0, B)`, so that its shape is known.
Numerics:    reassociates: atomics add in any order anyway.
Refuses:     variant-address, conditional-add, result-used, unknown-shape, maybe-empty-loop,
             aliased-access, unknown-code, layout.
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
    insert_after,
    insert_before,
    statement_of,
)
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import REASSOCIATES, Contract
from semrep.passes.loop.loops import enclosing_loop
from semrep.passes.registry import register
from semrep.passes.triton.aliasing import LAUNCHES_IN_SIGHT, may_alias, roots
from semrep.passes.triton.invariant_accesses import (
    changing_names,
    run_condition,
    statements_needed,
    why_conditional,
)
from semrep.passes.triton.kernels import Access, access, is_kernel, language_name, memory
from semrep.passes.triton.layout import lines_of
from semrep.passes.triton.shapes import length


@register
@dataclass(frozen=True, slots=True)
class AccumulateAtomic(NodePass):
    """Add up in registers what a loop adds to one place in memory, and add it there once."""

    name: ClassVar[str] = "accumulate-atomic"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = REASSOCIATES.assuming(LAUNCHES_IN_SIGHT)
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if language_name(module, unit, node) != "atomic_add" or not is_kernel(module, unit):
            return False
        loop = enclosing_loop(node)
        add = access(module, unit, node, "atomic_add")
        if loop is None or add is None:
            return False
        changing = changing_names(unit, loop)
        return not any(n.text in changing for n in add.pointer.find("identifier"))

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        loop, add = enclosing_loop(node), access(module, unit, node, "atomic_add")
        assert loop is not None and add is not None
        statement = node.parent
        if statement is None or statement.kind != "expression_statement":
            return refuse("result-used", "the values from before the addition are used", node)
        if refusal := why_conditional(loop, node):
            return Refusal("conditional-add", refusal.message, refusal.span)
        fixed = [add.pointer, *([add.mask] if add.mask is not None else [])]
        for part in fixed:
            if not facts.is_pure(part):
                return refuse("variant-address", "this may be another value each time", part)
        needed = statements_needed(facts, loop, fixed, node)
        if isinstance(needed, Refusal):
            return needed
        size = length(module, facts, add.pointer)
        base = roots(module, facts, add.pointer)
        if size is None or base is None or len(base) != 1 or "val" not in add.options:
            return refuse("unknown-shape", "it is not known how many elements this adds to", node)
        pointer = facts.scopes.scope_for(facts.function).names[next(iter(base))]
        if len(pointer.stores) > 1:
            return refuse("unknown-shape", f"{pointer.name!r} may stand for something else", node)
        guard = run_condition(module, facts, loop, add)
        if isinstance(guard, Refusal):
            return guard
        if refusal := _why_touched(module, facts, loop, add):
            return refusal
        return _moved(facts, loop, add, needed, f"{next(iter(base))}.dtype.element_ty", size, guard)


def _why_touched(module: Module, facts: Facts, loop: Node, add: Access) -> Refusal | None:
    """Why other code of the loop may see how far the sum has got."""
    touched = memory(module, facts.unit, facts, loop)
    if touched.unknown is not None:
        return refuse("unknown-code", "this may look at the sum", touched.unknown)
    for other in (*touched.loads, *touched.stores):
        if other.call is add.call:
            continue
        if reason := may_alias(module, facts, add.pointer, other.pointer):
            return refuse("aliased-access", reason, other.call)
    return None


def _moved(
    facts: Facts, loop: Node, add: Access, needed: list[Node], element: str, size: str, guard: str
) -> list[Edit] | Refusal:
    unit = facts.unit
    statement = statement_of(add.call)
    assert statement is not None
    if lines_of(unit, statement) is None or any("\n" in p.text for p in add.options.values()):
        return refuse("layout", "the text here is not to be moved", statement)
    lines: list[str] = []
    edits: list[Edit] = []
    for moved in needed:
        text = lines_of(unit, moved)
        if text is None:
            return refuse("layout", "the text here is not to be moved", moved)
        lines += text
        edits.append(delete_statement(unit, moved))
    total = fresh_name(unit, "total")
    lines.append(f"{total} = tl.zeros([{size}], {element})")
    value = add.options["val"]
    cast = f"tl.cast({value.text}, {element})"
    edits.append(Edit(statement.span, f"{total} += {cast}".encode()))
    mask = add.mask
    if mask is not None:
        both = f"{bracketed(mask.text, binding_strength(mask), BIT_AND)} & ({guard})"
        chosen = both if guard else mask.text
    else:
        chosen = guard
    given = [add.pointer.text, total, *([f"mask={chosen}"] if chosen else [])]
    given += [f"{k}={add.options[k].text}" for k in ("sem", "scope") if k in add.options]
    before = insert_before(unit, loop, *lines)
    after = insert_after(unit, loop, f"{add.call['function'].text}({', '.join(given)})")
    if before is None or after is None:
        return refuse("layout", "no lines can be put around the loop", loop)
    return [before, *edits, after]
