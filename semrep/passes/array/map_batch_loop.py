"""Map over the first dimension of jax arrays what a loop computes row by row and stacks.

Rewrite:     jnp.stack([f(x[i]) for i in range(x.shape[0])])   -->   jax.vmap(f)(x)
             jnp.stack([jnp.sum(row * w) for row in x])
                 -->   jax.vmap(lambda row: jnp.sum(row * w))(x)
             and the loop that appends such rows to a list which is stacked
Legal when:  all rows are gone through, and the arrays are jax's in the observed call; what is
             done with a row is assignments to local names and an expression, made of jax
             functions that do nothing but give arrays and of such functions of this file; no
             array decides what Python does, is used as a number of Python's, or comes from
             another iteration; the result has an element type of its own.
Numerics:    within tolerance: products of batches, and exp of a batch, may differ in last bits.
Refuses:     unknown-type, unknown-operation, unknown-statement, unknown-range, not-rows,
             counter-value, invariant, carried, weak-type, other-calls, not-local, not-stacked,
             live, no-name, no-place, comment-lost, loop-else, async-loop, shared-line, jumps,
             declares-scope, filtered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from semrep.ir.effects import Facts
from semrep.ir.emit import delete_statement, fresh_name, replace, with_brackets, wrapped
from semrep.ir.module import Module
from semrep.ir.text import Edit
from semrep.ir.tree import Node
from semrep.ir.unit import FUNCTION, Unit
from semrep.passes.array.bodies import appended
from semrep.passes.array.contexts import agreed
from semrep.passes.array.counted import Unproven, check_control, check_text
from semrep.passes.array.rows import Rows, rows
from semrep.passes.array.stacked_lists import (
    ASSUMPTIONS,
    in_place,
    is_stack,
    is_used_after,
    line_of,
    seen,
    stacked,
    stored,
)  # fmt: skip
from semrep.passes.array.traced_types import Traced
from semrep.passes.array.tracing import Tracing
from semrep.passes.base import NodePass, Refusal
from semrep.passes.contract import WITHIN_TOLERANCE, Contract
from semrep.passes.registry import register
from semrep.passes.rule_rewrite import name_of_path


@register
@dataclass(frozen=True, slots=True)
class MapBatchLoop(NodePass):
    """Map over the rows of jax arrays instead of stacking what is computed of each."""

    name: ClassVar[str] = "map-batch-loop"
    contract: ClassVar[Contract] = WITHIN_TOLERANCE.assuming(*ASSUMPTIONS)
    anchors: ClassVar[frozenset[str]] = frozenset({"call", "for_statement"})

    def matches(self, module: Module, unit: Unit, node: Node) -> bool:
        if unit.kind != FUNCTION:
            return False
        if node.kind == "for_statement":
            body = node["body"].operands
            return (
                bool(body)
                and appended(body[-1]) is not None
                and "jax" in module.environment.libraries
            )
        given = node["arguments"].operands
        is_list = bool(given) and given[0].kind == "list_comprehension"
        return is_list and is_stack(self.facts(module, unit, node), node)

    def edit(self, module: Module, unit: Unit, node: Node) -> Iterable[Edit] | Refusal:
        facts = self.facts(module, unit, node)
        try:
            vmap = name_of_path(module.environment, unit, "jax.vmap")
            if vmap is None:
                raise Unproven("no-name", "no name in scope leads to jax.vmap")
            if node.kind == "for_statement":
                check_control(node)
                check_text(node)
                return agreed(_loop(t, node, vmap) for t in seen(module, unit, facts))
            return agreed([_comprehension(t, node, vmap)] for t in seen(module, unit, facts))
        except Unproven as error:
            return error.refusal


def _comprehension(tracing: Tracing, call: Node, vmap: str) -> Edit:
    if call.has_comment:
        raise Unproven("comment-lost", "a comment stands in this expression", call)
    holder = call["arguments"].operands[0]
    if call["function"].text.endswith("stack") and holder.operands[0].kind == "list_comprehension":
        raise Unproven("not-stacked", "only arrays are stacked", holder)
    text = _comprehended(tracing, holder, vmap, {})
    edit = replace(call, text)
    # Wrapping a line puts the parameters of a lambda on lines of their own.
    return edit if "lambda" in text else wrapped(tracing.unit, call, edit)


def _comprehended(tracing: Tracing, holder: Node, vmap: str, around: dict[Node, str]) -> str:
    """The expression for a list comprehension; around: the rows that one around it takes."""
    value, clause, *others = holder.operands
    if others:
        raise Unproven("filtered", "this is not one value for each row", others[0])
    if clause.children[0].kind == "async":
        raise Unproven("async-loop", "other code runs between the iterations", clause)
    found = rows(tracing, holder, clause, [value])
    found.replaced.update(around)
    if value.kind != "list_comprehension":
        return _mapped(found, value, vmap)
    inner = _comprehended(tracing, value, vmap, found.replaced)
    _check_count(found, value)
    return f"{vmap}(lambda {', '.join(found.names)}: {inner})({', '.join(found.taken)})"


def _loop(tracing: Tracing, loop: Node, vmap: str) -> list[Edit]:
    facts, unit = tracing.facts, tracing.unit
    *before, last = loop["body"].operands
    ends = appended(last)
    assert ends is not None
    name, value = ends
    pile = stacked(facts, loop, name, value)
    own = stored(facts, loop)
    tracing.stored = own
    found = rows(tracing, loop, loop, loop["body"].operands, frozenset(b.name for b in own))
    for statement in before:
        tracing.run(statement)
    for binding in own:
        if is_used_after(facts, loop, binding):
            raise Unproven("live", f"{binding.name!r} is used after the loop", loop)
    if not before:
        lines = [f"{name.text} = {_mapped(found, value, vmap)}"]
    else:
        _check(found, value)
        each = fresh_name(unit, "each")
        lines = [f"def {each}({', '.join(found.names)}):"]
        lines += [f"    {line_of(s, found.replaced)}" for s in before]
        lines.append(f"    return {line_of(value, found.replaced)}")
        lines.append(f"{name.text} = {vmap}({each})({', '.join(found.taken)})")
    made = delete_statement(unit, pile.made)
    return [made, in_place(unit, loop, lines), replace(with_brackets(pile.stack), name.text)]


def _check(found: Rows, value: Node) -> None:
    """Raises Unproven where a row's value is no array with a type of its own."""
    result = found.tracing.of(value)
    if not isinstance(result, Traced) or result.weak:
        raise Unproven("weak-type", "this is no array with an element type of its own", value)
    _check_count(found, value)


