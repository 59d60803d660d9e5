"""Walks two traces in lock step and proves that nobody can tell them apart.

A relational argument: events pair up in order; each pair has the same operation and arguments
that are equal under the path's conditions, so that the results may be taken as equal. A loop
pairs with a loop: names that are equal before it and stay equal through every way around are
equal at its head and behind it (the relational invariant; Barthe, Crespo, Kunz, "Relational
verification using product programs", 2011). Where only one side branches, or the tests differ,
both sides of the branch are followed.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from semrep.verify.proof.result import Refused
from semrep.verify.proof.solver import Solver, object_sort, z3
from semrep.verify.proof.trace import Branch, End, Entry, Environment, Event, Loop, Value

_MAX_PATHS = 400


@dataclass(frozen=True, slots=True)
class _State:
    """given: what holds on this path; same: symbols of the candidate and what they equal."""

    given: tuple[Any, ...] = ()
    same: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def when(self, *conditions: Any) -> _State:
        return _State((*self.given, *conditions), self.same)


@dataclass(slots=True)
class _Frame:
    """The loop around: pairs of names (original's, candidate's), and those that parted."""

    pairs: list[tuple[str, str]]
    failed: set[tuple[str, str]] = field(default_factory=set)


class Comparison:
    """steps: the equalities between different texts that were proved."""

    def __init__(self, solver: Solver, facts: Sequence[Any]) -> None:
        self._solver = solver
        self._facts = tuple(facts)
        self._frames: list[_Frame] = []
        self._paths = 0
        self.steps: dict[str, None] = {}
        self._aliases: dict[str, tuple[Any, Any] | None] = {}

    def run(self, original: list[Entry], candidate: list[Entry]) -> None:
        """Returns where the traces are equivalent; raises Refused otherwise."""
        self._match(original, candidate, _State(self._facts))

    def implies(self, original: Sequence[Any], candidate: Sequence[Any]) -> bool:
        """Whether conditions on symbols of the original give those on the candidate's. Symbols
        are taken as equal where they were on all paths."""
        same = [pair for pair in self._aliases.values() if pair is not None]
        goal = z3().substitute(z3().And(*candidate), *same)
        return self._solver.holds(goal, [*self._facts, *original])

    # -- lists of entries -----------------------------------------------------------------------

    def _match(self, a: list[Entry], b: list[Entry], state: _State) -> _State | None:
        """The state behind both lists; None where both have left the block."""
        self._solver.check_time()
        i = j = 0
        while i < len(a) or j < len(b):
            x = a[i] if i < len(a) else None
            y = b[j] if j < len(b) else None
            if isinstance(x, Branch) or isinstance(y, Branch):
                joint = self._together(x, y, state)
                if joint is None:
                    return self._split(a[i:], b[j:], state)
                state = joint
            elif isinstance(x, End) and isinstance(y, End):
                self._end(x, y, state)
                return None
            elif isinstance(x, Event) and isinstance(y, Event):
                state = self._event(x, y, state)
            elif isinstance(x, Loop) and isinstance(y, Loop):
                state = self._loop(x, y, state)
            else:
                raise self._mismatch(x, y, state)
            i, j = i + 1, j + 1
        return state

    def _together(self, x: Entry | None, y: Entry | None, state: _State) -> _State | None:
        """Matches two branches on the same test side by side, if neither leaves the block."""
        if not isinstance(x, Branch) or not isinstance(y, Branch) or _leaves(x) or _leaves(y):
            return None
        other = self._renamed(y.condition, state)
        if not self._solver.equal(x.condition, other, state.given):
            return None
        self._note(x.node, y.node)
        # None: that side is never reached.
        yes = self._match(x.then, y.then, state.when(x.condition)) or state
        kept = _State((*state.given, z3().Not(x.condition)), yes.same)
        no = self._match(x.other, y.other, kept) or yes
        return _State(state.given, no.same)

    def _split(self, a: list[Entry], b: list[Entry], state: _State) -> _State | None:
        self._paths += 1
        if self._paths > _MAX_PATHS:
            raise Refused("too many paths")
        first = a[0] if a and isinstance(a[0], Branch) else None
        second = b[0] if b and isinstance(b[0], Branch) else None
        head = first or second
        assert head is not None
        condition = head.condition if first else self._renamed(head.condition, state)
        behind: _State | None = None
        for holds in (True, False):
            known = condition if holds else z3().Not(condition)
            inner = state.when(known)
            if self._solver.holds(z3().BoolVal(False), inner.given):
                continue
            chosen = head.then if holds else head.other
            x, y = (chosen + a[1:], b) if first else (a, chosen + b[1:])
            after = self._match(x, y, inner)
            if after is None:
                continue
            if behind is not None:
                after = _State(state.given, _merged(behind.same, after.same))
            behind = _State(state.given, after.same)
        return behind

    def _event(self, x: Event, y: Event, state: _State) -> _State:
        if x.op != y.op or len(x.args) != len(y.args) or x.roles != y.roles:
            raise self._mismatch(x, y, state)
        mask = next((x.args[i].term for i, r in enumerate(x.roles) if r == "mask"), None)
        for i, (p, q) in enumerate(zip(x.args, y.args, strict=True)):
            role = x.roles[i] if x.roles else ""
            here = state
            if role == "masked":
                here = state.when(mask)
            elif role == "unmasked":
                here = state.when(z3().Not(mask))
            if not self._equal(p, q, here, role == ""):
                raise self._mismatch(x, y, state)
        same = all(
            p.term.eq(self._renamed(q.term, state)) for p, q in zip(x.args, y.args, strict=True)
        )
        self._note(x.node, y.node, "" if same else "equal arguments in")
        return self._identify(zip(x.results, y.results, strict=True), state)

    def _end(self, x: End, y: End, state: _State) -> None:
        loops = ("break", "exit", "next")
        # A loop's own end and a break go to the same place.
        same = x.op == y.op or {x.op, y.op} == {"break", "exit"}
        if not same or len(x.args) != len(y.args):
            raise self._mismatch(x, y, state)
        if not all(self._equal(p, q, state) for p, q in zip(x.args, y.args, strict=True)):
            raise self._mismatch(x, y, state)
        self._note(x.node, y.node)
        if x.op in loops:
            frame = self._frames[-1]
            for pair in frame.pairs:
                p, q = x.carried[pair[0]], y.carried[pair[1]]
                if not (isinstance(p, Value) and isinstance(q, Value) and self._equal(p, q, state)):
                    frame.failed.add(pair)

    def _loop(self, x: Loop, y: Loop, state: _State) -> _State:
        if x.op != y.op or len(x.header) != len(y.header):
            raise self._mismatch(x, y, state)
        if not all(self._equal(p, q, state) for p, q in zip(x.header, y.header, strict=True)):
            raise self._mismatch(x, y, state)
        self._note(_header(x.node), _header(y.node))
        pairs = [p for p in _pairs(x.entry, y.entry) if self._same_slot(x, y, p, state)]
        while True:
            inner = self._identify(_values(x.head, y.head, pairs), state)
            if x.element is not None and y.element is not None:
                inner = self._identify([(x.element, y.element)], inner)
            facts = [*x.facts, *(self._renamed(f, inner) for f in y.facts)]
            self._frames.append(_Frame(pairs))
            self._match(x.body, y.body, inner.when(*facts))
            failed = self._frames.pop().failed
            if not failed:
                break
            pairs = [p for p in pairs if p not in failed]
        return self._identify(_values(x.after, y.after, pairs), state)

    def _same_slot(self, x: Loop, y: Loop, pair: tuple[str, str], state: _State) -> bool:
        p, q = x.entry[pair[0]], y.entry[pair[1]]
        head, other = x.head[pair[0]], y.head[pair[1]]
        return (
            isinstance(p, Value) and isinstance(q, Value)
            and isinstance(head, Value) and isinstance(other, Value)
            and head.kind == other.kind and head.shape == other.shape
            and self._equal(p, q, state)
        )  # fmt: skip

    # -- values ---------------------------------------------------------------------------------

    def _renamed(self, term: Any, state: _State) -> Any:
        return z3().substitute(term, *state.same.values()) if state.same else term

    def _equal(self, p: Value, q: Value, state: _State, shapes: bool = True) -> bool:
        if p.kind != q.kind or (shapes and p.shape != q.shape):
            return False
        if (p.base is None) != (q.base is None):
            return False
        if p.base is not None and not self._solver.equal(
            p.base, self._renamed(q.base, state), state.given
        ):
            return False
        other = self._renamed(q.term, state)
        if _is_symbol(p.term) and _is_symbol(other) and p.term.sort() == object_sort():
            return bool(p.term.eq(other))  # nothing is ever given about objects
        return self._solver.equal(p.term, other, state.given)

    def _identify(self, pairs: Any, state: _State) -> _State:
        """Takes the results of equal operations as equal."""
        same = dict(state.same)
        for p, q in pairs:
            if p.kind != q.kind or p.shape != q.shape:
                raise Refused("two results of different kinds")
            for left, right in ((p.term, q.term), (p.base, q.base)):
                if right is not None and _is_symbol(right):
                    known = same.setdefault(str(right), (right, left))
                    first = self._aliases.setdefault(str(right), known)
                    if first is not None and not first[1].eq(left):
                        self._aliases[str(right)] = None
                    if not known[1].eq(left):
                        raise Refused("a result that stands for two")
        return _State(state.given, same)

    # -- words ----------------------------------------------------------------------------------

    def _note(self, a: ast.AST, b: ast.AST, found: str = "") -> None:
        one, two = _text(a), _text(b)
        if found and one == two:
            self.steps[f"{found} line {getattr(a, 'lineno', 0)} `{one}`"] = None
        if one != two:
            lines = getattr(a, "lineno", 0), getattr(b, "lineno", 0)
            self.steps[f"line {lines[0]} `{one}` = line {lines[1]} `{two}`"] = None

    def _mismatch(self, x: Entry | None, y: Entry | None, state: _State) -> Refused:
        sides = [
            f"line {getattr(e.node, 'lineno', '?')} `{_text(_header(e.node))}`" if e else "nothing"
            for e in (x, y)
        ]
        why = self._solver.gave_up or "not shown equal"
        return Refused(f"{sides[0]} against {sides[1]}: {why}", self._solver.counterexample)


def _leaves(branch: Branch) -> bool:
    return any(
        isinstance(e, End) or (isinstance(e, Branch) and _leaves(e))
        for e in (*branch.then, *branch.other)
    )


def _merged(a: dict[str, tuple[Any, Any]], b: dict[str, tuple[Any, Any]]) -> Any:
    for name in a.keys() & b.keys():
        if not a[name][1].eq(b[name][1]):
            raise Refused("a result that stands for two")
    return {**a, **b}


def _pairs(a: Environment, b: Environment) -> list[tuple[str, str]]:
    """Names in loops that may correspond: the same ones, and the others in order."""
    same = [n for n in a if n in b]
    left = [n for n in a if n not in b]
    right = [n for n in b if n not in a]
    return [*((n, n) for n in same), *zip(left, right, strict=False)]


def _values(a: Environment, b: Environment, pairs: list[tuple[str, str]]) -> list[Any]:
    return [(a[m], b[n]) for m, n in pairs]


def _is_symbol(term: Any) -> bool:
    return bool(z3().is_const(term)) and bool(term.decl().kind() == z3().Z3_OP_UNINTERPRETED)


def _header(node: ast.AST) -> ast.AST:
    match node:
        case ast.For():
            return node.iter
        case ast.While():
            return node.test
    return node


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:87]}..."
