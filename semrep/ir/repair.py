"""Repairs trees in which tree-sitter-python 0.25 groups code otherwise than Python does.

Found by comparing every expression of the standard library with the `ast` module
(tests/ir/test_against_ast.py). What cannot be repaired is reported, so that nothing is
rewritten there.
"""

from __future__ import annotations

from semrep.ir.tree import Node

_SPLAT_HOLDERS = ("function", "object", "value", "left", "argument")
_LEFTMOST = ("function", "object", "value", "left")


def repair(by_kind: dict[str, list[Node]]) -> bool:
    """Mend a unit's tree in place. False where some of it cannot be trusted."""
    for splat in by_kind.get("list_splat", ()):
        _repair_splat(splat)
    for conditional in by_kind.get("conditional_expression", ()):
        _repair_walrus(conditional)
    sound = all(_is_alias(alias) for alias in by_kind.get("type_alias_statement", ()))
    tops = [n for n in by_kind.get("binary_operator", ()) if _is_mixed_top(n)]
    for top in tops:
        sound = _regroup(top) and sound
    return sound


def _repair_splat(splat: Node) -> None:
    """Make `*f(x)` a splat of a call. In tuples without brackets, and in lists of one element,
    the grammar reads it as a call of a splat."""
    holder = splat.parent
    if holder is None or splat.field not in _SPLAT_HOLDERS:
        return
    top = holder
    while top.parent is not None and top.index == 0 and top.field in _LEFTMOST:
        top = top.parent
    star, operand = splat.children[0], splat.children[-1]
    operand.parent, operand.field, operand.index = holder, splat.field, splat.index
    holder.children[splat.index] = operand
    splat.parent, splat.field, splat.index, splat.end = top.parent, top.field, top.index, top.end
    if top.parent is not None:
        top.parent.children[top.index] = splat
    node = holder
    while True:
        node.start = operand.start
        if node is top or node.parent is None:
            break
        node = node.parent
    top.parent, top.field, top.index = splat, None, 1
    splat.children = [star, top]


def _repair_walrus(conditional: Node) -> None:
    """Make `w := a if b else c` store the choice. The grammar has it choose between a store
    and `c`."""
    walrus = conditional.children[0]
    if walrus.kind != "named_expression":
        return
    value = walrus["value"]
    at, last = value.index, conditional.end
    walrus.parent, walrus.field, walrus.index = (
        conditional.parent, conditional.field, conditional.index,
    )  # fmt: skip
    if conditional.parent is not None:
        conditional.parent.children[conditional.index] = walrus
    value.parent, value.field, value.index = conditional, None, 0
    conditional.children[0] = value
    conditional.start = value.start
    conditional.parent, conditional.field, conditional.index = walrus, "value", at
    walrus.children[at] = conditional
    walrus.end = last


def _is_alias(statement: Node) -> bool:
    """False for `type(x).y = z`, which the grammar takes for a type alias."""
    left = statement.child("left")
    inner = left.operands if left is not None else []
    return len(inner) == 1 and inner[0].kind in ("identifier", "generic_type")


def _is_bitwise(node: Node | None) -> bool:
    return node is not None and node.kind == "binary_operator" and node.operator in ("&", "^")


def _is_mixed_top(node: Node) -> bool:
    if not _is_bitwise(node) or _is_bitwise(node.parent):
        return False
    operators: set[str] = set()
    stack = [node]
    while stack:
        current = stack.pop()
        if _is_bitwise(current):
            operators.add(current.operator)
            stack.extend((current["left"], current["right"]))
    return len(operators) == 2


def _regroup(top: Node) -> bool:
    """`&` binds tighter than `^`; the grammar has it the other way round."""
    operands: list[Node] = []
    tokens: list[Node] = []
    pool: list[Node] = []

    def flatten(node: Node) -> bool:
        if not _is_bitwise(node):
            operands.append(node)
            return True
        if len(node.children) != 3:
            return False  # a comment between the operands
        pool.append(node)
        if not flatten(node["left"]):
            return False
        tokens.append(node["operator"])
        return flatten(node["right"])

    if not flatten(top):
        return False
    place = (top.parent, top.field, top.index)
    pool.remove(top)

    def join(left: Node, token: Node, right: Node, last: bool) -> Node:
        node = top if last else pool.pop()
        node.start, node.end = left.start, right.end
        node.children = [left, token, right]
        for index, (child, field) in enumerate(
            ((left, "left"), (token, "operator"), (right, "right"))
        ):
            child.parent, child.field, child.index = node, field, index
        return node

    remaining = len(tokens)
    for operator in ("&", "^"):
        position = 0
        while position < len(tokens):
            if tokens[position].text != operator:
                position += 1
                continue
            remaining -= 1
            left, right = operands[position], operands[position + 1]
            joined = join(left, tokens.pop(position), right, remaining == 0)
            operands[position : position + 2] = [joined]
    top.parent, top.field, top.index = place
    return True