def _check_count(found: Rows, value: Node) -> None:
    if found.count < 1:
        raise Unproven("unknown-range", "there are no rows in the observed call", value)


def _mapped(found: Rows, value: Node, vmap: str) -> str:
    """The expression that computes a value for all rows."""
    _check(found, value)
    value = value.unparenthesized
    direct = _direct(found, value, vmap)
    if direct is not None:
        return direct
    body = found.text(value)
    arrays = ", ".join(found.taken)
    return f"{vmap}(lambda {', '.join(found.names)}: {body})({arrays})"


def _direct(found: Rows, call: Node, vmap: str) -> str | None:
    """The same where the value is a call of a function of rows and of what stays the same."""
    facts: Facts = found.tracing.facts
    if call.kind != "call" or not call["arguments"].operands:
        return None
    function = call["function"]
    is_named = facts.path_of(function) is not None or function.kind == "identifier"
    if not is_named or found.text(function) != function.text:
        return None
    axes, arrays = [], []
    for argument in call["arguments"].operands:
        text = found.text(argument)
        if text in found.names:
            axes.append("0")
            arrays.append(found.taken[found.names.index(text)])
        elif argument.kind == "identifier" and isinstance(found.tracing.of(argument), Traced):
            axes.append("None")
            arrays.append(argument.text)
        else:
            return None
    if "0" not in axes:
        return None
    where = f", in_axes=({', '.join(axes)})" if "None" in axes else ""
    return f"{vmap}({function.text}{where})({', '.join(arrays)})"
