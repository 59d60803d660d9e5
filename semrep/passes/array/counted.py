"""One counted loop of a function: its range, what is around it, and its place in the text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from semrep.ir.effects import Facts
from semrep.ir.emit import encode, indent_of, line_start, stands_alone
from semrep.ir.module import Module
from semrep.ir.scopes import Binding
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import Unit
from semrep.passes.array.affine import Affine, Atom, Bounds, Prover
from semrep.passes.array.facts import ArrayFacts
from semrep.passes.base import refuse
from semrep.passes.loop.loops import jumps_out, stored_names, why_not_plain


class Unproven(Exception):
    """What stands in the way of a rewrite: raised and caught within this family."""

    def __init__(self, code: str, message: str, at: Node | None = None) -> None:
        super().__init__(message)
        self.refusal = refuse(code, message, at)


@dataclass(frozen=True, slots=True)
class Counted:
    """A `for` over a range that starts below its end.

    start, stop: as they are written. resolved: the same, followed to what they were computed
    from. step: literal. prover: knows this loop and those around it to be running.
    """

    module: Module
    unit: Unit
    facts: Facts
    arrays: ArrayFacts
    node: Node
    counter: Atom
    binding: Binding
    start: Affine
    stop: Affine
    step: int
    resolved: Bounds
    prover: Prover
    around: Prover
    body: Node
    conditions: tuple[str, ...] = ()
    """Comparisons of integers, the same in all iterations, under which the body stands."""

    @property
    def low(self) -> Affine:
        """The least value of the counter, as it is written."""
        return self.start if self.step > 0 else self.stop + 1

    @property
    def end(self) -> Affine:
        """Above all values of the counter, as it is written (steps of ±1 only)."""
        return self.stop if self.step > 0 else self.start + 1

    @property
    def always_runs(self) -> bool:
        return self.around.is_positive(self.resolved.end - self.resolved.least)

    def depends_on(self, counters: Collection[Atom]) -> bool:
        """Whether one of these counters stands in the loop's range."""
        ends = (self.resolved.least, self.resolved.end, self.start, self.stop)
        return any(atom in counters for end in ends for atom in end.terms)

    def varies(self, node: Node) -> bool:
        """Whether an expression names something that the loop stores."""
        stored = stored_names(self.unit, self.node)
        return any(n.text in stored for n in node.find("identifier") if n.field != "attribute")


def header(arrays: ArrayFacts, node: Node) -> tuple[Affine, Affine, int, Affine, Affine] | None:
    """start, stop, step; start and stop resolved."""
    right = node["right"].unparenthesized
    if not arrays.environment.is_builtin_call(arrays.unit, right, "range"):
        return None
    if right["arguments"].kind != "argument_list" or node["left"].kind != "identifier":
        return None
    given = right["arguments"].operands
    if not 1 <= len(given) <= 3 or any("argument" in g.kind or "splat" in g.kind for g in given):
        return None
    step = 1
    if len(given) == 3:
        literal = arrays.affine(given[2])
        if literal is None or not literal.is_constant or not literal.constant:
            return None
        step = literal.constant
    ends = given[:2] if len(given) > 1 else [None, given[0]]
    written: list[Affine] = []
    resolved: list[Affine] = []
    for end in ends:
        if end is None:
            written.append(Affine())
            resolved.append(Affine())
            continue
        one = arrays.affine(end, resolve=False)
        other = arrays.affine(end)
        if one is None or other is None:
            return None
        written.append(one)
        resolved.append(other)
    return written[0], written[1], step, resolved[0], resolved[1]


def _bounds(arrays: ArrayFacts, node: Node) -> Bounds | None:
    """The bounds of a loop around the place that is looked at."""
    found = header(arrays, node)
    if found is None:
        return None
    _, _, step, start, stop = found
    stored = stored_names(arrays.unit, node)
    counter = arrays.counter(node)
    scope = arrays.scopes.binding(node["left"])
    if scope is None or any(
        s is not node["left"] and s.is_inside(node) for s in (*scope.stores, *scope.deletes)
    ):
        return None
    if any(n.text in stored for n in node["right"].find("identifier")):
        return None
    if step > 0:
        return Bounds(counter, start, stop, step)
    return Bounds(counter, stop + 1, start + 1, step)


