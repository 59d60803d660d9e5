"""Types that are proven, and above all those that are not."""

from __future__ import annotations

import pytest

from semrep.ir.effects import facts
from semrep.ir.module import Module


def _types(body: str, parameters: str = "a, b") -> set[str] | None:
    """Types of the expression in the last `return`."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    module = Module.from_text(f"def f({parameters}):\n{lines}")
    unit = module.units[-1].unit
    value = unit.nodes("return_statement")[-1].operands[0]
    found = facts(module, unit, value).types.of(value)
    return None if found is None else set(found)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 1 + 2", {"int"}),
        ("return 1 / 2", {"float"}),
        ("return len(a) * 2", {"int"}),
        ("return 2j", {"complex"}),
        ("return True & False", {"bool"}),
        ("return True + True", {"int"}),
        ("return -True", {"int"}),
        ("return len(a) ** 2", {"int"}),
        ("return len(a) ** -1", {"int", "float", "complex"}),
        ("return float(a) ** 2", {"float"}),
        ("return b'x' + b'y'", {"bytes"}),
        ("return a is b", {"bool"}),
        ("return a in b", {"bool"}),
        ("return not a", {"bool"}),
        ("x = 1\nif a:\n    x = 2.0\nreturn x", {"int", "float"}),
        ("x = 0\nfor i in range(3):\n    x += i\nreturn x", {"int"}),
        ("x = 0\nfor i in a:\n    x = x + 0.5\nreturn x", {"int", "float"}),
        ("x, y = 1, 'a'\nreturn y", {"str"}),
        ("return str(1.5)", {"str"}),
    ],
)
def test_proven(body: str, expected: set[str]) -> None:
    assert _types(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "return a",
        "return a + 1",
        "return a < b",
        "return str(a)",
        "return repr(a)",
        "return format(a)",
        "return bytes(a)",
        "return divmod(a, b)",
        "return sum(a)",
        "len = a\nreturn len(b)",
        "x = 1\nfor x in a:\n    pass\nreturn x",
        "x = 1\ndef g():\n    nonlocal x\n    x = b\ng()\nreturn x",
        "x = 1\nlocals()\nreturn x",
        "x = 1\nx += a\nreturn x",
        "with a as x:\n    pass\nreturn x",
        "(x := a)\nreturn x",
        "x = 1\n[x := i for i in a]\nreturn x",
        "import x\nreturn x",
    ],
)
def test_not_proven(body: str) -> None:
    assert _types(body) is None


def test_annotations_prove_nothing() -> None:
    assert _types("return a", "a: int") is None
    assert _types("x: int = a\nreturn x") is None
