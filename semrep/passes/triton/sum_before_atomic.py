"""Sum a block first where each of its lanes would add to the same place.

Rewrite:     tl.atomic_add(p + tl.zeros([B], tl.int32), v, mask=m)
             -->   tl.atomic_add(p, tl.sum(tl.where(m, v, 0)), mask=any(m))
Legal when:  the address is one scalar pointer spread over the block, and nobody looks at what
             the atomic returns.
Numerics:    reassociates: atomics add in any order anyway.
Refuses:     result-used, not-a-block, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.emit import PRIMARY, binding_strength, bracketed, encode, fresh_name, insert_before
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import REASSOCIATES, Contract
from semrep.passes.registry import register
from semrep.passes.triton.kernels import Access, access, is_kernel, language_name
from semrep.passes.triton.layout import lines_of
from semrep.passes.triton.shapes import is_scalar


@register
@dataclass(frozen=True, slots=True)
class SumBeforeAtomic(NodePass):
    """Sum a block first where each of its lanes would add to the same place."""

    name: ClassVar[str] = "sum-before-atomic"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = REASSOCIATES
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if language_name(module, unit, node) != "atomic_add" or not is_kernel(module, unit):
            return False
        add = access(module, unit, node, "atomic_add")
        return add is not None and _spread(module, unit, add.pointer) is not None

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        add = access(module, unit, node, "atomic_add")
        assert add is not None
        found = _spread(module, unit, add.pointer)
        assert found is not None
        base, shape = found
        if node.parent is None or node.parent.kind != "expression_statement":
            return refuse("result-used", "the values from before the addition are used", node)
        value = add.options.get("val")
        if value is None or shape is None:
            return refuse("not-a-block", "it is not known how many lanes add", node)
        if not is_scalar(module, facts, base):
            return refuse("not-a-block", "this may point to several places itself", base)
        statement = node.parent
        lines = _lines(unit, add, base, shape, value)
        before = insert_before(unit, statement, *lines[:-1])
        if before is None or lines_of(unit, statement) is None or node.has_comment:
            return refuse("layout", "the text here is not to be rewritten", node)
        if any("\n" in part.text for part in add.options.values()):
            return refuse("layout", "the text here is not to be rewritten", node)
        return [before, Edit(node.span, encode(lines[-1]))]


def _spread(module: Module, unit: Unit, pointer: Node) -> tuple[Node, str | None] | None:
    """The pointer and the shape that a block of equal pointers is made of."""
    pointer = pointer.unparenthesized
    if pointer.kind == "binary_operator" and pointer.operator == "+":
        for one, other in (("left", "right"), ("right", "left")):
            call = pointer[one].unparenthesized
            if language_name(module, unit, call) == "zeros":
                given = call["arguments"].operands
                return pointer[other], given[0].text if given else None
    if language_name(module, unit, pointer) == "broadcast_to":
        given = pointer["arguments"].operands
        if len(given) == 2 and given[1].kind in ("list", "tuple"):
            return given[0], given[1].text
    return None


def _lines(unit: Unit, add: Access, base: Node, shape: str, value: Node) -> list[str]:
    """One addition of the block's sum, in the type in which the lanes were added."""
    lanes = fresh_name(unit, "lanes")
    element = f"{_primary(base)}.dtype.element_ty"
    lines = [f"{lanes} = tl.broadcast_to(tl.cast({value.text}, {element}), {shape})"]
    total, mask = lanes, ""
    if add.mask is not None:
        chosen = fresh_name(unit, "chosen")
        lines.insert(0, f"{chosen} = tl.broadcast_to({add.mask.text}, {shape})")
        total = f"tl.where({chosen}, {lanes}, 0)"
        # Without a lane to add, the address may lead nowhere.
        mask = f", mask=tl.max({chosen}.to(tl.int32)) > 0"
    hints = "".join(f", {k}={add.options[k].text}" for k in ("sem", "scope") if k in add.options)
    lines.append(f"{add.call['function'].text}({base.text}, tl.sum({total}){mask}{hints})")
    return lines


def _primary(node: Node) -> str:
    return bracketed(node.text, binding_strength(node), PRIMARY)
