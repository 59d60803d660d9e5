"""Load a row once where it fits one block, instead of once in each of several loops.

Rewrite:     for start in range(0, n, BLOCK): x = tl.load(row + start + i); m = …
             for start in range(0, n, BLOCK): x = tl.load(row + start + i); s += …
             -->   if (n > 0) & (n <= BLOCK): start = 0; x = tl.load(…); m = …; s += …; return
                   both loops as they were
Legal when:  the loops go through the same range, so that each runs exactly once under the
             guard. The bodies and all that follows them to the kernel's end then run in the
             same order; a load is left out where its address, mask and fill-in stand for the
             same values and nothing in between may write there (semrep.passes.triton.aliasing).
             Accumulators that start as Python numbers become the tensors that a loop would
             make of them.
Numerics:    bitwise.
Refuses:     unknown-range, nested, jumps, aliased-store, unknown-initial, long-tail, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import insert_before
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import BITWISE, Contract
from semrep.passes.loop.loops import why_not_plain
from semrep.passes.registry import register
from semrep.passes.triton.aliasing import LAUNCHES_IN_SIGHT, is_counter
from semrep.passes.triton.counted_loops import bounds, names_in, stores_in
from semrep.passes.triton.initial_values import as_tensor, is_tensor
from semrep.passes.triton.kernels import assigned, is_kernel, is_own
from semrep.passes.triton.layout import indented, lines_of
from semrep.passes.triton.straight_line import Values, loads_below

# Lines behind the last loop that are worth repeating.
_LONGEST_TAIL = 30


@register
@dataclass(frozen=True, slots=True)
class LoadRowOnce(NodePass):
    """Load a row once where it fits one block, behind a guard."""

    name: ClassVar[str] = "load-row-once"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = BITWISE.assuming(LAUNCHES_IN_SIGHT)
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if not is_kernel(module, unit) or len(unit.nodes("for_statement")) < 2:
            return False
        facts = self.facts(module, unit, node)
        if not is_counter(module, facts, node) or _is_guarded(node):
            return False
        before = node.previous_sibling
        while before is not None:
            if before.kind == "for_statement" and _goes_alike(before, node):
                return False  # a later loop of a group
            before = before.previous_sibling
        later = _group(node)[1:]
        loaded = loads_below(module, facts, node)
        return any(loaded & loads_below(module, facts, loop) for loop in later)

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        loops = _group(node)
        counted = bounds(module, facts, node)
        if isinstance(counted, Refusal):
            return counted
        if counted.step is None or counted.step.kind == "integer":
            return refuse("unknown-range", "this loop does not go by blocks", node["right"])
        if counted.first is not None and counted.first.text != "0":
            return refuse("unknown-range", "this range does not start at 0", counted.first)
        if not _is_argument(facts, counted.end):
            return refuse("unknown-range", "this bound may have more than 32 bits", counted.end)
        region = _region(facts, loops)
        if isinstance(region, Refusal):
            return region
        if refusal := _why_not_alone(facts, loops, region):
            return refusal
        made = _initial(facts, loops, region)
        if isinstance(made, Refusal):
            return made
        end, step = counted.end.text, counted.step.text
        guard = f"({end} > 0) & ({end} <= {step})"
        once = _once(module, facts, loops, region, made)
        if isinstance(once, Refusal):
            return once
        return _guarded(unit, node, guard, once)


def _goes_alike(first: Node, second: Node) -> bool:
    return first["left"].same_as(second["left"]) and first["right"].same_as(second["right"])


def _is_argument(facts: Facts, end: Node) -> bool:
    """Whether a bound is a plain argument. Those that need 64 bits are larger than a block."""
    binding = facts.scopes.binding(end) if end.kind == "identifier" else None
    if binding is None or not binding.is_parameter or len(binding.stores) != 1:
        return False
    holder = binding.stores[0].parent
    kind = holder.child("type") if holder is not None else None
    return kind is None or kind.text.rpartition(".")[2] == "constexpr"


def _group(first: Node) -> list[Node]:
    found = [first]
    following = first.next_sibling
    while following is not None:
        if following.kind == "for_statement" and _goes_alike(first, following):
            found.append(following)
        following = following.next_sibling
    return found


def _region(facts: Facts, loops: list[Node]) -> list[Node] | Refusal:
    """All statements from the first loop to the kernel's end."""
    if loops[0].parent is not facts.function["body"]:
        return refuse("nested", "the kernel goes on around these loops", loops[0])
    found = [loops[0]]
    while (following := found[-1].next_sibling) is not None:
        found.append(following)
    tail = found[found.index(loops[-1]) + 1 :]
    if tail and tail[-1].source.count(b"\n", tail[0].start, tail[-1].end) >= _LONGEST_TAIL:
        return refuse("long-tail", "all this would be there twice", tail[0])
    return found


