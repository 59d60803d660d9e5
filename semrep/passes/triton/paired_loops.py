"""Two loops of a kernel over the same range: what the second computes and loads again, and
whether its iterations can join those of the first."""

from __future__ import annotations

from dataclasses import dataclass

from semrep.ir.effects import Effect, Facts
from semrep.ir.emit import delete_statement, insert_after, insert_before
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import Refusal, refuse
from semrep.passes.loop.loops import jumps_out, why_not_plain
from semrep.passes.triton.aliasing import is_counter, may_alias
from semrep.passes.triton.counted_loops import names_in, stores_in
from semrep.passes.triton.kernels import accesses, assigned, is_own, memory
from semrep.passes.triton.layout import lines_of
from semrep.passes.triton.straight_line import key_of, loads_below


@dataclass(frozen=True, slots=True)
class Pair:
    """first, second: the loops. shared: statements of the second's body that compute what
    statements of the first's do, with the variable that holds it there. own: the second's
    other statements. up: statements between the loops that must run before the first one."""

    first: Node
    second: Node
    shared: tuple[tuple[Node, str], ...]
    own: tuple[Node, ...]
    up: tuple[Node, ...]

    @property
    def shared_names(self) -> frozenset[str]:
        return frozenset(name for _, name in self.shared)


def partner(module: Module, facts: Facts, first: Node) -> Node | None:
    """The next loop over the same range that loads from the same addresses."""
    if not is_counter(module, facts, first):
        return None
    loaded = loads_below(module, facts, first)
    following = first.next_sibling
    while following is not None:
        if following.kind == "for_statement":
            alike = first["right"].same_as(following["right"])
            alike = alike and first["left"].same_as(following["left"])
            if alike and loaded & loads_below(module, facts, following):
                return following
            return None
        following = following.next_sibling
    return None


def pair(module: Module, facts: Facts, first: Node, second: Node) -> Pair | Refusal:
    """The two loops taken apart; a refusal where their texts or memory accesses forbid it.
    Names that the second takes from the first are up to the caller (`why_dependent`)."""
    for loop in (first, second):
        if refusal := why_not_plain(loop):
            return Refusal("layout", refusal.message, refusal.span)
        jump = jumps_out(loop) or next(loop["body"].find("return_statement"), None)
        if jump is not None:
            return refuse("jumps", "this leaves the loop or goes on early", jump)
    between = _between(first, second)
    fixed = {n.text for n in names_in(facts, first["right"])} | {first["left"].text}
    for piece in (first["body"], *between, second["body"]):
        for name, stores in stores_in(facts, piece).items():
            if name in fixed:
                return refuse("dependent", f"this changes {name!r}", stores[0])
            if not is_own(facts, facts.scopes.binding(stores[0])):
                return refuse("dependent", f"other code can see {name!r}", stores[0])
    if refusal := _why_memory(module, facts, first, between, second):
        return refusal
    shared = _shared(module, facts, first, second)
    held = {id(s) for s, _ in shared}
    own = tuple(s for s in second["body"].operands if id(s) not in held)
    up = _up(facts, first, between, second)
    if isinstance(up, Refusal):
        return up
    return Pair(first, second, tuple(shared), own, up)


def _between(first: Node, second: Node) -> list[Node]:
    found: list[Node] = []
    following = first.next_sibling
    while following is not None and following is not second:
        found.append(following)
        following = following.next_sibling
    return found


def _why_memory(
    module: Module, facts: Facts, first: Node, between: list[Node], second: Node
) -> Refusal | None:
    """Why the memory accesses of the second loop may not come earlier."""
    late = memory(module, facts.unit, facts, second["body"])
    if late.unknown is not None:
        return refuse("unknown-code", "the order of this may matter", late.unknown)
    for piece in (first["body"], *between):
        early = memory(module, facts.unit, facts, piece)
        if early.unknown is not None:
            return refuse("unknown-code", "the order of this may matter", early.unknown)
        for one, others in (
            *((s, late.loads + late.stores) for s in early.stores),
            *((s, early.loads) for s in late.stores),
        ):
            for other in others:
                if reason := may_alias(module, facts, one.pointer, other.pointer):
                    return refuse("aliased-store", reason, one.call)
    # What the second loop writes must not be what it loaded first and now takes from the first.
    for store in late.stores:
        for load in late.loads:
            if reason := may_alias(module, facts, store.pointer, load.pointer):
                return refuse("aliased-store", reason, store.call)
    return None


