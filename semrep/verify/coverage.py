"""Which edited statements never ran. What never ran was not verified."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection

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


_Range = tuple[int, int]


def _statements(source: bytes) -> list[_Range]:
    """Line ranges of statements inside functions; of compound ones the header alone.

    What stands outside functions runs on loading. Docstrings and declarations carry no code.
    """
    found: list[_Range] = []

    def walk(node: ast.AST, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            if isinstance(child, ast.stmt) and inside and not _carries_no_code(child):
                last = child.end_lineno or child.lineno
                if isinstance(child, _COMPOUND):
                    last = (
                        max(child.lineno, child.body[0].lineno - 1)
                        if hasattr(child, "body")
                        else child.lineno
                    )
                found.append((child.lineno, last))
            walk(child, inside or function)

    walk(ast.parse(source), False)
    return found


def _carries_no_code(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Global, ast.Nonlocal, ast.Try)):
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _touched(statements: list[_Range], lines: list[str], start: int, stop: int) -> list[_Range]:
    edited = {
        number
        for number in range(start + 1, stop + 1)
        if lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#")
    }
    return [
        (first, last)
        for first, last in statements
        if any(number in edited for number in range(first, last + 1))
    ]


def _never(ranges: list[_Range], executed: Collection[int]) -> list[int]:
    done = set(executed)
    return [
        first
        for first, last in ranges
        if not any(number in done for number in range(first, last + 1))
    ]
