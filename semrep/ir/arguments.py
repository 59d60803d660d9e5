"""Which argument of a call is whose."""

from __future__ import annotations

from collections.abc import Sequence

from semrep.ir.tree import Node


def by_parameter(call: Node, parameters: Sequence[str]) -> dict[str, Node] | None:
    """A call's arguments by parameter, in the order in which it evaluates them; None where they
    cannot be told."""
    holder = call["arguments"]
    if holder.kind != "argument_list":
        return None
    found: dict[str, Node] = {}
    for position, argument in enumerate(holder.operands):
        if argument.kind == "keyword_argument":
            name, value = argument["name"].text, argument["value"]
        elif argument.kind in ("list_splat", "dictionary_splat") or position >= len(parameters):
            return None
        else:
            name, value = parameters[position], argument
        if name not in parameters or name in found:
            return None
        found[name] = value
    return found
