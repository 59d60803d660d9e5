"""Syntax nodes of one unit, with offsets relative to the unit's first byte.

tree-sitter's own nodes do not survive a reparse and cost a foreign call an attribute. These
are plain Python objects, built once per unit and kept as long as the unit's bytes stay the
same, wherever in the file they move to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from semrep.ir.text import Span

if TYPE_CHECKING:
    import tree_sitter


class Node:
    """One node of the concrete syntax tree: named ones and tokens alike.

    kind: the grammar's name (`call`, `binary_operator`, `+`).
    field: the name of the parent's field that holds it, or None.
    start, end: byte offsets in the unit's `source`.
    children: all children, tokens and comments included. A *hole* (a method inside its class's
        shell, which is a unit of its own) has none.
    """

    __slots__ = (
        "children", "end", "field", "index", "is_hole", "kind", "named", "parent", "source",
        "start",
    )  # fmt: skip

    kind: str
    field: str | None
    start: int
    end: int
    parent: Node | None
    children: list[Node]
    named: bool
    index: int
    is_hole: bool
    source: bytes

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    @property
    def bytes(self) -> bytes:
        return self.source[self.start : self.end]

    @property
    def text(self) -> str:
        """The node's own text; bytes that are not UTF-8 come through as surrogates."""
        return self.source[self.start : self.end].decode("utf-8", "surrogateescape")

    def child(self, field: str) -> Node | None:
        """The first child in a field, or None."""
        for c in self.children:
            if c.field == field:
                return c
        return None

    def __getitem__(self, field: str) -> Node:
        """The child in a field. Raises KeyError where there is none."""
        found = self.child(field)
        if found is None:
            raise KeyError(f"{self.kind} has no {field!r}: {self.text[:60]!r}")
        return found

    def fields(self, field: str) -> list[Node]:
        return [c for c in self.children if c.field == field]

    @property
    def operands(self) -> list[Node]:
        """Named children that are neither comments nor backslashes at a line's end."""
        return [
            c
            for c in self.children
            if c.named and c.kind != "comment" and c.kind != "line_continuation"
        ]

    @property
    def operator(self) -> str:
        """Text of the `operator` field ("" where there is none)."""
        token = self.child("operator")
        return token.text if token is not None else ""

    @property
    def has_comment(self) -> bool:
        return any(n.kind == "comment" for n in self.walk())

    def walk(self) -> Iterator[Node]:
        """The node and everything below it, in source order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            if node.children:
                stack.extend(reversed(node.children))

    def find(self, *kinds: str) -> Iterator[Node]:
        """Descendants (and the node itself) of some kinds, in source order."""
        return (n for n in self.walk() if n.kind in kinds)

    def ancestors(self) -> Iterator[Node]:
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def enclosing(self, *kinds: str) -> Node | None:
        """The nearest proper ancestor of one of some kinds."""
        for node in self.ancestors():
            if node.kind in kinds:
                return node
        return None

    def is_inside(self, other: Node) -> bool:
        """True for the node itself and for all below it."""
        node: Node | None = self
        while node is not None:
            if node is other:
                return True
            node = node.parent
        return False

    @property
    def next_sibling(self) -> Node | None:
        """The next named sibling that is no comment."""
        if self.parent is not None:
            for c in self.parent.children[self.index + 1 :]:
                if c.named and c.kind not in ("comment", "line_continuation"):
                    return c
        return None

    @property
    def previous_sibling(self) -> Node | None:
        if self.parent is not None:
            for c in reversed(self.parent.children[: self.index]):
                if c.named and c.kind not in ("comment", "line_continuation"):
                    return c
        return None

    @property
    def unparenthesized(self) -> Node:
        """The expression inside any number of round brackets."""
        node = self
        while node.kind == "parenthesized_expression":
            inner = node.operands
            if len(inner) != 1:
                return node
            node = inner[0]
        return node

    def same_as(self, other: Node) -> bool:
        """Same syntax, whatever the white space, comments and brackets around expressions."""
        a, b = self.unparenthesized, other.unparenthesized
        if a.kind != b.kind:
            return False
        left = [c for c in a.children if c.kind not in ("comment", "line_continuation")]
        right = [c for c in b.children if c.kind not in ("comment", "line_continuation")]
        if not left and not right:
            return a.bytes == b.bytes
        if a.kind in ("string", "concatenated_string"):
            return a.bytes == b.bytes
        return len(left) == len(right) and all(
            x.same_as(y) for x, y in zip(left, right, strict=True)
        )

    def __repr__(self) -> str:
        return f"<{self.kind} {self.start}-{self.end} {self.text[:40]!r}>"


# Tokens that share their name with a node of the Python grammar.
_KEYWORDS = frozenset({"lambda", "await", "yield", "type"})


def convert(
    origin: tree_sitter.Node, source: bytes, base: int, holes: Iterable[int] = ()
) -> tuple[Node, dict[str, list[Node]]]:
    """Copy a tree-sitter subtree.

    source: the unit's bytes; base: the unit's offset in the file; holes: ids of tree-sitter
    nodes whose insides are left out. Returns the root and all nodes by kind, in source order.
    """
    cursor = origin.walk()
    skipped = frozenset(holes)
    by_kind: dict[str, list[Node]] = {}

    def make(parent: Node | None, index: int) -> Node:
        current = cursor.node
        assert current is not None
        node = Node()
        node.kind = current.type
        if not current.is_named and node.kind in _KEYWORDS:
            node.kind += "_keyword"
        node.start = current.start_byte - base
        node.end = current.end_byte - base
        node.named = current.is_named
        node.parent = parent
        node.index = index
        node.source = source
        node.field = cursor.field_name if parent is not None else None
        node.children = []
        node.is_hole = current.id in skipped
        return node

    root = make(None, 0)
    by_kind[root.kind] = [root]
    node = root
    # Iterative: generated files nest deeper than Python's stack allows.
    while True:
        if not node.is_hole and cursor.goto_first_child():
            child = make(node, 0)
        else:
            while True:
                parent = node.parent
                if parent is None:
                    return root, by_kind
                if cursor.goto_next_sibling():
                    child = make(parent, len(parent.children))
                    break
                cursor.goto_parent()
                node = parent
            node = parent
        node.children.append(child)
        nodes = by_kind.get(child.kind)
        if nodes is None:
            by_kind[child.kind] = [child]
        else:
            nodes.append(child)
        node = child
