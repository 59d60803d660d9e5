"""What evaluating code may do: nothing is harmless unless it is proven to be."""

from __future__ import annotations

import pytest

from semrep.ir.effects import NONE, Effect, Facts, facts
from semrep.ir.module import Module
from semrep.ir.tree import Node

PREFIX = "n = len(a)\nx = float(b)\ns = 'abc'\nt = (1, 2)\nxs = [1, 2]\nd = {1: 2}\n"


def _facts(body: str, header: str = "def f(a, b):\n") -> tuple[Facts, list[Node]]:
    lines = "".join(f"    {line}\n" for line in (PREFIX + body).split("\n"))
    module = Module.from_text(f"{header}{lines}")
    unit = module.units[-1].unit
    definition = unit.definition
    assert definition is not None
    return facts(module, unit, definition), definition["body"].operands[6:]


def _effects(statement: str) -> Effect:
    found, statements = _facts(statement)
    return found.effects(statements[-1])


@pytest.mark.parametrize(
    "statement",
    [
        "n + 1", "n * n", "x * x", "x + 1", "n // 2", "n % 3", "x / 2.0", "-n", "not n", "n < x",
        "a is b", "s + s", "t + t", "len(s)", "len(t)", "min(n, 1)", "bool(x)", "(n, x)",
        "n if x else 1", "n and x", "f'{s}{x}'", "n ** 2", "n << 3", "a", "'a' 'b'", "n == s",
    ],
)  # fmt: skip
def test_harmless(statement: str) -> None:
    assert _effects(statement) is NONE


@pytest.mark.parametrize(
    ("statement", "effect"),
    [
        ("n / x", Effect.RAISES),
        ("n // x", Effect.RAISES),
        ("n * 1.5", Effect.RAISES),  # a huge int has no float
        ("n + x", Effect.RAISES),
        ("x ** 2", Effect.RAISES),
        ("n << n", Effect.RAISES),
        ("s < n", Effect.RAISES),
        ("t[5]", Effect.RAISES | Effect.READS),
        ("d[5]", Effect.CALLS),  # keys of the dictionary may compare as they like
        ("len(xs)", Effect.READS),
        ("not xs", Effect.READS),
        ("xs and 1", Effect.READS),
        ("str(n)", Effect.RAISES),  # too many digits
        ("f'{n}'", Effect.RAISES),
        ("f'{a}'", Effect.CALLS),
        ("f'{s:{a()}}'", Effect.CALLS),
        ("[1]", Effect.ALLOCATES),
        ("a + 1", Effect.CALLS),
        ("a.b", Effect.CALLS),
        ("a[0]", Effect.CALLS),
        ("a == b", Effect.CALLS),
        ("not a", Effect.CALLS),
        ("a < 1", Effect.CALLS),
        ("a and 1", Effect.CALLS),
        ("1 if a else 2", Effect.CALLS),
        ("-a", Effect.CALLS),
        ("f(1)", Effect.CALLS),
        ("print(1)", Effect.CALLS),
        ("len(a)", Effect.CALLS),
        ("isinstance(a, int)", Effect.CALLS),
        ("assert a", Effect.CALLS),
        ("assert n", Effect.RAISES),
        ("del xs[0]", Effect.WRITES),
        ("del a.b", Effect.CALLS),
        ("del n", Effect.RAISES),
        ("xs += a", Effect.CALLS),
        ("xs[0] = 1", Effect.WRITES),
        ("n += 1.5", Effect.RAISES),
        ("x &= 1", Effect.RAISES),
        ("undefined_name", Effect.RAISES),
        ("return n", Effect.JUMPS),
        ("while n:\n        pass", Effect.DIVERGES),
        ("import os", Effect.CALLS),
        ("(yield)", Effect.YIELDS),
        ("{a: 1}", Effect.CALLS),
        ("{a}", Effect.CALLS),
        ("[*a]", Effect.CALLS),
        ("for i in a: pass", Effect.CALLS),
        ("with a: pass", Effect.CALLS),
        ("global g; g = 1", Effect.WRITES),
    ],
)
def test_harmful(statement: str, effect: Effect) -> None:
    assert _effects(statement) & effect == effect


def test_a_private_global_is_another_name_inside_a_class() -> None:
    module = Module.from_text("__x = 1\nclass A:\n    def f(self):\n        return __x\n")
    unit = module.units[-1].unit
    load = next(n for n in unit.nodes("identifier") if n.text == "__x")
    assert facts(module, unit, load).effects(load) & Effect.RAISES


@pytest.mark.parametrize(
    ("first", "second", "commute"),
    [
        ("i = n + 1", "j = n + 2", True),
        ("i = n + 1", "j = i", False),
        ("i = n", "n = 1", False),
        ("a()", "i = n + 1", True),
        ("a()", "i = [n]", True),
        ("a()", "b()", False),
        ("a()", "i = len(xs)", False),
        ("i = n / x", "j = x / n", False),
        ("i = n / x", "j = n + 1", True),
        ("i = t[n]", "xs[0] = 1", False),
        ("return n", "i = 1", False),
    ],
)
def test_commute(first: str, second: str, commute: bool) -> None:
    found, statements = _facts(f"{first}\n{second}")
    assert found.commute(*statements) is commute
    assert found.commute(*reversed(statements)) is commute


def test_a_handler_sees_what_was_stored_before_the_exception() -> None:
    found, statements = _facts(
        "try:\n    i = n / x\n    j = n + 1\nexcept ZeroDivisionError:\n    j = 2"
    )
    first, second = statements[0]["body"].operands
    assert not found.commute(first, second)


def test_triton_speaks_another_language() -> None:
    module = Module.from_text(
        "import triton\nimport triton.language as tl\n"
        "@triton.jit\ndef k(p, n):\n"
        "    a = tl.program_id(0) * n\n    b = tl.load(p + a)\n    tl.store(p, b.to(tl.int32))\n"
        "    tl.atomic_add(p, 1)\n"
    )
    unit = module.units[-1].unit
    definition = unit.definition
    assert definition is not None
    found = facts(module, unit, definition)
    assert found.is_triton
    effects = [found.effects(s) for s in definition["body"].operands]
    assert effects[0] is NONE
    assert effects[1] == Effect.READS
    assert effects[2] == Effect.WRITES
    assert effects[3] & Effect.CALLS


@pytest.mark.parametrize(
    "value",
    ["f'{" * 60 + "a" + "}'" * 60, "lambda x=" * 60 + "a" + ": x" * 60],
    ids=["strings", "defaults"],
)
def test_nesting_takes_no_more_than_its_depth(value: str) -> None:
    # Twice as long with each level, this would not come back.
    assert _effects(f"c = {value}") is not NONE
