"""A unit: the piece of a module that analyses and passes look at.

Units are functions and methods (with their decorators, and all that is nested in them),
class shells (a class without its methods), and single top-level statements. Everything inside
a unit is relative to the unit's own first byte, so a unit that only moved keeps its analyses.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from semrep.ir.text import Span
from semrep.ir.tree import Node

T = TypeVar("T")

FUNCTION, SHELL, STATEMENT = "function", "class-shell", "statement"


class Unit:
    """kind: FUNCTION, SHELL or STATEMENT. indent: white space before its first line.
    classes: names of the classes around it, outermost first. newline: the file's line end.
    has_error: its tree cannot be trusted, so nothing in it may be rewritten."""

    __slots__ = (
        "_facts", "by_kind", "classes", "has_error", "indent", "kind", "newline", "root", "source",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        root: Node,
        by_kind: dict[str, list[Node]],
        indent: str,
        classes: tuple[str, ...],
        newline: str,
        has_error: bool,
    ) -> None:
        self.kind = kind
        self.root = root
        self.by_kind = by_kind
        self.source = root.source
        self.indent = indent
        self.classes = classes
        self.newline = newline
        self.has_error = has_error
        self._facts: dict[Hashable, Any] = {}

    def nodes(self, *kinds: str) -> list[Node]:
        """All nodes of some kinds; in source order within each kind."""
        if len(kinds) == 1:
            return self.by_kind.get(kinds[0], [])
        return [n for kind in kinds for n in self.by_kind.get(kind, ())]

    def node_at(self, span: Span, *kinds: str) -> Node | None:
        """The outermost node of one of some kinds that covers exactly this span."""
        for kind in kinds:
            for node in self.by_kind.get(kind, ()):
                if node.start == span.start and node.end == span.end:
                    return node
        return None

    @property
    def name(self) -> str:
        """Name of the function or class; "" for a statement."""
        node = self.definition
        name = node.child("name") if node is not None else None
        return name.text if name is not None else ""

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

    def __repr__(self) -> str:
        return f"<unit {self.kind} {self.qualified_name or self.root.text[:30]!r}>"
