"""The unit of IR: a text with a tree-sitter tree over it."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import tree_sitter

from semrep.ir import diagnostics
from semrep.ir.diagnostics import Diagnostic
from semrep.ir.languages import language_of, parser, search
from semrep.ir.signature import Signature
from semrep.ir.text import EditSet, LineIndex, Location, Span
from semrep.ir.tree import Node, collector_paused
from semrep.ir.unit import FUNCTION, SHELL, STATEMENT, Origin, Unit

if TYPE_CHECKING:
    from semrep.ir.environment import Environment

T = TypeVar("T")

_DEFINITIONS = ("function_definition", "class_definition", "decorated_definition")


@dataclass(frozen=True, slots=True)
class Placed:
    """A unit and the offset at which it stands in one module."""

    start: int
    unit: Unit

    @property
    def span(self) -> Span:
        return Span(self.start, self.start + len(self.unit.source))


class Module:
    """An immutable text in one language. The bytes are the truth, the tree an index over them.

    source: the file's bytes, whatever their encoding. language: name of the grammar.
    path: for messages and for finding sibling modules; may be None.
    signature: facts at a function's boundary that were given or observed; they survive edits.

    Modules compare and hash by text, language, path and signature. They pickle without trees.
    """

    def __init__(
        self,
        source: bytes,
        language: str = "python",
        path: str | None = None,
        signature: Signature | None = None,
    ) -> None:
        self.source = source
        self.language = language
        self.path = path
        self.signature = signature
        self._previous: tuple[Module, EditSet] | None = None
        self._was_searched = False
        self._facts: dict[Hashable, Any] = {}

    @classmethod
    def from_text(cls, text: str | bytes, path: str | None = None) -> Module:
        """Language from the file name's suffix (Python without one). Raises UnknownLanguage."""
        source = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        return cls(source, language_of(path), path)

    # -- identity ---------------------------------------------------------------------------

    @cached_property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the bytes."""
        return hashlib.sha256(self.source).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Module):
            return NotImplemented
        return (self.source, self.language, self.path, self.signature) == (
            other.source, other.language, other.path, other.signature,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.source, self.language))

    def __getstate__(self) -> dict[str, object]:
        return {
            "source": self.source, "language": self.language, "path": self.path,
            "signature": self.signature, "_previous": None, "_was_searched": False,
            "_facts": {},
        }  # fmt: skip

    def __repr__(self) -> str:
        name, size = self.path or "<text>", len(self.source)
        return f"<Module {name} {self.language} {size} bytes {self.digest[:8]}>"

    # -- text -------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        return self.source.decode("utf-8", "surrogateescape")

    @cached_property
    def lines(self) -> LineIndex:
        return LineIndex(self.source)

    @cached_property
    def newline(self) -> str:
        """The line end that inserted lines get: the file's first one."""
        at = self.source.find(b"\n")
        if at > 0 and self.source[at - 1 : at] == b"\r":
            return "\r\n"
        return "\n" if at >= 0 or b"\r" not in self.source else "\r"

    @cached_property
    def _newlines(self) -> list[int]:
        return [m.start() for m in re.finditer(b"\n", self.source)]

    def location(self, span: Span) -> Location:
        return self.lines.location(span.start)

    # -- tree -------------------------------------------------------------------------------

    @cached_property
    def tree(self) -> tree_sitter.Tree:
        """The concrete syntax tree; after an edit, reparsed only where the text changed."""
        if self._previous is not None and "tree" in self._previous[0].__dict__:
            before, edits = self._previous
            old = before.tree.copy()
            _mark_edits(old, before, edits)
            return parser(self.language).parse(self.source, old)
        return parser(self.language).parse(self.source)

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What makes the text, or part of it, unfit for rewriting. Empty for sound files."""
        return tuple(diagnostics.check(self.source, self.language, self.tree))

    @cached_property
    def is_rewritable(self) -> bool:
        """False where a diagnostic concerns the file as a whole."""
        return not any(d.blocks_file for d in self.diagnostics)

    @cached_property
    def units(self) -> tuple[Placed, ...]:
        """All units in source order of their first byte (a class's shell before its methods)."""
        if self.language != "python":
            return ()
        known: dict[tuple[object, ...], Unit] = {}
        if self._previous is not None:
            known = self._previous[0]._unit_index
        self._previous = None  # the parent is needed no more: let it go
        return tuple(self._find_units(self.tree.root_node, (), known))

    @cached_property
    def _unit_index(self) -> dict[tuple[object, ...], Unit]:
        return {_unit_key(p.unit): p.unit for p in self.units}

    @cached_property
    def _unit_starts(self) -> list[int]:
        return [p.start for p in self.units]

    def unit_at(self, span: Span) -> Placed | None:
        """The innermost unit that covers a span."""
        for index in range(bisect_right(self._unit_starts, span.start) - 1, -1, -1):
            placed = self.units[index]
            if placed.span.contains(span):
                return placed
        return None

    def holding(self, kinds: frozenset[str]) -> list[Placed]:
        """Units with a node of one of some kinds, without those whose tree has errors."""
        return self.fact(kinds, lambda: self._holding(kinds))

    def _holding(self, kinds: frozenset[str]) -> list[Placed]:
        found = [p for p in self.units if p.unit.may_hold(kinds)]
        waiting = [p for p in found if not p.unit.is_copied]
        if not self._was_searched and 2 * sum(map(_size, waiting)) > len(self.source):
            # A search costs a fifth of copying all trees. Who asks for a second set of kinds
            # is likely to ask for many, and is better off with the trees.
            self._was_searched = True
            starts = self._starts_of(kinds)
            waiting = [p for p in waiting if p.start in starts]
        with collector_paused():
            for placed in waiting:
                placed.unit.root  # noqa: B018
        return [
            p for p in found
            if p.unit.is_copied and not p.unit.has_error and p.unit.may_hold(kinds)
        ]  # fmt: skip

    def _starts_of(self, kinds: frozenset[str]) -> set[int]:
        """Starts of the units that hold nodes of some kinds, found by the parser's own search."""
        cursor = tree_sitter.QueryCursor(search(self.language, kinds))
        found: set[int] = set()
        for node in cursor.captures(self.tree.root_node).get("found", ()):
            at = node.start_byte
            placed = self.unit_at(Span(at, at + 1))
            if placed is not None:
                found.add(placed.start)
        return found

    def functions(self) -> Iterator[Placed]:
        return (p for p in self.units if p.unit.kind == FUNCTION)

    def function(self, qualified_name: str) -> Placed | None:
        """The function or method of this name ("f", "Model.forward"); the last one wins."""
        found = None
        for placed in self.functions():
            if placed.unit.qualified_name == qualified_name:
                found = placed
        return found

    @cached_property
    def environment(self) -> Environment:
        """What the names at module level stand for."""
        from semrep.ir.environment import Environment

        return Environment.of(self)

    @cached_property
    def facts_key(self) -> str:
        """The same for two modules only where all that a unit's facts depend on beside its own
        text is the same. A string, so that its hash is computed once."""
        return _facts_key(self.environment.key, self.signature)

    def fact(self, key: Hashable, compute: Callable[[], T]) -> T:
        """A value computed once for this module."""
        try:
            return self._facts[key]  # type: ignore[no-any-return]
        except KeyError:
            value = self._facts[key] = compute()
            return value

    # -- change -----------------------------------------------------------------------------

    def apply(self, edits: EditSet) -> Module:
        """The module after edits; untouched units keep their analyses."""
        after = Module(edits.apply(self.source), self.language, self.path, self.signature)
        if "tree" in self.__dict__:
            after._previous = (self, edits)
        return after

    def signatures_of(self, unit: Unit) -> tuple[Signature, ...]:
        """What was seen of the calls of a function, one for each combination of types; ()
        without a signature, and for what was not called."""
        if self.signature is None or unit.kind != FUNCTION:
            return ()
        return self.signature.within(unit.qualified_name)

    def with_signature(self, signature: Signature | None) -> Module:
        other = Module(self.source, self.language, self.path, signature)
        if "tree" in self.__dict__:
            other._previous = (self, EditSet())
        return other

    # -- units ------------------------------------------------------------------------------

    def _find_units(
        self,
        container: tree_sitter.Node,
        classes: tuple[str, ...],
        known: dict[tuple[object, ...], Unit],
    ) -> Iterator[Placed]:
        for node in container.named_children:
            kind = node.type
            if kind == "comment":
                continue
            inner = node
            if kind == "decorated_definition":
                inner = node.child_by_field_name("definition") or node
            if inner.type == "function_definition":
                name = _text(inner.child_by_field_name("name"))
                yield self._place(FUNCTION, name, node, classes, (), known)
            elif inner.type == "class_definition":
                body = inner.child_by_field_name("body")
                name = _text(inner.child_by_field_name("name"))
                methods = [c for c in body.named_children if _is_definition(c)] if body else []
                yield self._place(SHELL, name, node, classes, methods, known)
                if body is not None and name:
                    inside = (*classes, name)
                    for method in methods:
                        yield from self._find_units(_Only(method), inside, known)  # type: ignore[arg-type]
            elif not classes:
                yield self._place(STATEMENT, "", node, classes, (), known)

    def _place(
        self,
        kind: str,
        name: str,
        node: tree_sitter.Node,
        classes: tuple[str, ...],
        holes: list[tree_sitter.Node] | tuple[()],
        known: dict[tuple[object, ...], Unit],
    ) -> Placed:
        start, end = node.start_byte, node.end_byte
        source = self.source[start:end]
        line_start = self.source.rfind(b"\n", 0, start) + 1
        line_start = max(self.source.rfind(b"\r", line_start, start) + 1, line_start)
        before = self.source[line_start:start]
        indent = before.decode() if not before.strip(b" \t\f") and before.isascii() else ""
        key = (kind, source, indent, classes, self.newline)
        unit = known.get(key)
        if unit is None or node.has_error:
            origin = Origin(node, start, frozenset(h.id for h in holes))
            unit = Unit(kind, name, source, origin, indent, classes, self.newline)
        return Placed(start, unit)


class _Only:
    """A container with one child, so that methods go the way of top-level statements."""

    def __init__(self, node: tree_sitter.Node) -> None:
        self.named_children = [node]


@functools.lru_cache(maxsize=256)
def _facts_key(environment: str, signature: Signature | None) -> str:
    return f"{environment}/{next(_numbers)}"


_numbers = itertools.count()


def _text(node: tree_sitter.Node | None) -> str:
    return (node.text or b"").decode("utf-8", "surrogateescape") if node is not None else ""


def _is_definition(node: tree_sitter.Node) -> bool:
    return node.type in _DEFINITIONS


def _size(placed: Placed) -> int:
    return len(placed.unit.source)


def _unit_key(unit: Unit) -> tuple[object, ...]:
    return (unit.kind, unit.source, unit.indent, unit.classes, unit.newline)


def _mark_edits(tree: tree_sitter.Tree, before: Module, edits: EditSet) -> None:
    # Last edit first: each is then still given in the old text's own coordinates.
    for edit in reversed(edits.edits):
        start, old_end = edit.span.start, edit.span.end
        new_end = start + len(edit.text)
        start_point = _point(before, start)
        newlines = edit.text.count(b"\n")
        if newlines:
            new_end_point = (start_point[0] + newlines, len(edit.text) - edit.text.rfind(b"\n") - 1)
        else:
            new_end_point = (start_point[0], start_point[1] + len(edit.text))
        tree.edit(
            start_byte=start,
            old_end_byte=old_end,
            new_end_byte=new_end,
            start_point=start_point,
            old_end_point=_point(before, old_end),
            new_end_point=new_end_point,
        )


def _point(module: Module, offset: int) -> tuple[int, int]:
    """tree-sitter's own (row, column) in bytes; its rows end with LF alone."""
    index = module._newlines
    row = bisect_right(index, offset - 1) if offset else 0
    column = offset - (index[row - 1] + 1 if row else 0)
    return row, column


__all__ = ["Module", "Node", "Placed"]
