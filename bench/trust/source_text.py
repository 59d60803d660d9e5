"""A text and its syntax tree: where nodes lie, and edits that leave the rest as it is."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edit:
    start: int
    end: int
    text: str


_COMPOUND = (
    ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.UnaryOp, ast.Lambda, ast.NamedExpr,
    ast.GeneratorExp,
)  # fmt: skip


@dataclass(slots=True)
class SourceText:
    """targets: names of the functions and classes to change; empty means all of them.
    lines: those that were run; None means all. values: whole numbers seen in locals, by function
    and name."""

    source: str
    targets: Collection[str] = ()
    lines: Collection[int] | None = None
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    tree: ast.Module = field(init=False)
    parents: dict[ast.AST, ast.AST] = field(init=False)
    _bytes: bytes = field(init=False)
    _starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.source)
        self.parents = {c: p for p in ast.walk(self.tree) for c in ast.iter_child_nodes(p)}
        self._bytes = self.source.encode()
        self._starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        start = self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        return start, end

    def raw(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self._bytes[start:end].decode()

    def text(self, node: ast.AST) -> str:
        """The node's text, fit to stand in any expression."""
        return f"({self.raw(node)})" if isinstance(node, _COMPOUND) else self.raw(node)

    def edited(self, edits: Sequence[Edit]) -> str:
        text = self._bytes
        for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
            text = text[: edit.start] + edit.text.encode() + text[edit.end :]
        return text.decode()

    def replaced(self, node: ast.AST, text: str) -> Edit:
        return Edit(*self.span(node), text)

    def inserted_before(self, statement: ast.stmt, text: str) -> Edit:
        """Whole lines, indented like the statement."""
        margin = " " * statement.col_offset
        at = self._starts[statement.lineno - 1]
        lines = "".join(f"{margin}{line}\n" if line else "\n" for line in text.splitlines())
        return Edit(at, at, lines)

    def functions(self) -> Iterator[ast.FunctionDef]:
        """Functions to change, methods included."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef) and self._wanted(node):
                yield node

    def _wanted(self, node: ast.AST) -> bool:
        if not self.targets:
            outer = self.outermost(node)
            return getattr(outer, "name", "") not in ("semrep_inputs", "get_inputs")
        at: ast.AST | None = node
        while at is not None:
            if getattr(at, "name", None) in self.targets:
                return True
            at = self.parents.get(at)
        return False

    def outermost(self, node: ast.AST) -> ast.AST:
        while not isinstance(self.parents[node], ast.Module):
            node = self.parents[node]
        return node

    def function_of(self, node: ast.AST) -> ast.FunctionDef | None:
        at = self.parents.get(node)
        while at is not None and not isinstance(at, ast.FunctionDef):
            at = self.parents.get(at)
        return at

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        at: ast.AST | None = node
        while at is not None and not isinstance(at, ast.stmt):
            at = self.parents.get(at)
        return at

    def ran(self, node: ast.AST) -> bool:
        statement = self.statement_of(node)
        return statement is not None and (self.lines is None or statement.lineno in self.lines)

    def expressions(self) -> Iterator[ast.AST]:
        """Nodes of code that ran in the functions to change, without annotations, decorators,
        docstrings, assertions and what is raised."""
        seen: set[ast.AST] = set()
        for function in self.functions():
            # Defaults are part of the signature, annotations are not.
            pending: list[ast.AST] = [*function.args.defaults, *function.body]
            pending += [d for d in function.args.kw_defaults if d is not None]
            while pending:
                node = pending.pop()
                if node in seen or isinstance(node, (ast.Assert, ast.Raise, ast.JoinedStr)):
                    continue
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    continue
                seen.add(node)
                if isinstance(node, (ast.expr, ast.stmt)) and self.ran(node):
                    yield node
                if isinstance(node, ast.AnnAssign):
                    pending += [node.value] if node.value is not None else []
                elif isinstance(node, ast.FunctionDef):
                    pending += node.body
                else:
                    pending += list(ast.iter_child_nodes(node))
