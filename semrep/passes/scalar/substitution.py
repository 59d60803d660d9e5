"""Expressions put in the places of names: the text, and the order of evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from semrep.ir.emit import binding_strength, bracketed, needed_strength
from semrep.ir.tree import Node


def in_order(node: Node) -> Iterator[Node | None]:
    """Names in the order in which an expression loads them; None for any operation."""
    node = node.unparenthesized
    if node.kind == "identifier":
        yield node
    elif node.kind in ("binary_operator", "tuple", "list", "subscript", "argument_list"):
        for operand in node.operands:
            yield from in_order(operand)
        yield None
    elif node.kind == "call" and node["arguments"].kind == "argument_list":
        yield from in_order(node["function"])
        yield from in_order(node["arguments"])
    elif node.kind == "keyword_argument":
        yield from in_order(node["value"])
    elif node.kind == "comparison_operator":
        yield from in_order(node.operands[0])
        yield from in_order(node.operands[1])
        yield None
    elif node.kind in ("attribute", "unary_operator", "boolean_operator"):
        yield from in_order(node.operands[0])
        yield None
    elif node.kind not in ("integer", "float", "true", "false", "none", "string"):
        yield None


def substituted(result: Node, places: dict[int, Node]) -> str:
    """Text of an expression with other expressions in the places of some of its names (by
    `id`), in brackets where they bind less tightly than the place needs."""
    parts: list[str] = []
    position = result.start
    for use in result.find("identifier"):
        argument = places.get(id(use))
        if argument is None:
            continue
        inner = argument.unparenthesized
        text = inner.text
        is_number = text[:1].isdigit() and use.parent is not None and use.parent.kind == "attribute"
        if is_number or "\n" in text and binding_strength(inner) < binding_strength(use):
            text = f"({text})"
        else:
            text = bracketed(text, binding_strength(inner), _needed(result, use))
        parts.append(result.source[position : use.start].decode("utf-8", "surrogateescape"))
        parts.append(text)
        position = use.end
    parts.append(result.source[position : result.end].decode("utf-8", "surrogateescape"))
    return "".join(parts)


def _needed(result: Node, use: Node) -> int:
    return 0 if use is result else needed_strength(use)
