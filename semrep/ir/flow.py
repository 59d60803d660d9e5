"""Control flow of one function body, and which definition of a name reaches which use.

The graph has one point for each simple statement and for each header of a compound one.
Where exceptions and `finally` make control flow hard to know, it has edges too many, never too
few: every point inside a `try` may jump to each of its handlers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import networkx

from semrep.ir.scopes import Binding, ScopeTree, scopes
from semrep.ir.tree import Node
from semrep.ir.unit import Unit


@dataclass(frozen=True, slots=True)
class Unbound:
    """The 'definition' of a name that has no value yet, or was deleted."""

    def __repr__(self) -> str:
        return "unbound"


UNBOUND = Unbound()
Definition = Node | Unbound


@dataclass(eq=False, slots=True)
class Point:
    """node: the statement or clause. evaluated: the expressions evaluated here, in order."""

    index: int
    node: Node | None
    evaluated: tuple[Node, ...]
    successors: list[int] = field(default_factory=list)
    loads: list[Node] = field(default_factory=list)
    stores: list[Node] = field(default_factory=list)
    unbinds: list[Binding] = field(default_factory=list)
    aliases: tuple[Binding, ...] = ()
    """Names that are unbound once control leaves the `except ... as name` clauses around it."""


class Flow:
    """Control flow of a function (or lambda), or of a whole unit's top level.

    function: a `function_definition` node, or the root of a top-level statement's unit.
    """

    def __init__(self, unit: Unit, function: Node) -> None:
        self.unit = unit
        self.function = function
        self.scopes: ScopeTree = scopes(unit)
        self.points: list[Point] = []
        self._point_of: dict[int, Point] = {}
        self._found_at: dict[int, Point] = {}
        self._masks: dict[int, int] = {}
        self._aliases: tuple[Binding, ...] = ()
        self.entry = self._new(None, ())
        self.exit = self._new(None, ())
        self._handlers: list[list[int]] = []
        self._loops: list[tuple[int, list[int]]] = []
        self._finals: list[list[int]] = []
        body = function.child("body") if function.kind == "function_definition" else None
        ends = (
            self._block(body, [self.entry.index])
            if body is not None
            else self._statement(function, [self.entry.index])
        )
        self._link(ends, self.exit.index)
        for point in self.points:
            point.successors = list(dict.fromkeys(point.successors))
            self._names(point)

    # -- questions --------------------------------------------------------------------------

    def point_of(self, node: Node) -> Point | None:
        """The point at which a statement, or the expression inside it, is evaluated."""
        passed: list[Node] = []
        found: Point | None = None
        current: Node | None = node
        while current is not None and current is not self.function.parent:
            found = self._point_of.get(id(current)) or self._found_at.get(id(current))
            if found is not None:
                break
            passed.append(current)
            current = current.parent
        if found is not None:
            # A long chain of operators is deep: it must not be climbed for each of its parts.
            self._found_at.update((id(n), found) for n in passed)
        return found

    def reaching(self, load: Node) -> frozenset[Definition]:
        """The stores (identifier nodes) whose value a load may see, and UNBOUND where it may
        have none. For parameters the store is the parameter's identifier. Empty where the
        code cannot be reached, or the name is not local to this function."""
        binding = self.scopes.binding(load)
        point = self.point_of(load)
        if binding is None or point is None or binding not in self._bindings:
            return frozenset()
        reach = self._definitions_of(self._reach_in[point.index], binding)
        # `:=` may store before or after the load, within one point.
        own = [s for s in point.stores if s.parent is not None and _is_walrus(s)]
        return reach | {s for s in own if self.scopes.binding(s) is binding}

    def is_bound(self, load: Node) -> bool:
        """True where loading a local name cannot raise UnboundLocalError."""
        reach = self.reaching(load)
        return bool(reach) and UNBOUND not in reach

    def uses(self, store: Node) -> list[Node]:
        """The loads in this function (outside nested ones) that may see a store's value."""
        return self._uses.get(id(store), [])

    def is_live_after(self, node: Node, binding: Binding) -> bool:
        """Whether the value that a name has right after a point may still be loaded."""
        point = self.point_of(node)
        bit = self._bits.get(id(binding))
        if point is None or bit is None:
            return True
        return any(self._live_in[s] >> bit & 1 for s in point.successors)

    def is_live_before(self, node: Node, binding: Binding) -> bool:
        """Whether the value that a name has right before a point may still be loaded."""
        point = self.point_of(node)
        bit = self._bits.get(id(binding))
        return point is None or bit is None or bool(self._live_in[point.index] >> bit & 1)

    def is_reachable(self, node: Node) -> bool:
        point = self.point_of(node)
        return point is None or point.index in self._reachable

    def dominates(self, first: Node, second: Node) -> bool:
        """True where every way to `second` leads through `first` (also when they are one)."""
        a, b = self.point_of(first), self.point_of(second)
        if a is None or b is None or b.index not in self._dominators:
            return False
        index: int = b.index
        while index != a.index:
            parent = self._dominators.get(index)  # the entry has none
            if parent is None or parent == index:
                return False
            index = parent
        return True

    def definitions_at(self, node: Node, binding: Binding) -> frozenset[Definition]:
        """The definitions of a name that may hold just before a point."""
        point = self.point_of(node)
        if point is None or binding not in self._bindings:
            return frozenset()
        return self._definitions_of(self._reach_in[point.index], binding)

    def is_unchanged(self, first: Node, second: Node, binding: Binding) -> bool:
        """True where every way to `second` leads through `first`, and nothing stores or
        deletes the name from the start of the last `first` up to the loads of `second`."""
        a, b = self.point_of(first), self.point_of(second)
        if a is None or b is None or self._changes(a, binding):
            return False
        if any(_is_walrus(s) and self.scopes.binding(s) is binding for s in b.stores):
            return False
        seen: set[int] = set()
        stack = [] if a is b else list(self._predecessors[b.index])
        while stack:
            index = stack.pop()
            if index in seen or index == a.index:
                continue
            if index == self.entry.index or self._changes(self.points[index], binding):
                return False
            seen.add(index)
            stack.extend(self._predecessors[index])
        return True

    def is_stored_after(self, node: Node, binding: Binding) -> bool:
        """True where some way on from a point stores or deletes the name."""
        point = self.point_of(node)
        if point is None:
            return True
        seen: set[int] = set()
        stack = list(point.successors)
        while stack:
            index = stack.pop()
            if index not in seen:
                if self._changes(self.points[index], binding):
                    return True
                seen.add(index)
                stack.extend(self.points[index].successors)
        return False

    def _changes(self, point: Point, binding: Binding) -> bool:
        return binding in point.unbinds or any(
            self.scopes.binding(s) is binding for s in point.stores
        )

    @cached_property
    def _predecessors(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self.points]
        for p in self.points:
            for s in p.successors:
                found[s].append(p.index)
        return found

    @cached_property
    def graph(self) -> networkx.DiGraph:
        """Points by index, an edge for each possible step."""
        graph = networkx.DiGraph()
        graph.add_nodes_from(p.index for p in self.points)
        graph.add_edges_from((p.index, s) for p in self.points for s in p.successors)
        return graph

    # -- dataflow ---------------------------------------------------------------------------

    @cached_property
    def _dominators(self) -> dict[int, int | None]:
        return dict(networkx.immediate_dominators(self.graph, self.entry.index))

    @cached_property
    def _reachable(self) -> frozenset[int]:
        seen = {self.entry.index}
        stack = [self.entry.index]
        while stack:
            for s in self.points[stack.pop()].successors:
                if s not in seen:
                    seen.add(s)
                    stack.append(s)
        return frozenset(seen)

    @cached_property
    def _bindings(self) -> dict[Binding, list[Definition]]:
        """Names of this function's own scope, each with its possible definitions."""
        found: dict[Binding, list[Definition]] = {}
        if self.function.kind == "function_definition":
            mine = self.scopes.scope_for(self.function).names.values()
        else:
            mine = self.scopes.globals.values()
        for binding in mine:
            found[binding] = [UNBOUND, *binding.stores]
        return found

    @cached_property
    def _numbers(self) -> dict[tuple[int, int], int]:
        """Bit number of each (binding, definition)."""
        numbers: dict[tuple[int, int], int] = {}
        for binding, definitions in self._bindings.items():
            for definition in definitions:
                numbers[id(binding), id(definition)] = len(numbers)
        return numbers

    def _mask(self, binding: Binding) -> int:
        mask = self._masks.get(id(binding), 0)
        if not mask:
            for d in self._bindings[binding]:
                mask |= 1 << self._numbers[id(binding), id(d)]
            self._masks[id(binding)] = mask
        return mask

    @cached_property
    def _numbered(self) -> dict[int, Definition]:
        """The definition that a bit stands for."""
        return {
            self._numbers[id(binding), id(definition)]: definition
            for binding, definitions in self._bindings.items()
            for definition in definitions
        }

    def _definitions_of(self, bits: int, binding: Binding) -> frozenset[Definition]:
        bits &= self._mask(binding)
        found: list[Definition] = []
        while bits:
            lowest = bits & -bits
            found.append(self._numbered[lowest.bit_length() - 1])
            bits ^= lowest
        return frozenset(found)

    @cached_property
    def _reach_in(self) -> list[int]:
        entry = 0
        for binding in self._bindings:
            parameter = [s for s in binding.stores if self._is_parameter(s)]
            first: Definition = parameter[0] if parameter else UNBOUND
            entry |= 1 << self._numbers[id(binding), id(first)]
        count = len(self.points)
        gen, keep = [0] * count, [-1] * count
        for p in self.points:
            for s in p.stores:
                stored = self.scopes.binding(s)
                if stored is None or stored not in self._bindings:
                    continue
                bit = 1 << self._numbers[id(stored), id(s)]
                if _is_walrus(s):
                    gen[p.index] |= bit  # may not happen at all: kills nothing
                else:
                    mask = self._mask(stored)
                    keep[p.index] &= ~mask
                    gen[p.index] = gen[p.index] & ~mask | bit
            for binding in p.unbinds:
                if binding in self._bindings:
                    mask = self._mask(binding)
                    keep[p.index] &= ~mask
                    gen[p.index] = (
                        gen[p.index] & ~mask | 1 << self._numbers[id(binding), id(UNBOUND)]
                    )
        predecessors = self._predecessors
        reach = [0] * count
        reach[self.entry.index] = entry
        # An exception may leave a point before or after its stores took place.
        work = deque(range(count))
        waiting = set(work)
        while work:
            index = work.popleft()
            waiting.discard(index)
            incoming = entry if index == self.entry.index else 0
            for q in predecessors[index]:
                incoming |= reach[q] & keep[q] | gen[q]
                if index in self._exceptional.get(q, ()):
                    incoming |= reach[q] | self._unbound(self.points[q].aliases)
            if incoming != reach[index]:
                reach[index] = incoming
                ready = [s for s in self.points[index].successors if s not in waiting]
                work.extend(ready)
                waiting.update(ready)
        return reach

    def _unbound(self, bindings: Iterable[Binding]) -> int:
        bits = 0
        for binding in bindings:
            if binding in self._bindings:
                bits |= 1 << self._numbers[id(binding), id(UNBOUND)]
        return bits

    def _is_parameter(self, store: Node) -> bool:
        parameters = self.function.child("parameters")
        return parameters is not None and store.is_inside(parameters)

    @cached_property
    def _uses(self) -> dict[int, list[Node]]:
        uses: dict[int, list[Node]] = {}
        for point in self.points:
            for load in point.loads:
                for definition in self.reaching(load):
                    if isinstance(definition, Node):
                        uses.setdefault(id(definition), []).append(load)
        return uses

    @cached_property
    def _bits(self) -> dict[int, int]:
        return {id(b): n for n, b in enumerate(self._bindings)}

    @cached_property
    def _live_in(self) -> list[int]:
        count = len(self.points)
        use, kill = [0] * count, [0] * count
        for p in self.points:
            for load in p.loads:
                bit = self._bits.get(id(self.scopes.binding(load)))
                if bit is not None:
                    use[p.index] |= 1 << bit
            if p.index in self._exceptional:
                continue  # its stores may not happen
            for s in p.stores:
                bit = self._bits.get(id(self.scopes.binding(s)))
                if bit is not None and not _is_walrus(s):
                    kill[p.index] |= 1 << bit
        live = [0] * count
        changed = True
        while changed:
            changed = False
            for p in reversed(self.points):
                out = 0
                for s_index in p.successors:
                    out |= live[s_index]
                new = use[p.index] | out & ~kill[p.index]
                if new != live[p.index]:
                    live[p.index] = new
                    changed = True
        return live

    # -- construction -----------------------------------------------------------------------

    @cached_property
    def _exceptional(self) -> dict[int, set[int]]:
        return {}

    def _new(self, node: Node | None, evaluated: Iterable[Node | None]) -> Point:
        point = Point(len(self.points), node, tuple(e for e in evaluated if e is not None))
        point.aliases = self._aliases
        self.points.append(point)
        if node is not None:
            self._point_of.setdefault(id(node), point)
        for e in point.evaluated:
            self._point_of[id(e)] = point
        return point

    def _add(self, node: Node, evaluated: Iterable[Node | None], before: list[int]) -> Point:
        point = self._new(node, evaluated)
        self._link(before, point.index)
        for targets in self._handlers:
            self.points[point.index].successors.extend(targets)
            self._exceptional.setdefault(point.index, set()).update(targets)
        return point

    def _link(self, before: Iterable[int], to: int) -> None:
        for index in before:
            self.points[index].successors.append(to)

    def _block(self, block: Node | None, before: list[int]) -> list[int]:
        if block is None:
            return before
        if block.kind not in ("block", "module"):
            return self._statement(block, before)
        for statement in block.operands:
            before = self._statement(statement, before)
        return before

    def _statement(self, node: Node, before: list[int]) -> list[int]:
        build = _BUILDERS.get(node.kind)
        if build is not None:
            return build(self, node, before)
        return [self._add(node, (node,), before).index]

    def _definition(self, node: Node, before: list[int]) -> list[int]:
        # A nested function or class is one step: its decorators, defaults and name.
        return [self._add(node, (node,), before).index]

    def _if(self, node: Node, before: list[int]) -> list[int]:
        point = self._add(node, (node["condition"],), before)
        ends = self._block(node.child("consequence"), [point.index])
        last: list[int] = [point.index]
        for clause in node.fields("alternative"):
            if clause.kind == "elif_clause":
                test = self._add(clause, (clause["condition"],), last)
                ends = ends + self._block(clause.child("consequence"), [test.index])
                last = [test.index]
            else:
                ends = ends + self._block(clause.child("body"), last)
                last = []
        return ends + last

    def _while(self, node: Node, before: list[int]) -> list[int]:
        point = self._add(node, (node["condition"],), before)
        return self._loop(node, point, point)

    def _for(self, node: Node, before: list[int]) -> list[int]:
        iterable = self._add(node, (node["right"],), before)
        # The last step of all finds the iterator exhausted and stores nothing.
        step = self._add(node["left"], (), [iterable.index])
        target = self._add(node["left"], (node["left"],), [step.index])
        return self._loop(node, target, step)

    def _loop(self, node: Node, head: Point, again: Point) -> list[int]:
        breaks: list[int] = []
        self._loops.append((again.index, breaks))
        ends = self._block(node.child("body"), [head.index])
        self._link(ends, again.index)
        self._loops.pop()
        after = [again.index]
        alternative = node.child("alternative")
        if alternative is not None:
            after = self._block(alternative.child("body"), after)
        return after + breaks

    def _break(self, node: Node, before: list[int]) -> list[int]:
        point = self._add(node, (), before)
        point.unbinds.extend(self._aliases)
        if self._loops:
            self._loops[-1][1].append(point.index)
        self._through_finally(point)
        return []

    def _continue(self, node: Node, before: list[int]) -> list[int]:
        point = self._add(node, (), before)
        point.unbinds.extend(self._aliases)
        if self._loops:
            point.successors.append(self._loops[-1][0])
        self._through_finally(point)
        return []

    def _return(self, node: Node, before: list[int]) -> list[int]:
        point = self._add(node, (node,), before)
        point.unbinds.extend(self._aliases)
        point.successors.append(self.exit.index)
        self._through_finally(point)
        return []

    def _raise(self, node: Node, before: list[int]) -> list[int]:
        point = self._add(node, (node,), before)
        point.successors.append(self.exit.index)
        return []

    def _through_finally(self, point: Point) -> None:
        for targets in self._finals:
            targets.append(point.index)

    def _with(self, node: Node, before: list[int]) -> list[int]:
        items = next((c for c in node.children if c.kind == "with_clause"), None)
        point = self._add(node, (items,), before)
        # __exit__ may swallow an exception raised anywhere inside.
        after = self._new(None, ())
        self._handlers.append([after.index])
        ends = self._block(node.child("body"), [point.index])
        self._handlers.pop()
        self._link([*ends, point.index], after.index)
        return [after.index]

    def _try(self, node: Node, before: list[int]) -> list[int]:
        clauses = [c for c in node.children if c.kind in ("except_clause", "except_group_clause")]
        final = next((c for c in node.children if c.kind == "finally_clause"), None)
        otherwise = next((c for c in node.children if c.kind == "else_clause"), None)
        start = self._new(None, ())
        self._link(before, start.index)
        final_entry: Point | None = None
        left_early: list[int] = []
        if final is not None:
            final_entry = self._new(None, ())
            self._handlers.append([final_entry.index])
            self._finals.append(left_early)
        heads = [self._new(None, ()) for _ in clauses]
        self._handlers.append([h.index for h in heads])
        start.successors.extend(h.index for h in heads)
        ends = self._block(node.child("body"), [start.index])
        self._handlers.pop()
        if otherwise is not None:
            ends = self._block(otherwise.child("body"), ends)
        for head, clause in zip(heads, clauses, strict=True):
            body = next((c for c in clause.children if c.kind == "block"), None)
            caught = [c for c in clause.operands if c is not body]
            point = self._add(clause, caught, [head.index])
            aliases = [a for c in caught for a in c.find("as_pattern_target")]
            names = [self.scopes.binding(i) for a in aliases for i in a.find("identifier")]
            unbound = [b for b in names if b is not None]
            around, self._aliases = self._aliases, (*self._aliases, *unbound)
            done = self._block(body, [point.index])
            self._aliases = around
            if unbound:
                unbind = self._new(None, ())
                unbind.unbinds = unbound
                self._link(done, unbind.index)
                done = [unbind.index]
            ends = ends + done
        if final is not None and final_entry is not None:
            self._handlers.pop()
            self._finals.pop()
            self._link([*ends, *left_early], final_entry.index)
            body = next((c for c in final.children if c.kind == "block"), None)
            ends = self._block(body, [final_entry.index])
            for index in ends:
                # After an exception, a return or a jump, `finally` hands on to where that led.
                self.points[index].successors.append(self.exit.index)
                for again, breaks in self._loops:
                    self.points[index].successors.append(again)
                    breaks.append(index)
                for targets in self._handlers:
                    self.points[index].successors.extend(targets)
            self._through_finals(ends)
        return ends

    def _through_finals(self, ends: list[int]) -> None:
        for targets in self._finals:
            targets.extend(ends)

    def _match(self, node: Node, before: list[int]) -> list[int]:
        point = self._add(node, node.fields("subject"), before)
        ends: list[int] = []
        last = [point.index]
        body = node.child("body")
        cases = body.operands if body is not None else node.fields("alternative")
        for case in cases:
            if case.kind != "case_clause":
                continue
            parts = [c for c in case.operands if c.kind != "block"]
            test = self._add(case, parts, last)
            # A pattern that fails may have bound some of its names.
            last = [test.index]
            ends = ends + self._block(case.child("consequence"), [test.index])
        return ends + last

    def _names(self, point: Point) -> None:
        """The names that are loaded and stored at a point, without the insides of nested
        functions (whose names are marked as captured)."""
        for expression in point.evaluated:
            stack = [expression]
            while stack:
                node = stack.pop()
                if node.kind == "identifier":
                    self._name(point, node)
                elif node.kind in ("function_definition", "lambda", "class_definition"):
                    name = node.child("name")
                    if name is not None:
                        self._name(point, name)
                    for part in ("parameters", "superclasses", "return_type"):
                        if (p := node.child(part)) is not None:
                            stack.append(p)
                    if node.kind == "class_definition" and (body := node.child("body")):
                        stack.append(body)
                else:
                    stack.extend(c for c in node.children if c.named)
        point.loads.sort(key=lambda n: n.start)
        point.stores.sort(key=lambda n: n.start)

    def _name(self, point: Point, node: Node) -> None:
        binding = self.scopes.binding(node)
        if binding is None:
            return
        if id(node) in self.scopes.stores:
            point.stores.append(node)
        if id(node) in self.scopes.deletes:
            point.unbinds.append(binding)
        if id(node) in self.scopes.loads:
            point.loads.append(node)


_BUILDERS = {
    "function_definition": Flow._definition,
    "class_definition": Flow._definition,
    "decorated_definition": Flow._definition,
    "if_statement": Flow._if,
    "while_statement": Flow._while,
    "for_statement": Flow._for,
    "break_statement": Flow._break,
    "continue_statement": Flow._continue,
    "return_statement": Flow._return,
    "raise_statement": Flow._raise,
    "with_statement": Flow._with,
    "try_statement": Flow._try,
    "match_statement": Flow._match,
    "block": Flow._block,
}


def _is_walrus(store: Node) -> bool:
    return (
        store.parent is not None
        and store.parent.kind == "named_expression"
        and store.field == "name"
    ) or store.enclosing("case_pattern") is not None


def flow(unit: Unit, function: Node | None = None) -> Flow:
    """Control flow of a function of the unit (by default its own outermost one), once."""
    if function is None:
        function = unit.definition if unit.kind == "function" else unit.root
    assert function is not None
    node = function
    return unit.fact(("flow", id(node)), lambda: Flow(unit, node))