def counted(arrays: ArrayFacts, node: Node) -> Counted:
    """The loop at a `for`. Raises Unproven."""
    unit, facts = arrays.unit, arrays.facts
    check_control(node)
    found = header(arrays, node)
    if found is None:
        raise Unproven("unknown-range", "what the loop goes through is not known", node["right"])
    start, stop, step, *_ = found
    bounds = _bounds(arrays, node)
    if bounds is None:
        raise Unproven("unknown-range", "the loop changes what it goes through", node["right"])
    binding = own_variable(facts, node["left"], "the counter")
    if any(not load.is_inside(node) for load in facts.flow.uses(node["left"])):
        raise Unproven("live", "the counter is used after the loop", node["left"])
    if _loses_binding(binding, node):
        raise Unproven("live", "without the loop the counter's name is another one", node["left"])
    check_text(node)
    outer: list[Bounds] = []
    for ancestor in node.ancestors():
        if ancestor is facts.function:
            break
        if ancestor.kind == "for_statement" and node.is_inside(ancestor["body"]):
            if (b := _bounds(arrays, ancestor)) is not None:
                outer.insert(0, b)
    return Counted(
        arrays.module, unit, facts, arrays, node, bounds.counter, binding, start, stop, step,
        bounds, Prover([*outer, bounds]), Prover(outer), *_body(arrays, node),
    )  # fmt: skip


def _body(arrays: ArrayFacts, node: Node) -> tuple[Node, tuple[str, ...]]:
    """A loop's body without the conditions that are the same in all iterations."""
    body, conditions = node["body"], []
    stored = stored_names(arrays.unit, node)
    while len(body.operands) == 1 and body.operands[0].kind == "if_statement":
        branch = body.operands[0]
        condition = branch["condition"].unparenthesized
        operands = [o for o in condition.operands if o.field != "operators"]
        if branch.fields("alternative") or condition.kind != "comparison_operator":
            break
        if any(arrays.affine(o) is None for o in operands):
            break
        if any(n.text in stored for n in condition.find("identifier") if n.field != "attribute"):
            break
        conditions.append(" ".join(condition.text.split()))
        body = branch["consequence"]
    return body, tuple(conditions)


def check_control(loop: Node) -> None:
    """Raises Unproven where an iteration may end otherwise than at its end."""
    if refusal := why_not_plain(loop):
        error = Unproven(refusal.code, refusal.message)
        error.refusal = refusal
        raise error
    if jump := jumps_out(loop):
        raise Unproven("jumps", "this leaves the loop or goes on early", jump)


def check_text(loop: Node) -> None:
    """Raises Unproven where other text than the loop's own would go with it."""
    if comment := next(loop.find("comment"), None):
        raise Unproven("comment-lost", "a comment stands in the loop", comment)
    if not stands_alone(loop) and line_start(loop) != loop.start:
        raise Unproven("shared-line", "other text stands on these lines", loop)


def own_variable(facts: Facts, node: Node, what: str = "this variable") -> Binding:
    """The variable of the function that a name stands for. Raises Unproven where other code may
    see it."""
    binding = facts.scopes.binding(node)
    if binding is None or not binding.is_local or binding.scope is None:
        raise Unproven("not-local", f"other code can see {what}", node)
    if binding.scope.is_dynamic or binding.scope.node is not facts.function:
        raise Unproven("not-local", f"other code can see {what}", node)
    return binding


def _loses_binding(binding: Binding, node: Node) -> bool:
    """Whether the function has loads of the counter's name but no store besides the loop's."""
    if any(not s.is_inside(node) for s in binding.stores):
        return False
    uses = (*binding.loads, *binding.deletes)
    return any(not use.is_inside(node) for use in uses)


def library_name(loop: Counted, path: str) -> str:
    """The name by which the module has imported an array library. Raises Unproven."""
    for name, found in sorted(loop.module.environment.names.items()):
        if found.path == path and found.is_stable and found.kind == "import":
            if all(name not in s.names for s in loop.facts.scopes.scopes):
                return name
    raise Unproven("not-imported", f"the module does not import {path} by a name of its own")


def replaced(loop: Counted, lines: Sequence[str], *, guard: bool) -> Edit:
    """The edit that puts lines in the loop's place; guard: under the condition that the loop
    runs at all."""
    node = loop.node
    indent = indent_of(loop.unit, node)
    conditions = list(loop.conditions)
    if guard:
        low, end = loop.low, loop.end
        if loop.low.is_constant and loop.end.constant:
            low, end = low + -end.constant, end + -end.constant
        if f"{end.text} > {low.text}" not in conditions:
            conditions.insert(0, f"{end.text} > {low.text}")
    if conditions:
        lines = [f"if {' and '.join(conditions)}:", *("    " + line for line in lines)]
    text = loop.unit.newline.join([lines[0], *(indent + line for line in lines[1:])])
    return Edit(node.span, encode(text))
