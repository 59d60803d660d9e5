"""Facts about `for … in range(…)` in kernels: bounds, emptiness, what varies."""

from __future__ import annotations

from dataclasses import dataclass

from semrep.ir.effects import Facts
from semrep.ir.emit import COMPARISON, binding_strength, bracketed
from semrep.ir.module import Module
from semrep.ir.tree import Node
from semrep.passes.base import Refusal, refuse
from semrep.passes.triton.aliasing import is_counter
from semrep.passes.triton.kernels import language_name


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first three arguments of a range; first and step are None where left out."""

    first: Node | None
    end: Node
    step: Node | None

    @property
    def non_empty(self) -> bool | str:
        """Whether the range has members: known, or the condition as text. The step must be
        positive."""
        low = _integer(self.first) if self.first is not None else 0
        high = _integer(self.end)
        if low is not None and high is not None:
            return low < high
        end = bracketed(self.end.text, binding_strength(self.end), COMPARISON + 1)
        if self.first is None or low == 0:
            return f"{end} > 0"
        first = bracketed(self.first.text, binding_strength(self.first), COMPARISON + 1)
        return f"{first} < {end}"


def _integer(node: Node | None) -> int | None:
    node = node.unparenthesized if node is not None else None
    if node is None or node.kind != "integer":
        return None
    return int(node.text, 0)


def bounds(module: Module, facts: Facts, loop: Node) -> Bounds | Refusal:
    """What a loop counts through, upwards; a refusal where that is not known."""
    if loop.kind != "for_statement" or not is_counter(module, facts, loop):
        return refuse("unknown-range", "it is not known how often this loop runs", loop)
    call = loop["right"].unparenthesized
    given = [a for a in call["arguments"].operands if a.kind != "keyword_argument"]
    named = {
        a["name"].text: a["value"]
        for a in call["arguments"].operands
        if a.kind == "keyword_argument"
    }
    if not 1 <= len(given) <= 3 or named.keys() & {"arg1", "arg2", "step", "start", "end"}:
        return refuse("unknown-range", "it is not known how often this loop runs", loop["right"])
    if any(a.kind in ("list_splat", "dictionary_splat") for a in given):
        return refuse("unknown-range", "it is not known how often this loop runs", loop["right"])
    if "\n" in call.text or call.has_comment:
        return refuse("unknown-range", "the range spans lines", loop["right"])
    if len(given) == 1:
        return Bounds(None, given[0], None)
    step = given[2] if len(given) == 3 else None
    if step is not None and not is_positive(module, facts, step):
        return refuse("unknown-range", "this step may be negative", step)
    return Bounds(given[0], given[1], step)


def is_positive(module: Module, facts: Facts, step: Node) -> bool:
    """Whether a step is a positive literal, or a parameter that some `tl.arange(0, …)` or
    shape of the kernel has for its length."""
    value = _integer(step)
    if value is not None:
        return value > 0
    return step.kind == "identifier" and is_block_size(module, facts, step)


def is_block_size(module: Module, facts: Facts, name: Node) -> bool:
    """Whether a parameter is the length of a `tl.arange(0, …)` of the kernel, unconditionally:
    a positive power of two, known when the kernel is compiled."""
    binding = facts.scopes.binding(name)
    if binding is None or not binding.is_parameter or len(binding.stores) != 1:
        return False
    for load in binding.loads:
        holder = load.parent
        call = holder.parent if holder is not None else None
        if call is None or holder is None or holder.kind != "argument_list":
            continue
        if language_name(module, facts.unit, call) == "arange" and load.index > 1:
            if holder.operands[0].text == "0" and _always_compiled(facts, load):
                return True
    return False


_BRANCHES = (
    "if_statement", "elif_clause", "else_clause", "conditional_expression", "boolean_operator",
)  # fmt: skip


def _always_compiled(facts: Facts, node: Node) -> bool:
    """Whether the compiler meets a node whatever the arguments: under no `if`."""
    for ancestor in node.ancestors():
        if ancestor is facts.function:
            return True
        if ancestor.kind in _BRANCHES:
            return False
    return False


def stores_in(facts: Facts, *pieces: Node) -> dict[str, list[Node]]:
    """The names that pieces of code store or delete, each with its stores."""
    found: dict[str, list[Node]] = {}
    for piece in pieces:
        for n in piece.find("identifier"):
            if id(n) in facts.scopes.stores or id(n) in facts.scopes.deletes:
                found.setdefault(n.text, []).append(n)
    return found


def names_in(facts: Facts, node: Node) -> list[Node]:
    """The variables that a node loads."""
    return [n for n in node.find("identifier") if id(n) in facts.scopes.loads]
