"""Which edited statements never ran. What never ran was not verified."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection
from dataclasses import dataclass

_COMPOUND = (
    ast.If,
    ast.For,
    ast.While,
    ast.With,
    ast.Try,
    ast.FunctionDef,
    ast.ClassDef,
    ast.AsyncFunctionDef,
    ast.AsyncFor,
    ast.AsyncWith,
    ast.Match,
)


def unexecuted_edits(
    original: bytes,
    candidate: bytes,
    executed_before: Collection[int],
    executed_after: Collection[int],
) -> tuple[int, ...]:
    """Lines of edited statements (of the candidate; of the original for pure deletions) that no
    case executed. Line numbers are 1-based; executed lines as `runtime.tracing` collects them.
    """
    old, new = original.decode().splitlines(), candidate.decode().splitlines()
    missing: list[int] = []
    old_statements, new_statements = _statements(original), _statements(candidate)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            continue
        touched = _touched(new_statements, new, new_from, new_to)
        if touched:
            missing.extend(_never(touched, executed_after))
        else:
            gone = _touched(old_statements, old, old_from, old_to)
            missing.extend(_never(gone, executed_before))
    return tuple(dict.fromkeys(missing))


@dataclass(frozen=True, slots=True)
class _Statement:
    """Lines of a statement (of a compound one the header alone), and what its running shows:
    any of its lines, or for code on its function's own first line a call of the function."""

    first: int
    last: int
    call: int | None = None

    def ran(self, executed: Collection[int]) -> bool:
        if self.call is not None:
            return -self.call in executed
        return any(number in executed for number in range(self.first, self.last + 1))


def _statements(source: bytes) -> list[_Statement]:
    """All statements that carry code; docstrings and declarations do not."""
    found: list[_Statement] = []

    def walk(node: ast.AST, function: int | None) -> None:
        for child in ast.iter_child_nodes(node):
            inside = function
            if isinstance(child, ast.Lambda):
                found.append(
                    _Statement(child.lineno, child.end_lineno or child.lineno, child.lineno)
                )
            elif isinstance(child, ast.stmt) and not _carries_no_code(child):
                call = function if function == child.lineno else None
                found.append(_Statement(child.lineno, _last_line(child), call))
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inside = child.lineno
            walk(child, inside)

    walk(ast.parse(source), None)
    return found


def _last_line(statement: ast.stmt) -> int:
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if not isinstance(statement, _COMPOUND) or not body:
        return statement.end_lineno or statement.lineno
    first = body[0].pattern.lineno if isinstance(body[0], ast.match_case) else body[0].lineno
    return max(statement.lineno, first - 1)


def _carries_no_code(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Global, ast.Nonlocal, ast.Try)):
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _touched(
    statements: list[_Statement], lines: list[str], start: int, stop: int
) -> list[_Statement]:
    edited = {
        number
        for number in range(start + 1, stop + 1)
        if lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#")
    }
    return [s for s in statements if any(n in edited for n in range(s.first, s.last + 1))]


def _never(statements: list[_Statement], executed: Collection[int]) -> list[int]:
    done = set(executed)
    return [statement.first for statement in statements if not statement.ran(done)]
