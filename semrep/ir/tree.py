"""Syntax nodes of one unit, with offsets relative to the unit's first byte.

tree-sitter's own nodes do not survive a reparse and cost a foreign call an attribute. These
are plain Python objects, built once per unit and kept as long as the unit's bytes stay the
same, wherever in the file they move to.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from semrep.ir.languages import grammar
from semrep.ir.text import Span

if TYPE_CHECKING:
    import tree_sitter


class Node:
    """One node of the concrete syntax tree: named ones and tokens alike.

    kind: the grammar's name (`call`, `binary_operator`, `+`).
    field: the name of the parent's field that holds it, or None.
    start, end: byte offsets in the unit's `source`.
    children: all children, tokens and comments included; an empty tuple where there are none.
        A *hole* (a method inside its class's shell, which is a unit of its own) has none.
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
        return b"#" in self.bytes and any(n.kind == "comment" for n in self.walk())

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

# Named nodes that never have children. Of the unnamed ones all but two-word operators do not.
_LEAVES = frozenset(
    {"identifier", "integer", "float", "comment", "true", "false", "none", "ellipsis",
     "string_start", "string_end", "line_continuation"}
)  # fmt: skip
_TWO_WORDS = frozenset({"not in", "is not"})
_NO_CHILDREN: Any = ()


class _Kinds(dict[int, tuple[str, bool, bool]]):
    """The grammar's number of a kind → name, whether it is named, whether it is a leaf."""

    def __missing__(self, number: int) -> tuple[str, bool, bool]:
        language = grammar("python")
        kind = language.node_kind_for_id(number)
        if kind is None:  # the parser's own number for what it cannot read
            found = ("ERROR", True, False)
        elif language.node_kind_is_named(number):
            found = (kind, True, kind in _LEAVES)
        else:
            name = f"{kind}_keyword" if kind in _KEYWORDS else kind
            found = (name, False, kind not in _TWO_WORDS)
        self[number] = found
        return found


_KINDS = _Kinds()


@functools.cache
def _fields() -> tuple[str | None, ...]:
    language = grammar("python")
    return (None, *(language.field_name_for_id(n) for n in range(1, language.field_count + 1)))


def convert(
    origin: tree_sitter.Node, source: bytes, base: int, holes: Iterable[int] = ()
) -> tuple[Node, dict[str, list[Node]]]:
    """Copy a tree-sitter subtree.

    source: the unit's bytes; base: the unit's offset in the file; holes: ids of tree-sitter
    nodes whose insides are left out. Returns the root and all nodes by kind, in source order.
    """
    with collector_paused():
        return _convert(origin, source, base, frozenset(holes))


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """While many nodes are made, none of which can be garbage, the cyclic collector would go
    through all of them again and again."""
    collecting = gc.isenabled()
    if collecting:  # whoever pauses it starts it again, and nobody else
        gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _convert(
    origin: tree_sitter.Node, source: bytes, base: int, holes: frozenset[int]
) -> tuple[Node, dict[str, list[Node]]]:
    # The hot loop of the whole front end: one foreign call less here counts.
    kinds, fields, new = _KINDS, _fields(), Node.__new__
    cursor = origin.walk()
    descend, advance, ascend = (
        cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent,
    )  # fmt: skip
    by_kind: dict[str, list[Node]] = {}
    parent: Node | None = None
    siblings: list[Node] = []
    # Iterative: generated files nest deeper than Python's stack allows.
    while True:
        current: Any = cursor.node
        kind, named, is_leaf = kinds[current.kind_id]
        node = new(Node)
        node.kind = kind
        node.named = named
        node.start = current.start_byte - base
        node.end = current.end_byte - base
        node.parent = parent
        node.index = len(siblings)
        node.source = source
        node.is_hole = False
        field = cursor.field_id if parent is not None else None
        node.field = fields[field] if field else None
        siblings.append(node)
        nodes = by_kind.get(kind)
        if nodes is None:
            by_kind[kind] = [node]
        else:
            nodes.append(node)
        if is_leaf:
            node.children = _NO_CHILDREN
        elif holes and current.id in holes:
            node.is_hole = True
            node.children = _NO_CHILDREN
        elif descend():
            siblings = node.children = []
            parent = node
            continue
        else:
            node.children = _NO_CHILDREN
        if parent is None:
            return node, by_kind
        while not advance():
            ascend()
            above = parent.parent
            if above is None:
                return parent, by_kind
            parent = above
        siblings = parent.children
