"""The tree groups every expression of the standard library the way Python does."""

from __future__ import annotations

import ast
import itertools
import sysconfig
from pathlib import Path

import pytest

from semrep.ir.module import Module
from semrep.ir.tree import Node

KINDS: dict[type[ast.AST], str] = {
    ast.BinOp: "binary_operator",
    ast.BoolOp: "boolean_operator",
    ast.Compare: "comparison_operator",
    ast.Call: "call",
    ast.Attribute: "attribute",
    ast.Subscript: "subscript",
    ast.IfExp: "conditional_expression",
    ast.Lambda: "lambda",
    ast.NamedExpr: "named_expression",
    ast.Await: "await",
    ast.ListComp: "list_comprehension",
}
# Evaluated elsewhere, or another grammar altogether.
SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "type_params", "cases"}
SKIPPED_KINDS = {"type", "interpolation", "decorator", "case_clause", "type_parameter"}

Places = set[tuple[str, int, int]]


def _theirs(source: bytes) -> Places:
    lines = [0, *itertools.accumulate(len(x) + 1 for x in source.split(b"\n"))]
    found: Places = set()
    stack: list[ast.AST] = [ast.parse(source)]
    while stack:
        node = stack.pop()
        if type(node).__name__ == "TypeAlias":  # Python 3.12; the grammar makes it a type
            continue
        kind = KINDS.get(type(node))
        if kind is not None:
            assert isinstance(node, ast.expr) and node.end_lineno and node.end_col_offset
            start = lines[node.lineno - 1] + node.col_offset
            found.add((kind, start, lines[node.end_lineno - 1] + node.end_col_offset))
        for name, value in ast.iter_fields(node):
            if name in SKIPPED_FIELDS:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                    stack.append(child)
    return found


def _mine(module: Module) -> Places:
    found: Places = set()
    for placed in module.units:
        if placed.unit.has_error:
            raise LookupError
        for kind in KINDS.values():
            for node in placed.unit.nodes(kind):
                if not _is_skipped(node):
                    found.add((kind, node.start + placed.start, node.end + placed.start))
    return found


def _is_skipped(node: Node) -> bool:
    if any(a.kind in SKIPPED_KINDS for a in node.ancestors()):
        return True
    parent = node.parent
    # Python's `and` takes any number of operands.
    return (
        node.kind == "boolean_operator"
        and node.field == "left"
        and parent is not None
        and parent.kind == node.kind
        and parent.operator == node.operator
    )


FILES = [
    p
    for p in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
    if not {"site-packages", "lib2to3", "test", "tests", "idlelib"} & set(p.parts)
]


def _differences(path: Path) -> Places:
    source = path.read_bytes()
    if b"\r" in source or b"\f" in source or source.startswith(b"\xef\xbb\xbf"):
        return set()
    module = Module.from_text(source)
    try:
        return _theirs(source) ^ _mine(module)
    except (SyntaxError, ValueError, LookupError):
        return set()


@pytest.mark.parametrize("part", range(8))
def test_groups_expressions_like_python(part: int) -> None:
    assert len(FILES) > 300
    for path in FILES[part::8]:
        assert not _differences(path), path


@pytest.mark.parametrize(
    "code",
    [
        "x = *f(y), 1",
        "x = [*f(y)]",
        "x = *a.b, *c[0], *d + e",
        "return_ = a ^ b & c",
        "x = a & b ^ c & d ^ e",
        "x = a | b ^ c & ~d | e",
        "x = (a ^ b) & c",
        "x = not a in b and c or d if e else f",
        "x = -a ** -b, (-a) ** b, await_ ** 2",
        "x = lambda a, *b: a if b else (yield)",
        "x = a < b <= c != d",
        "x = (w := a if b else c if d else e)",
        "x = [w := a or b if (v := c if d else e) else not c]",
        "x = [i for i in (lambda: y)() if i if not i]",
    ],
)
def test_known_traps(code: str) -> None:
    source = f"def f():\n    {code}\n".encode()
    module = Module.from_text(source)
    assert not _theirs(source) ^ _mine(module)
    for placed in module.units:
        for node in placed.unit.root.walk():
            for index, child in enumerate(node.children):
                assert child.parent is node and child.index == index
                assert node.start <= child.start and child.end <= node.end


def test_what_cannot_be_repaired_is_not_trusted() -> None:
    module = Module.from_text("def f(m):\n    type(m).x = 3\n    y = a ^ b & (  # why\n  c)\n")
    assert module.units[0].unit.has_error
