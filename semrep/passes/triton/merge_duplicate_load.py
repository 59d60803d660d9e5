"""Use a loaded block again instead of loading it a second time.

Rewrite:     x = tl.load(p, mask=m); tl.store(q, f(x)); y = g(tl.load(p, mask=m))
             -->   …; y = g(x)
Legal when:  address, mask and fill-in are written alike and stand for the same values at both
             loads, the first one always comes before the second, its variable still holds what
             was loaded, and no store or unknown code in between may write there
             (semrep.passes.triton.aliasing).
Numerics:    bitwise.
Refuses:     aliased-store, unknown-code, changed, volatile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Effect, Facts
from semrep.ir.emit import delete_statement, replace, statement_of
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import BITWISE, Contract
from semrep.passes.registry import register
from semrep.passes.triton.aliasing import LAUNCHES_IN_SIGHT
from semrep.passes.triton.counted_loops import names_in
from semrep.passes.triton.invariant_accesses import why_overwritten
from semrep.passes.triton.kernels import (
    Access,
    access,
    assigned,
    is_kernel,
    is_own,
    language_name,
)


@register
@dataclass(frozen=True, slots=True)
class MergeDuplicateLoad(NodePass):
    """Use a loaded block again instead of loading it a second time."""

    name: ClassVar[str] = "merge-duplicate-load"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = BITWISE.assuming(LAUNCHES_IN_SIGHT)
    anchors: ClassVar[frozenset[str]] = frozenset({"call"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if language_name(module, unit, node) != "load" or not is_kernel(module, unit):
            return False
        load = access(module, unit, node, "load")
        return load is not None and next(_earlier(module, unit, load), None) is not None

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        load = access(module, unit, node, "load")
        assert load is not None
        refusal: Refusal | None = None
        for statement, source, same in _earlier(module, unit, load):
            found = _why_not(module, facts, statement, source, same, load)
            if found is None:
                return _merged(unit, statement, same)
            refusal = refusal or found
        assert refusal is not None
        return refusal


def _earlier(module: Module, unit: Unit, load: Access) -> Iterator[tuple[Node, Access, Node]]:
    """Assignments before a load, nearest first, of what is written like it: the statement, the
    load in it, and the part of the later expression that is the same as its value."""
    statement = statement_of(load.call)
    while statement is not None and statement.parent is not None:
        before = statement.previous_sibling
        while before is not None:
            assignment = assigned(before)
            if assignment is not None:
                for call in assignment["right"].find("call"):
                    source = access(module, unit, call, "load")
                    if source is None or not _alike(source, load):
                        continue
                    same = _whole(assignment["right"], source.call, load.call)
                    if same is not None:
                        yield before, source, same
            before = before.previous_sibling
        statement = statement_of(statement.parent)
        if statement is not None and statement.kind == "function_definition":
            break


def _alike(first: Access, second: Access) -> bool:
    """Same address, mask and fill-in, whether volatile or not."""
    pairs = (
        (first.pointer, second.pointer),
        (first.mask, second.mask),
        (first.other, second.other),
    )
    return (
        first.is_plain
        and second.is_plain
        and all(a is b or (a is not None and b is not None and a.same_as(b)) for a, b in pairs)
    )


def _whole(value: Node, inner: Node, load: Node) -> Node | None:
    """The expression around `load` that is to it what `value` is to `inner`."""
    outer, own = inner, load
    value = value.unparenthesized
    while outer is not value:
        if outer.parent is None or own.parent is None or own.parent.kind != outer.parent.kind:
            return None
        if outer.index != own.index:
            return None
        outer, own = outer.parent, own.parent
    return own if _same_around(value, own, inner, load) else None


def _same_around(a: Node, b: Node, inner: Node, load: Node) -> bool:
    if a is inner and b is load:
        return True
    if a.kind != b.kind or len(a.children) != len(b.children):
        return False
    if not a.children:
        return a.bytes == b.bytes
    return all(_same_around(x, y, inner, load) for x, y in zip(a.children, b.children, strict=True))


def _why_not(
    module: Module, facts: Facts, first: Node, source: Access, same: Node, load: Access
) -> Refusal | None:
    if load.is_volatile or source.is_volatile:
        return refuse("volatile", "this load is to happen each time", load.call)
    second = statement_of(load.call)
    assignment = assigned(first)
    assert second is not None and assignment is not None
    value = assignment["right"]
    if facts.effects(value) & ~Effect.READS:
        return refuse("unknown-code", "this may do more than load", value)
    if any(c is not source.call and language_name(module, facts.unit, c) == "load"
           for c in value.find("call")):  # fmt: skip
        return refuse("changed", "another load takes part in this value", value)
    target = facts.scopes.binding(assignment["left"])
    bindings = [facts.scopes.binding(n) for n in names_in(facts, value)]
    if target in bindings:
        return refuse("changed", "the value's variable stands for something else by now", same)
    for binding in (target, *bindings):
        if binding is not None and binding.is_global:
            continue
        if not is_own(facts, binding) or binding is None:
            return refuse("changed", "other code can see a variable of this value", value)
        # Names that the value loads must hold at the second load what they held at the first.
        if not _holds(facts, first, second, binding, assignment["left"]):
            return refuse("changed", f"{binding.name!r} may have changed in between", same)
    return why_overwritten(module, facts, load, _between(first, second))


def _holds(facts: Facts, first: Node, second: Node, binding: Binding, target: Node) -> bool:
    if facts.scopes.binding(target) is binding:
        # Only this store reaches the second load.
        return facts.flow.definitions_at(second, binding) == {target}
    return facts.flow.is_unchanged(first, second, binding)


def _between(first: Node, second: Node) -> list[Node]:
    """All code that may run after `first` and before `second`, a sibling of it or deeper."""
    found: list[Node] = []
    following = first.next_sibling
    while following is not None:
        found.append(following)
        if second.is_inside(following):
            return found if following is not second else found[:-1]
        following = following.next_sibling
    return found


def _merged(unit: Unit, statement: Node, same: Node) -> list[Edit]:
    name = assigned(statement)
    assert name is not None
    target = name["left"].text
    holder = statement_of(same)
    again = assigned(holder) if holder is not None else None
    if again is not None and holder is not None and again["right"] is same:
        if again["left"].text == target:
            return [delete_statement(unit, holder)]
    return [replace(same, target)]
