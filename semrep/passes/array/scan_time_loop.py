"""Scan over the first dimension of jax arrays instead of running a loop step by step.

Rewrite:     for t in range(x.shape[0]):     -->   h, out = _scan_rnn(h, x, w)
                 h = jnp.tanh(x[t] + h @ w)
                 out.append(h)
             y = jnp.stack(out)                    y = out

             where, before the function,
             @jax.jit
             def _scan_rnn(h, x, w):
                 def step(h, x_t):
                     h = jnp.tanh(x_t + h @ w)
                     return h, h

                 return jax.lax.scan(step, h, x)
             A function of the module is compiled once, one made in each call in each of them.
Legal when:  as for `map-batch-loop`, over at least two rows; what one iteration hands on to the
             next has the same shape and element type before and after, and is an array (a number
             that is written out may come before the first); the body's other variables are not
             used after the loop; numbers that the function computes stay Python's.
Numerics:    within tolerance: compiled, operations are fused and rounded less often.
Refuses:     no-carry, carry-type, number, captured, and as map-batch-loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from semrep.ir import emit
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.text import Edit, Span
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.bodies import appended
from semrep.passes.array.contexts import agreed
from semrep.passes.array.counted import Unproven, check_control, check_text
from semrep.passes.array.rows import Rows, rows
from semrep.passes.array.stacked_lists import (
    ASSUMPTIONS,
    Stacked,
    in_place,
    is_used_after,
    line_of,
    seen,
    stacked,
    stored,
)
from semrep.passes.array.traced_types import Mistyped, Number, Traced, Value
from semrep.passes.array.tracing import Tracing, is_literal
from semrep.passes.base import NodePass, Refusal
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register
from semrep.passes.rule_rewrite import name_of_path


@register
@dataclass(frozen=True, slots=True)
class ScanTimeLoop(NodePass):
    """Scan over the rows of jax arrays what each iteration hands on to the next."""

    name: ClassVar[str] = "scan-time-loop"
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(
        *ASSUMPTIONS, "what an iteration hands on keeps its shape, as in the observed call"
    )
    anchors: ClassVar[frozenset[str]] = frozenset({"for_statement"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        return (
            unit.kind == FUNCTION
            and all(s.kind == "expression_statement" for s in node["body"].operands)
            and next(node["body"].find("assignment", "augmented_assignment"), None) is not None
            and "jax" in module.environment.libraries
        )

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        try:
            jit, scan = (
                name_of_path(module.environment, unit, p) for p in ("jax.jit", "jax.lax.scan")
            )
            if jit is None or scan is None:
                raise Unproven("no-name", "no name in scope leads to jax.jit and jax.lax.scan")
            if unit.classes or unit.indent:
                raise Unproven("no-place", "the function is not one of the module's own")
            check_control(node)
            check_text(node)
            calls = seen(module, unit, self.facts(module, unit, node))
            return agreed(_Scan(t, node, jit, scan).edits() for t in calls)
        except Unproven as error:
            return error.refusal


@dataclass(slots=True)
class _Scan:
    """given: the arguments of the function that scans, by the names of its parameters."""

    tracing: Tracing
    loop: Node
    jit: str
    scan: str
    piles: list[Stacked] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    replaced: dict[Node, str] = field(default_factory=dict)

    def edits(self) -> list[Edit]:
        facts, loop, unit = self.tracing.facts, self.loop, self.tracing.unit
        body = loop["body"].operands
        own = stored(facts, loop)
        found = rows(self.tracing, loop, loop, body, frozenset(b.name for b in own))
        if found.count < 2:
            raise Unproven("unknown-range", "there are too few rows in the observed call", loop)
        carries = self._carries(own)
        if not carries:
            raise Unproven("no-carry", "no iteration hands anything on to the next", loop)
        for statement in body:
            if (ends := appended(statement)) is not None:
                self.piles.append(stacked(facts, loop, *ends))
        self._check(carries, own)
        self.replaced = dict(found.replaced)
        self.given = {n: n for n in (*(b.name for b in carries), *found.arrays)}
        self._closed_over(found, own)
        names = [b.name for b in carries]
        carry, results = _tuple(names), _tuple([p.name.text for p in self.piles])
        helper = self._name()
        call = f"{helper}({', '.join(self.given.values())})"
        if results:
            lines = [f"{carry}, {results} = {call}"]
        else:
            lines = [f"{', '.join(names)} = {call}"]
        edits = [in_place(unit, loop, lines), self._before(self._helper(helper, carry, found))]
        for pile in self.piles:
            edits.append(emit.delete_statement(unit, pile.made))
            edits.append(emit.replace(emit.with_brackets(pile.stack), pile.name.text))
        return edits

    # -- what is handed on --------------------------------------------------------------------

    def _carries(self, own: frozenset[Binding]) -> list[Binding]:
        """The variables that an iteration reads before it sets them, or that are read later."""
        facts = self.tracing.facts
        found: list[Binding] = []
        assigned: list[Binding] = []
        for statement in self.loop["body"].operands:
            names = list(statement.find("identifier"))
            for node in names:
                binding = facts.scopes.binding(node)
                if binding in own and id(node) in facts.scopes.loads:
                    if binding not in assigned and binding not in found:
                        found.append(binding)
            for node in names:
                binding = facts.scopes.binding(node)
                if binding is not None and binding in own and id(node) in facts.scopes.stores:
                    assigned.append(binding)
        later = [b for b in dict.fromkeys(assigned) if is_used_after(facts, self.loop, b)]
        return list(dict.fromkeys([*found, *later]))

    def _check(self, carries: list[Binding], own: frozenset[Binding]) -> None:
        """Raises Unproven where types do not stay from one iteration to the next."""
        before = {b: self._start(b) for b in carries}
        after, results = self._types(before, own)
        for binding, value in before.items():
            # A number written out meets the first row as it would as an array.
            if isinstance(value, Number):
                found = after[binding]
                if value.value not in (0, 1) or isinstance(found, Traced) and found.rank:
                    raise Unproven("carry-type", f"{binding.name!r} begins as a number", self.loop)
                before[binding] = found
        again, others = self._types(before, own)
        for binding, value in before.items():
            if not isinstance(value, Traced) or value.weak or again[binding] != value:
                message = f"{binding.name!r} does not keep its shape and element type"
                raise Unproven("carry-type", message, self.loop)
        for pile, one, other in zip(self.piles, results, others, strict=True):
            if not isinstance(one, Traced) or one.weak or one != other:
                raise Unproven(
                    "weak-type", "this is no array with an element type of its own", pile.value
                )

    def _start(self, binding: Binding) -> Value:
        reach = self.tracing.facts.flow.definitions_at(self.loop, binding)
        stores = [s for s in reach if isinstance(s, Node)]
        outer = [s for s in stores if not s.is_inside(self.loop)]
        if len(stores) != len(reach) or not outer:
            raise Unproven("carry-type", f"{binding.name!r} may have no value yet", self.loop)
        try:
            return self.tracing.defined(outer)
        except Mistyped as error:
            message = f"the type that {binding.name!r} begins with is not known"
            raise Unproven("carry-type", message, self.loop) from error

    def _types(
        self, before: dict[Binding, Value], own: frozenset[Binding]
    ) -> tuple[dict[Binding, Value], list[Value]]:
        """What an iteration makes of the variables, and what it appends."""
        known = {**self.tracing.known, **before}
        tracing = replace(self.tracing, known=known, stored=own, hides_numbers=True)
        results: list[Value] = []
        for statement in self.loop["body"].operands:
            if (ends := appended(statement)) is not None:
                results.append(tracing.of(ends[1]))
            else:
                tracing.run(statement)
        return {b: tracing.known[b] for b in before}, results

    # -- what is closed over ------------------------------------------------------------------

    def _closed_over(self, found: Rows, own: frozenset[Binding]) -> None:
        """Makes arguments of the function's variables that the body reads."""
        for statement in self.loop["body"].operands:
            ends = appended(statement)
            self._visit(ends[1] if ends is not None else statement, found, own)

    def _visit(self, node: Node, found: Rows, own: frozenset[Binding]) -> None:
        if node in self.replaced:
            return
        if self._is_number(node, own):
            self._number(node)
            return
        if node.kind == "identifier":
            binding = self._outer(node)
            if binding is None or binding in own or binding in found.bindings:
                return
            try:
                value: Value | None = self.tracing.of(node)
            except Unproven:
                value = None
            if not isinstance(value, Traced):
                raise Unproven("captured", "this cannot be handed to another function", node)
            self.given[node.text] = node.text
            return
        for child in node.children:
            self._visit(child, found, own)

    def _outer(self, node: Node) -> Binding | None:
        """The function's own variable that an identifier loads."""
        facts = self.tracing.facts
        binding = facts.scopes.binding(node)
        if binding is None or binding.scope is None or binding.scope.node is not facts.function:
            return None
        return binding

    def _is_number(self, node: Node, own: frozenset[Binding]) -> bool:
        """Whether an expression of the function's variables is one of Python's numbers."""
        if node.kind not in (
            "identifier",
            "binary_operator",
            "unary_operator",
            "subscript",
            "call",
        ):
            return False
        outer = [self._outer(n) for n in node.find("identifier")]
        if not any(outer) or any(b in own for b in outer) or is_literal(node):
            return False
        try:
            return isinstance(self.tracing.of(node), Number)
        except Unproven:
            return False

    def _number(self, node: Node) -> None:
        if node.kind == "identifier":
            self.given[node.text] = node.text
            return
        for name, text in self.given.items():
            if text == node.text and name != text:
                self.replaced[emit.with_brackets(node)] = name
                return
        count = sum(name != text for name, text in self.given.items())
        name = emit.fresh_name(self.tracing.unit, f"scalar_{count + 1}" if count else "scalar")
        self.given[name] = node.text
        self.replaced[emit.with_brackets(node)] = name

    # -- text ---------------------------------------------------------------------------------

    def _name(self) -> str:
        """A name for the function that scans, free in the module."""
        base = name = f"_scan_{self.tracing.unit.name}"
        number = 1
        while (
            name in self.tracing.module.environment.names
            or emit.fresh_name(self.tracing.unit, name) != name
        ):
            number += 1
            name = f"{base}_{number}"
        return name

    def _helper(self, name: str, carry: str, found: Rows) -> list[str]:
        unit = self.tracing.unit
        step = emit.fresh_name(unit, "step")
        row, takes = _tuple(found.names), []
        parameters = []
        for text, base in ((carry, "carry"), (row, "row")):
            if text.startswith("("):
                parameters.append(emit.fresh_name(unit, base))
                takes.append(f"        {text[1:-1]} = {parameters[-1]}")
            else:
                parameters.append(text)
        lines: list[str] = []
        results: list[str] = []
        body = self.loop["body"].operands
        for place, statement in enumerate(body):
            ends = appended(statement)
            if ends is None:
                lines.append(f"        {line_of(statement, self.replaced)}")
            elif all(appended(s) is not None for s in body[place:]):
                results.append(line_of(ends[1], self.replaced))
            else:
                result = emit.fresh_name(unit, f"{ends[0].text}_item")
                lines.append(f"        {result} = {line_of(ends[1], self.replaced)}")
                results.append(result)
        last = "" if results else "[0]"
        return [
            f"@{self.jit}",
            f"def {name}({', '.join(self.given)}):",
            f"    def {step}({', '.join(parameters)}):",
            *takes,
            *lines,
            f"        return {carry}, {_tuple(results) or None}",
            "",
            f"    return {self.scan}({step}, {carry}, {_tuple(found.taken)}){last}",
        ]

    def _before(self, lines: list[str]) -> Edit:
        """The edit that puts a function beside this one: before it, or behind it where a comment
        stands right above."""
        unit, module = self.tracing.unit, self.tracing.module
        start = next(p.start for p in module.units if p.unit is unit)
        above = module.source[:start].splitlines()
        gap = unit.newline * 3
        text = unit.newline.join(lines)
        if above and above[-1].lstrip().startswith(b"#"):
            end = len(unit.source)
            return Edit(Span(end, end), emit.encode(gap + text))
        return Edit(Span(0, 0), emit.encode(text + gap))


def _tuple(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})" if names else ""
