"""A unit: the piece of a module that analyses and passes look at.

Units are functions and methods (with their decorators, and all that is nested in them),
class shells (a class without its methods), and single top-level statements. Everything inside
a unit is relative to the unit's own first byte, so a unit that only moved keeps its analyses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from semrep.ir.repair import repair
from semrep.ir.tree import Node, convert

if TYPE_CHECKING:
    import tree_sitter

T = TypeVar("T")

FUNCTION, SHELL, STATEMENT = "function", "class-shell", "statement"


# A node of these kinds cannot be where the text holds none of these bytes.
_WRITTEN_WITH: dict[str, tuple[bytes, ...]] = {
    "if_statement": (b"if",),
    "conditional_expression": (b"if",),
    "for_statement": (b"for",),
    "while_statement": (b"while",),
    "not_operator": (b"not",),
    "boolean_operator": (b"and", b"or"),
    "augmented_assignment": (b"=",),
    "assignment": (b"=", b":"),
    "call": (b"(",),
    "parenthesized_expression": (b"(",),
    "function_definition": (b"def",),
    "comparison_operator": (b"<", b">", b"=", b"in", b"is"),
    "return_statement": (b"return",),
    "raise_statement": (b"raise",),
    "break_statement": (b"break",),
    "continue_statement": (b"continue",),
    "unary_operator": (b"-", b"+", b"~"),
}


def may_be_written(source: bytes, kinds: Collection[str]) -> bool:
    """False where a text has no node of these kinds, for it lacks the tokens."""
    for kind in kinds:
        written = _WRITTEN_WITH.get(kind)
        if written is None or any(token in source for token in written):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a unit's tree is copied from. node: of tree-sitter. base: its offset in the file.
    holes: ids of the nodes whose insides are left out."""

    node: tree_sitter.Node
    base: int
    holes: frozenset[int]


class Unit:
    """kind: FUNCTION, SHELL or STATEMENT. name: of the function or class; "" for a statement.
    indent: white space before its first line. classes: names of the classes around it,
    outermost first. newline: the file's line end. is_broken: the parser could not read it.

    The tree is copied when it is first asked for: most passes look at few units of a file."""

    __slots__ = (
        "_by_kind", "_facts", "_is_sound", "_origin", "_root", "classes", "indent", "is_broken",
        "kind", "name", "newline", "source",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        name: str,
        source: bytes,
        origin: Origin,
        indent: str,
        classes: tuple[str, ...],
        newline: str,
    ) -> None:
        self.kind = kind
        self.name = name
        self.source = source
        self.indent = indent
        self.classes = classes
        self.newline = newline
        self.is_broken = origin.node.has_error
        self._origin: Origin | None = origin
        self._root: Node | None = None
        self._by_kind: dict[str, list[Node]] = {}
        self._is_sound = False
        self._facts: dict[Hashable, Any] = {}

    def _copy(self) -> Node:
        origin = self._origin
        assert origin is not None
        root, self._by_kind = convert(origin.node, self.source, origin.base, origin.holes)
        self._is_sound = repair(self._by_kind) and not self.is_broken
        self._root = root
        self._origin = None
        return root

    @property
    def is_copied(self) -> bool:
        return self._root is not None

    @property
    def root(self) -> Node:
        return self._root or self._copy()

    @property
    def by_kind(self) -> dict[str, list[Node]]:
        """All nodes by their kind, in source order."""
        if self._root is None:
            self._copy()
        return self._by_kind

    @property
    def has_error(self) -> bool:
        """Its tree cannot be trusted, so nothing in it may be rewritten."""
        if self._root is None:
            self._copy()
        return not self._is_sound

    def may_hold(self, kinds: Collection[str]) -> bool:
        """False where there is no node of these kinds. Tells by the text where the tree has
        not been copied."""
        if self._root is not None:
            return not self._by_kind.keys().isdisjoint(kinds)
        return may_be_written(self.source, kinds)

    def nodes(self, *kinds: str) -> list[Node]:
        """All nodes of some kinds; in source order within each kind."""
        if len(kinds) == 1:
            return self.by_kind.get(kinds[0], [])
        return [n for kind in kinds for n in self.by_kind.get(kind, ())]

    @property
    def qualified_name(self) -> str:
        return ".".join((*self.classes, self.name)) if self.name else ""

    @property
    def definition(self) -> Node | None:
        """The `function_definition` or `class_definition`, below any decorators."""
        root = self.root
        if root.kind == "decorated_definition":
            return root.child("definition")
        return root if root.kind in ("function_definition", "class_definition") else None

    def fact(self, key: Hashable, compute: Callable[[], T]) -> T:
        """A value computed once for the unit. It may depend on nothing but the unit's text
        and on what `key` holds."""
        try:
            return self._facts[key]  # type: ignore[no-any-return]
        except KeyError:
            value = self._facts[key] = compute()
            return value

    def known(self, key: Hashable) -> Any:
        """A fact that has been computed, else None."""
        return self._facts.get(key)

    def __repr__(self) -> str:
        return f"<unit {self.kind} {self.qualified_name or self.root.text[:30]!r}>"
