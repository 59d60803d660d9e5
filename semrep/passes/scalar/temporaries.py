"""Names for values that get a variable of their own."""

from __future__ import annotations

from semrep.ir.effects import Facts
from semrep.ir.emit import fresh_name
from semrep.ir.tree import Node
from semrep.ir.unit import Unit

_RESULTS = {
    "+": "total", "-": "difference", "*": "product", "/": "quotient", "//": "quotient",
    "%": "remainder", "**": "power", "<<": "shifted", ">>": "shifted", "&": "mask",
    "|": "union", "^": "parity", "@": "product",
}  # fmt: skip
_KINDS = {
    "comparison_operator": "condition", "boolean_operator": "condition",
    "not_operator": "condition", "unary_operator": "negated", "subscript": "element",
}  # fmt: skip
_WORDS = {
    "+": "plus", "-": "minus", "*": "times", "/": "over", "//": "over", "%": "modulo",
    "<": "below", ">": "above",
}  # fmt: skip
_LONGEST = 20

# What Triton's compiler computes itself, so that a variable would change its kind.
_CONSTEXPR_CALLS = frozenset(
    {"cdiv", "next_power_of_2", "constexpr", "static_range", "range", "dtype", "tuple"}
)


def name_for(unit: Unit, node: Node) -> str:
    """A fresh name that says what the expression is: `a * b` --> `a_times_b`."""
    return fresh_name(unit, _base(node.unparenthesized))


def _base(node: Node) -> str:
    if node.kind == "binary_operator":
        left, right = node["left"].unparenthesized, node["right"].unparenthesized
        word = _WORDS.get(node.operator)
        if word and left.kind == "identifier" and right.kind in ("identifier", "integer"):
            joined = f"{left.text}_{word}_{right.text}"
            if len(joined) <= _LONGEST and joined.isidentifier():
                return joined.lower()
        return _RESULTS.get(node.operator, "value")
    if node.kind == "call":
        called = node["function"].text.rpartition(".")[2].lower()
        first = node["arguments"].operands[:1]
        if first and first[0].kind == "identifier" and called.isidentifier():
            joined = f"{called}_{first[0].text}"
            return joined if len(joined) <= _LONGEST else f"{called}_value"
        return f"{called}_value" if called.isidentifier() else "value"
    return _KINDS.get(node.kind, "value")


def is_tensor(facts: Facts, node: Node) -> bool:
    """Whether an expression of a Triton kernel is a tensor for certain. The value of a
    constexpr expression would become one by being stored in a variable."""
    node = node.unparenthesized
    if node.kind == "call":
        path = facts.path_of(node["function"])
        if path is None:
            function = node["function"]
            return function.kind == "attribute" and is_tensor(facts, function["object"])
        name = path.rpartition(".")[2]
        return path.startswith("triton.language.") and name not in _CONSTEXPR_CALLS
    if node.kind in ("binary_operator", "comparison_operator"):
        return any(is_tensor(facts, o) for o in node.operands)
    if node.kind == "unary_operator":
        return is_tensor(facts, node["argument"])
    if node.kind == "subscript":
        return is_tensor(facts, node["value"])
    if node.kind != "identifier":
        return False
    stores = facts.flow.reaching(node)
    return bool(stores) and all(isinstance(s, Node) and _makes_tensor(s) for s in stores)


def _makes_tensor(store: Node) -> bool:
    parent = store.parent
    if parent is not None and parent.kind == "augmented_assignment":
        return True
    return (
        parent is not None
        and parent.kind == "assignment"
        and parent.child("type") is None
        and parent["right"].unparenthesized.kind in ("binary_operator", "call", "integer", "float")
        and not parent["right"].unparenthesized.text.startswith("tl.constexpr")
    )