def _shared(module: Module, facts: Facts, first: Node, second: Node) -> list[tuple[Node, str]]:
    mine, theirs = stores_in(facts, first["body"]), stores_in(facts, second["body"])
    held: dict[str, str] = {}
    stable = {first["left"].text}
    for statement in first["body"].operands:
        assignment = assigned(statement)
        if assignment is None:
            continue
        target, value = assignment["left"].text, assignment["right"]
        if len(mine[target]) != 1 or not _is_repeatable(module, facts, value):
            continue
        names = {n.text for n in names_in(facts, value)}
        if all(n in stable or n not in mine and n not in theirs for n in names):
            held.setdefault(key_of(value), target)
            stable.add(target)
    found: list[tuple[Node, str]] = []
    seen = {first["left"].text}
    for statement in second["body"].operands:
        assignment = assigned(statement)
        if assignment is None:
            continue
        target, value = assignment["left"].text, assignment["right"]
        if len(theirs[target]) != 1:
            continue
        # Names that both bodies store must stand for the same value at this place.
        names = {n.text for n in names_in(facts, value)}
        if not all(n in seen or n not in theirs and n not in mine for n in names):
            continue
        holder = held.get(key_of(value))
        if holder is not None and (holder == target or target not in mine):
            found.append((statement, holder))
            if holder == target:
                seen.add(target)
    return found


def _is_repeatable(module: Module, facts: Facts, value: Node) -> bool:
    if facts.effects(value) & ~Effect.READS:
        return False
    return not any(a.is_volatile for a in accesses(module, facts.unit, value, "load"))


def _up(facts: Facts, first: Node, between: list[Node], second: Node) -> tuple[Node, ...] | Refusal:
    """Those of the statements between that the second loop needs; the others follow it."""
    up: list[Node] = []
    stay: list[Node] = []
    for statement in between:
        if facts.commute(statement, second):
            stay.append(statement)
        elif facts.commute(first, statement) and all(facts.commute(s, statement) for s in stay):
            up.append(statement)
        else:
            return refuse("dependent", "this stands between the loops for a reason", statement)
    return tuple(up)


def why_dependent(facts: Facts, found: Pair, apart: frozenset[str] = frozenset()) -> Refusal | None:
    """Why the second loop's own statements cannot run in the first one's iterations.

    apart: names that the caller takes care of.
    """
    mine = stores_in(facts, found.first["body"])
    used = {n.text for n in names_in(facts, found.first["body"])}
    for statement in found.own:
        for name, stores in stores_in(facts, statement).items():
            if name not in apart and (name in mine or name in used):
                return refuse("dependent", f"the first loop uses {name!r}, too", stores[0])
        for load in names_in(facts, statement):
            name = load.text
            if name in mine and name not in apart and name not in found.shared_names:
                return refuse("dependent", f"this needs the first loop's last {name!r}", load)
    return None


def joined(
    unit: Unit, found: Pair, lines: list[str], at: Node, replaces: bool = False
) -> list[Edit] | Refusal:
    """Edits that put lines behind (or in place of) a statement of the first body, move up what
    must run before, and remove the second loop."""
    edits: list[Edit] = []
    text: list[str] = []
    for statement in found.up:
        moved = lines_of(unit, statement)
        if moved is None:
            return refuse("layout", "the text here is not to be moved", statement)
        text += moved
        edits.append(delete_statement(unit, statement))
    if text:
        before = insert_before(unit, found.first, *text)
        if before is None:
            return refuse("layout", "no line can be put before the loop", found.first)
        edits.append(before)
    added = insert_after(unit, at, *lines)
    if added is None or lines_of(unit, found.second) is None:
        return refuse("layout", "the text here is not to be moved", found.second)
    edits.append(added)
    if replaces:
        edits.append(delete_statement(unit, at))
    edits.append(delete_statement(unit, found.second))
    return edits


def own_lines(unit: Unit, found: Pair) -> list[str] | Refusal:
    """The second body's lines, shared values taken from the first body's variables."""
    shared = {id(s): name for s, name in found.shared}
    lines: list[str] = []
    for statement in found.second["body"].operands:
        if id(statement) in shared:
            assignment = assigned(statement)
            assert assignment is not None
            if assignment["left"].text != shared[id(statement)]:
                lines.append(f"{assignment['left'].text} = {shared[id(statement)]}")
            continue
        text = lines_of(unit, statement)
        if text is None:
            return refuse("layout", "the text here is not to be moved", statement)
        lines += text
    return lines