def _is_guarded(loop: Node) -> bool:
    """Whether a loop is what this pass left for rows that do not fit."""
    before = loop.previous_sibling
    consequence = before.child("consequence") if before is not None else None
    if before is None or before.kind != "if_statement" or consequence is None:
        return False
    lines = [s.text for s in consequence.operands]
    return lines[-1] == "return" and _first_trip(loop) in lines


def _first_trip(loop: Node) -> str:
    """The counter's value, in the type that it has in a loop."""
    return f"{loop['left'].text} = tl.full((), 0, tl.int32)"


def _why_not_alone(facts: Facts, loops: list[Node], region: list[Node]) -> Refusal | None:
    """Why the statements cannot stand in a branch, or the range may differ between loops."""
    fixed = {n.text for n in names_in(facts, loops[0]["right"])}
    counter = loops[0]["left"]
    binding = facts.scopes.binding(counter)
    if counter.kind != "identifier" or not is_own(facts, binding) or binding is None:
        return refuse("unknown-range", "the counter is no plain variable", counter)
    for store in binding.stores:
        if store.parent is None or store.parent.kind != "for_statement":
            return refuse("unknown-range", "the counter is set elsewhere, too", store)
    for statement in region:
        if jump := next(
            statement.find("return_statement", "break_statement", "continue_statement"), None
        ):
            return refuse("jumps", "this leaves the code that would move", jump)
        inner = [statement["body"]] if statement in loops else [statement]
        for name, stores in stores_in(facts, *inner).items():
            if name in fixed or name == counter.text:
                return refuse(
                    "unknown-range", f"{name!r} decides how often the loops run", stores[0]
                )
    for loop in loops:
        if refusal := why_not_plain(loop):
            return Refusal("layout", refusal.message, refusal.span)
    return None


def _initial(facts: Facts, loops: list[Node], region: list[Node]) -> dict[int | str, str] | Refusal:
    """Lines that give accumulators the types a loop would: by the start of the statement they
    replace, or by name for those that were set before the first loop."""
    lines: dict[int | str, str] = {}
    for loop in loops:
        for name, stores in stores_in(facts, loop["body"]).items():
            binding = facts.scopes.binding(stores[0])
            assert binding is not None
            if not facts.flow.is_live_before(loop, binding):
                continue
            found = facts.flow.definitions_at(loop, binding)
            outside = [d for d in found if isinstance(d, Node)]
            for definition in outside:
                if any(definition.is_inside(earlier["body"]) for earlier in loops):
                    continue  # carried on from an earlier loop, where it is a tensor
                holder = definition.parent
                statement = holder.parent if holder is not None else None
                value = holder.child("right") if holder is not None else None
                if holder is None or holder.kind != "assignment" or value is None:
                    return refuse("unknown-initial", f"what {name!r} starts with", definition)
                made = as_tensor(facts, value)
                if made is None:
                    if not is_tensor(facts, value):
                        return refuse(
                            "unknown-initial", f"it is not known what {name!r} starts as", value
                        )
                    continue
                if len(outside) > 1 and not all(
                    d is definition or any(d.is_inside(e["body"]) for e in loops) for d in outside
                ):
                    return refuse("unknown-initial", f"{name!r} may start as several", value)
                line = f"{name} = {made}"
                if statement is not None and statement in region:
                    lines[statement.start] = line
                else:
                    lines[name] = line
    return lines


def _once(
    module: Module,
    facts: Facts,
    loops: list[Node],
    region: list[Node],
    made: dict[int | str, str],
) -> list[str] | Refusal:
    """The lines of one trip through everything."""
    unit = facts.unit
    lines = [line for key, line in sorted(made.items(), key=str) if isinstance(key, str)]
    lines.append(_first_trip(loops[0]))
    values = Values(module, facts)
    for statement in region:
        for part in statement["body"].operands if statement in loops else [statement]:
            text = lines_of(unit, part)
            if text is None:
                return refuse("layout", "the text here is not to be moved", part)
            if part.start in made:
                values.note(part)
                lines.append(made[part.start])
                continue
            held = values.note(part)
            target = assigned(part)
            if held is None or target is None:
                lines += text
            elif target["left"].text != held:
                lines.append(f"{target['left'].text} = {held}")
    if not values.loads_saved:
        return refuse("aliased-store", "nothing loaded may be used again", loops[1])
    return lines


def _guarded(unit: Unit, loop: Node, guard: str, once: list[str]) -> list[Edit] | Refusal:
    before = insert_before(unit, loop, f"if {guard}:", *indented([*once, "return"]))
    if before is None:
        return refuse("layout", "no line can be put before the loop", loop)
    return [before]
