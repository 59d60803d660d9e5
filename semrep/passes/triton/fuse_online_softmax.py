"""Find a row's maximum and the sum of its exponentials in one loop (online softmax).

Rewrite:     for k in …: x = tl.load(…); m = tl.maximum(m, tl.max(x))
             for k in …: x = tl.load(…); s += tl.sum(tl.exp(x - m))
             -->   for k in …: x = tl.load(…); new = tl.maximum(m, tl.max(x))
                               s = s * tl.exp(m - new) + tl.sum(tl.exp(x - new)); m = new
             (Milakov and Gimelshein, Online normalizer calculation for softmax, 2018)
Legal when:  the loops go through the same range and load the same row; the second uses the
             maximum only in exponentials of the very value whose maximum it is, and these
             only in sums that start at zero. Where the maximum starts at minus infinity, a
             block without a finite value leaves the sum alone, and a row without one gets
             the NaN that it had.
Numerics:    within tolerance: earlier blocks are scaled once for each new maximum.
Refuses:     no-maximum, not-a-sum, nonzero-start, unknown-range, dependent, aliased-store,
             unknown-code, jumps, layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import fresh_name, indent_of
from semrep.ir.module import Module
from semrep.ir.text import Edit, EditSet
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.base import TRITON, NodePass, Refusal, refuse
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register
from semrep.passes.triton.aliasing import LAUNCHES_IN_SIGHT
from semrep.passes.triton.counted_loops import bounds, names_in, stores_in
from semrep.passes.triton.initial_values import is_minus_infinity, is_zero, number
from semrep.passes.triton.kernels import assigned, is_kernel, language_name
from semrep.passes.triton.layout import lines_of
from semrep.passes.triton.paired_loops import Pair, joined, pair, partner, why_dependent
from semrep.passes.triton.straight_line import key_of


@register
@dataclass(frozen=True, slots=True)
class FuseOnlineSoftmax(NodePass):
    """Find a row's maximum and the sum of its exponentials in one loop (online softmax)."""

    name: ClassVar[str] = "fuse-online-softmax"
    dialects: ClassVar[frozenset[str]] = frozenset({TRITON})
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(LAUNCHES_IN_SIGHT)
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if not is_kernel(module, unit) or len(unit.nodes("for_statement")) < 2:
            return False
        second = partner(module, self.facts(module, unit, node), node)
        return (
            second is not None
            and any(_calls(module, unit, node, "max"))
            and any(_calls(module, unit, second, "exp"))
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        second = partner(module, facts, node)
        assert second is not None
        found = pair(module, facts, node, second)
        if isinstance(found, Refusal):
            return found
        counted = bounds(module, facts, node)
        if isinstance(counted, Refusal):
            return counted
        maximum = _maximum(module, facts, found)
        if isinstance(maximum, Refusal):
            return maximum
        statement, name, argument = maximum
        # The sum reads and the maximum feeds it; all else must be independent.
        if refusal := why_dependent(facts, found, frozenset({name})):
            return refusal
        rewritten = _Sums(module, facts, found, name, argument)
        if refusal := rewritten.read():
            return refusal
        starts = _start(facts, node, name)
        guard = counted.non_empty
        if guard is False:
            return refuse("unknown-range", "this loop never runs", node["right"])
        return rewritten.written(statement, starts, guard)


def _calls(module: Module, unit: Unit, node: Node, *names: str) -> Iterable[Node]:
    return (c for c in node.find("call") if language_name(module, unit, c) in names)


def _maximum(module: Module, facts: Facts, found: Pair) -> tuple[Node, str, Node] | Refusal:
    """The statement `m = tl.maximum(m, tl.max(x))`, its variable, and x."""
    for statement in found.first["body"].operands:
        assignment = assigned(statement)
        if assignment is None or assignment["right"].kind != "call":
            continue
        call = assignment["right"]
        if language_name(module, facts.unit, call) != "maximum" and (
            facts.path_of(call["function"]) != "builtins.max"
        ):
            continue
        operands = call["arguments"].operands
        if len(operands) != 2:
            continue
        name = assignment["left"].text
        reduced = [o for o in operands if language_name(module, facts.unit, o) == "max"]
        carried = [o for o in operands if o.kind == "identifier" and o.text == name]
        if len(reduced) != 1 or len(carried) != 1:
            continue
        argument = reduced[0]["arguments"].operands[0]
        uses = [n for n in names_in(facts, found.first["body"]) if n.text == name]
        if len(uses) == 1 and uses[0] is carried[0] and argument.kind == "identifier":
            return statement, name, argument
    return refuse("no-maximum", "this loop takes no running maximum of a block", found.first)


def _start(facts: Facts, loop: Node, name: str) -> str:
    """How the maximum starts: "finite", or "-inf", which stands for unknown, too."""
    store = next(n for n in loop.find("identifier") if n.text == name)
    binding = facts.scopes.binding(store)
    assert binding is not None
    definitions = facts.flow.definitions_at(loop, binding)
    values = [
        d.parent.child("right")
        for d in definitions
        if isinstance(d, Node) and d.parent is not None and d.parent.kind == "assignment"
    ]
    finite = len(values) == len(definitions) == 1 and all(
        v is not None and number(facts, v) is not None and v.text.strip("+-").isascii()
        and "inf" not in v.text.lower() and "nan" not in v.text.lower()
        and not is_minus_infinity(facts, v)
        for v in values
    )  # fmt: skip
    return "finite" if finite else "-inf"


def _axes(reduction: Node) -> tuple[str, ...]:
    """What a reduction is told besides its operand: nothing means all dimensions."""
    rest = reduction["arguments"].operands[1:]
    return tuple(key_of(r["value"] if r.kind == "keyword_argument" else r) for r in rest)


class _Sums:
    """The second loop's own statements: exponentials and the sums they go into."""

    def __init__(
        self, module: Module, facts: Facts, found: Pair, maximum: str, argument: Node
    ) -> None:
        self.module, self.facts, self.found = module, facts, found
        self.maximum, self.argument = maximum, argument
        holder = argument.parent
        assert holder is not None and holder.parent is not None
        self.axes = _axes(holder.parent)
        self.exponentials: set[str] = set()
        self.sums: list[tuple[Node, str, Node]] = []
        # The second body may call the block by another name.
        self.blocks = {key_of(argument)} | {
            a["left"].text
            for s, holder in found.shared
            if holder == argument.text and (a := assigned(s)) is not None
        }

    def read(self) -> Refusal | None:
        if self.argument.text not in self.found.shared_names:
            return refuse("not-a-sum", "the second loop sums another block", self.found.second)
        for statement in self.found.own:
            if self.maximum in stores_in(self.facts, statement):
                return refuse("dependent", "this changes the maximum", statement)
            if not any(
                n.text == self.maximum or n.text in self.exponentials
                for n in names_in(self.facts, statement)
            ):
                continue  # independent of the maximum: runs as it is
            if refusal := self._read(statement):
                return refusal
        if not self.sums:
            return refuse("not-a-sum", "the second loop sums nothing", self.found.second)
        for name in self.exponentials:
            binding = self.facts.scopes.scope_for(self.facts.function).names[name]
            for load in binding.loads:
                if not load.is_inside(self.found.second["body"]):
                    return refuse("not-a-sum", f"{name!r} is used after the loops", load)
        return None

    def _read(self, statement: Node) -> Refusal | None:
        assignment = assigned(statement)
        if assignment is not None and self._is_linear(assignment["right"]):
            self.exponentials.add(assignment["left"].text)
            return None
        added = self._added(statement)
        if added is None or not self._is_linear(added[1]):
            return refuse("not-a-sum", "this is no sum of exponentials", statement)
        name, term = added
        store = next(n for n in statement.find("identifier") if n.text == name)
        binding = self.facts.scopes.binding(store)
        assert binding is not None
        definitions = self.facts.flow.definitions_at(self.found.second, binding)
        for d in definitions:
            holder = d.parent if isinstance(d, Node) else None
            value = holder.child("right") if holder is not None else None
            if holder is None or holder.kind != "assignment" or value is None:
                return refuse("nonzero-start", f"it is not known where {name!r} starts", store)
            if not is_zero(self.facts, value):
                return refuse("nonzero-start", f"{name!r} does not start at zero", value)
        others = [n for s in self.found.own for n in names_in(self.facts, s) if n.text == name]
        if len([n for n in others if not n.is_inside(statement)]) or not definitions:
            return refuse("not-a-sum", f"{name!r} is used before it is complete", store)
        self.sums.append((statement, name, term))
        return None

    def _added(self, statement: Node) -> tuple[str, Node] | None:
        """The sum and the term of `s += term` or `s = s + term`."""
        inner = statement.operands[0] if statement.operands else statement
        if inner.kind == "augmented_assignment" and inner.operator == "+=":
            return (inner["left"].text, inner["right"])
        assignment = assigned(statement)
        if assignment is None:
            return None
        value, name = assignment["right"].unparenthesized, assignment["left"].text
        if value.kind != "binary_operator" or value.operator != "+":
            return None
        for one, other in (("left", "right"), ("right", "left")):
            if value[one].kind == "identifier" and value[one].text == name:
                return name, value[other]
        return None

    def _is_linear(self, node: Node) -> bool:
        """Whether a value scales with exp(-m): an exponential, chosen from or summed."""
        node = node.unparenthesized
        if node.kind == "identifier":
            return node.text in self.exponentials
        name = language_name(self.module, self.facts.unit, node)
        if name is None:
            return False
        given = node["arguments"].operands
        if name in ("exp", "math.exp") and len(given) == 1:
            power = given[0].unparenthesized
            return (
                power.kind == "binary_operator"
                and power.operator == "-"
                and key_of(power["left"]) in self.blocks
                and power["right"].unparenthesized.text == self.maximum
            )
        rest = given[1:]
        if name == "sum" and given:
            if self.axes and _axes(node) != self.axes:
                return False  # sums over what the maximum still tells apart
            return self._is_linear(given[0]) and not any(self._varies(r) for r in rest)
        if name == "where" and len(given) == 3:
            return (
                not self._varies(given[0])
                and self._is_linear(given[1])
                and given[2].kind in ("integer", "float")
                and float(given[2].text) == 0.0
            )
        return False

    def _varies(self, node: Node) -> bool:
        return any(
            n.text == self.maximum or n.text in self.exponentials
            for n in names_in(self.facts, node)
        )

    def written(self, statement: Node, starts: str, guard: bool | str) -> list[Edit] | Refusal:
        unit, found, old = self.facts.unit, self.found, self.maximum
        assignment = assigned(statement)
        assert assignment is not None
        new = fresh_name(unit, f"new_{old}")
        lines = [f"{new} = {assignment['right'].text}"]
        shift = new
        if starts != "finite":
            shift = fresh_name(unit, "shift")
            lines.append(f'{shift} = tl.where({new} == float("-inf"), 0.0, {new})')
        shared = {id(s): name for s, name in found.shared}
        for part in found.second["body"].operands:
            text = self._lines(part, shared, shift)
            if text is None:
                return refuse("layout", "the text here is not to be moved", part)
            lines += text
        lines.append(f"{old} = {new}")
        last = found.first["body"].operands[-1]
        edits = joined(unit, found, lines, last, replaces=statement is last)
        if isinstance(edits, Refusal):
            return edits
        if statement is not last:
            return refuse("no-maximum", "more follows the maximum in this loop", statement)
        if starts != "finite":
            restored = self._restored(guard)
            end = edits[-1].span
            edits = [*edits[:-1], Edit(end, restored)]
        return list(EditSet(edits))

    def _lines(self, part: Node, shared: dict[int, str], shift: str) -> list[str] | None:
        if id(part) in shared:
            assignment = assigned(part)
            assert assignment is not None
            if assignment["left"].text == shared[id(part)]:
                return []
            return [f"{assignment['left'].text} = {shared[id(part)]}"]
        sums = {id(s): (name, term) for s, name, term in self.sums}
        if id(part) in sums:
            if lines_of(self.facts.unit, part) is None:
                return None
            name, term = sums[id(part)]
            scaled = f"{name} * tl.exp({self.maximum} - {shift})"
            return f"{name} = {scaled} + {self._renamed(term, shift)}".split("\n")
        if lines_of(self.facts.unit, part) is None:
            return None
        return self._renamed(part, shift).split("\n")

    def _renamed(self, node: Node, shift: str) -> str:
        """A node's text with the maximum's name replaced."""
        text, at = "", node.start
        for n in names_in(self.facts, node):
            if n.text == self.maximum:
                text += node.source[at : n.start].decode() + shift
                at = n.end
        return text + node.source[at : node.end].decode()

    def _restored(self, guard: bool | str) -> bytes:
        """Lines behind the loop: a row of minus infinities sums to NaN."""
        unit = self.facts.unit
        nothing = f'{self.maximum} == float("-inf")'
        if isinstance(guard, str):
            nothing = f"({nothing}) & ({guard})"
        indent = indent_of(unit, self.found.second)
        return "".join(
            f'{indent}{name} = tl.where({nothing}, float("nan"), {name}){unit.newline}'
            for _, name, _ in self.sums
        ).encode()
