"""Writing source: brackets, spaces and lines."""

from __future__ import annotations

import pytest

from semrep.ir import emit
from semrep.ir.module import Module
from semrep.ir.text import EditSet
from semrep.ir.tree import Node
from semrep.ir.unit import Unit


def _unit(source: str) -> Unit:
    return Module.from_text(source).units[-1].unit


def _replaced(expression: str, text: str, strength: int) -> str:
    unit = _unit(f"def f():\n    return {expression}\n")
    node = next(n for n in unit.nodes("identifier") if n.text == "x")
    after = EditSet([emit.replace(node, text, strength)]).apply(unit.source).decode()
    compile(after, "<text>", "exec")
    return after.split("return ")[1].strip()


@pytest.mark.parametrize(
    ("expression", "text", "strength", "expected"),
    [
        ("x * 2", "a + b", emit.SUM, "(a + b) * 2"),
        ("x + 2", "a + b", emit.SUM, "a + b + 2"),
        ("2 - x", "a + b", emit.SUM, "2 - (a + b)"),
        ("x ** 2", "-1", emit.UNARY, "(-1) ** 2"),
        ("2 ** x", "-1", emit.UNARY, "2 ** -1"),
        ("x.y", "1", emit.PRIMARY, "(1).y"),
        ("g(x)", "a, b", emit.SEQUENCE, "g((a, b))"),
        ("x", "a := b", emit.NAMED, "(a := b)"),
        ("(x)", "a := b", emit.NAMED, "(a := b)"),
        ("f(x)", "a := b", emit.NAMED, "f((a := b))"),
        ("not x", "a or b", emit.OR, "not (a or b)"),
        ("1 if x else 2", "a if b else c", emit.CONDITIONAL, "1 if (a if b else c) else 2"),
        ("1 if(x)else 2", "y", emit.PRIMARY, "1 if(y)else 2"),
        ("[i for i in x]", "a if b else c", emit.CONDITIONAL, "[i for i in (a if b else c)]"),
    ],
)
def test_replace(expression: str, text: str, strength: int, expected: str) -> None:
    assert _replaced(expression, text, strength) == expected


def _statement(unit: Unit, text: str) -> Node:
    return next(
        n for n in unit.root.walk() if n.kind.endswith("_statement") and n.text.startswith(text)
    )


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("def f():\n    a = 1\n    b = 2\n", "a", "def f():\n    b = 2\n"),
        ("def f():\n    a = 1; b = 2\n", "a", "def f():\n    b = 2\n"),
        ("def f():\n    a = 1; b = 2\n", "b", "def f():\n    a = 1\n"),
        ("def f():\n    a = 1\n", "a", "def f():\n    pass\n"),
        ("def f():\r\n\ta = 1\r\n\tb = 2\r\n", "a", "def f():\r\n\tb = 2\r\n"),
        ("def f(): a = 1; b = 2\n", "a", "def f(): b = 2\n"),
        ("def f():\n    # kept\n    a = 1\n    b\n", "a", "def f():\n    # kept\n    b\n"),
    ],
)
def test_delete_statement(source: str, text: str, expected: str) -> None:
    unit = _unit(source)
    after = EditSet([emit.delete_statement(unit, _statement(unit, text))]).apply(unit.source)
    assert after.decode() == expected.rstrip("\r\n")


def test_lines_are_not_put_behind_a_backslash() -> None:
    unit = _unit("def f():\n    a = 1; \\\n    b = 2\n")
    assert emit.insert_before(unit, _statement(unit, "b"), "c = 3") is None
    assert not emit.stands_alone(_statement(unit, "b"))


def test_no_lines_on_a_shared_line() -> None:
    unit = _unit("def f(x):\n    if x: a = 1\n    return a\n")
    assert emit.insert_before(unit, _statement(unit, "a"), "c = 3") is None


def test_inserted_lines_end_as_the_files_do() -> None:
    unit = _unit("def f():\r\n\ta = 1\r\n\treturn a\r\n")
    edit = emit.insert_before(unit, _statement(unit, "return"), "b = 2")
    assert edit is not None and edit.text == b"\tb = 2\r\n"


def test_block_lines_refuse_strings_over_several_lines() -> None:
    unit = _unit('def f():\n    while 1:\n        a = """\n  x"""\n')
    assert emit.block_lines(unit.nodes("while_statement")[0]["body"]) is None
    unit = _unit("def f():\n    while 1:\n        a = '\\x0c'\n        if a:\n            b\n")
    block = unit.nodes("while_statement")[0]["body"]
    assert emit.block_lines(block) == "a = '\\x0c'\nif a:\n    b"


def test_fresh_names() -> None:
    unit = _unit("def f(total, total_2):\n    return total\n")
    assert emit.fresh_name(unit, "total") == "total_3"
    assert emit.fresh_name(unit, "sum") == "sum_2"
    assert emit.fresh_name(unit, "other") == "other"


def test_long_calls_are_wrapped() -> None:
    source = "class A:\n    def f(self, x):\n        x = a  # note\n        return x\n"
    module = Module.from_text(source)
    placed = module.function("A.f")
    assert placed is not None
    node = next(n for n in placed.unit.nodes("identifier") if n.text == "a")
    call = f"{'f' * 40}({'x' * 30}, [{'y' * 10}, 1]) * z"
    edit = emit.wrapped(placed.unit, node, emit.replace(node, call))
    after = module.apply(EditSet([edit.shifted(placed.start)]))
    assert not after.diagnostics
    lines = [f"        x = {'f' * 40}(", " " * 12 + "x" * 30 + ",", f"            [{'y' * 10}, 1],"]
    assert "\n".join([*lines, "        ) * z  # note\n"]) in after.text
    short = emit.wrapped(placed.unit, node, emit.replace(node, "f(x, y)"))
    assert short.text == b"f(x, y)"


@pytest.mark.parametrize(
    ("text", "bracketed"),
    [("f(\n1) + 2", False), ("1 +\n2", True), ("f('(\n') + 2", True), ("1 + 2", False)],
)
def test_brackets_only_where_a_line_would_end(text: str, bracketed: bool) -> None:
    unit = _unit("def f():\n    return x\n")
    node = next(n for n in unit.nodes("identifier") if n.text == "x")
    new = emit.replace(node, text, emit.operator_strength("+")).text.decode()
    assert new == (f"({text})" if bracketed else text)
