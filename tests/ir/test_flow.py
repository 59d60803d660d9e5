"""Control flow: which definition reaches which load, and what is live."""

from __future__ import annotations

import textwrap

from semrep.ir.flow import UNBOUND, Flow, flow
from semrep.ir.module import Module
from semrep.ir.tree import Node
from semrep.ir.unit import Unit


def _flow(source: str) -> tuple[Flow, Unit]:
    unit = Module.from_text(textwrap.dedent(source)).units[-1].unit
    return flow(unit), unit


def _names(unit: Unit, name: str) -> list[Node]:
    return [n for n in unit.nodes("identifier") if n.text == name]


def _reaching_last(source: str, name: str) -> set[str]:
    """Texts of the statements whose store reaches the last load of `name`."""
    facts, unit = _flow(source)
    last = _names(unit, name)[-1]
    return {
        "unbound" if d is UNBOUND else d.parent.text.split("\n")[0]  # type: ignore[union-attr]
        for d in facts.reaching(last)
    }


def test_a_store_kills_the_one_before() -> None:
    assert _reaching_last("def f():\n    x = 1\n    x = 2\n    return x\n", "x") == {"x = 2"}


def test_a_loop_that_never_runs_stores_nothing() -> None:
    source = "def f(xs):\n    x = None\n    for x in xs:\n        pass\n    return x\n"
    assert _reaching_last(source, "x") == {"x = None", "for x in xs:"}
    source = "def f(xs):\n    for x in xs:\n        pass\n    return x\n"
    assert _reaching_last(source, "x") == {"unbound", "for x in xs:"}


def test_a_handler_sees_the_time_before_and_after_a_store() -> None:
    source = """
    def f(g):
        x = 1
        try:
            x = g()
        except ValueError:
            return x
    """
    assert _reaching_last(source, "x") == {"x = 1", "x = g()"}


def test_an_alias_is_unbound_however_the_handler_is_left() -> None:
    source = """
    def f(g):
        e = None
        for i in g:
            try:
                i()
            except ValueError as e:
                break
        return e
    """
    assert "unbound" in _reaching_last(source, "e")
    source = """
    def f(g):
        e = None
        try:
            try:
                g()
            except ValueError as e:
                g()
        except TypeError:
            return e
    """
    assert "unbound" in _reaching_last(source, "e")


def test_break_skips_the_else_of_a_loop() -> None:
    source = """
    def f(xs):
        for x in xs:
            y = 1
            break
        else:
            y = 2
        return y
    """
    assert _reaching_last(source, "y") == {"y = 1", "y = 2"}


def test_finally_runs_after_return_and_break() -> None:
    source = """
    def f(xs):
        y = 0
        for x in xs:
            try:
                y = 1
                break
            finally:
                z = y
        return z
    """
    facts, unit = _flow(source)
    load = next(n for n in _names(unit, "y") if n.parent is not None and n.parent.text == "z = y")
    assert {d.parent.text for d in facts.reaching(load)} == {"y = 0", "y = 1"}  # type: ignore[union-attr]


def test_a_walrus_may_not_happen() -> None:
    source = "def f(a):\n    x = 1\n    a and (x := 2)\n    return x\n"
    assert _reaching_last(source, "x") == {"x = 1", "x := 2"}


def test_del_unbinds() -> None:
    assert _reaching_last("def f():\n    x = 1\n    del x\n    return x\n", "x") == {"unbound"}


def test_liveness_goes_round_loops() -> None:
    facts, unit = _flow(
        "def f(n):\n    x = 0\n    while n:\n        n -= x\n        x = n\n    return 1\n"
    )
    stores = [n for n in _names(unit, "x") if n.parent is not None and n.field == "left"]
    binding = facts.scopes.binding(stores[0])
    assert binding is not None
    assert all(facts.is_live_after(s, binding) for s in stores)


def test_code_after_return_is_unreachable() -> None:
    facts, unit = _flow("def f(x):\n    return x\n    x += 1\n")
    assert not facts.is_reachable(unit.nodes("augmented_assignment")[0])


def test_dominators() -> None:
    facts, unit = _flow("def f(a):\n    x = a\n    if a:\n        y = 1\n    return x\n")
    x, y = (n.parent for n in unit.nodes("assignment"))
    last = unit.nodes("return_statement")[0]
    assert x is not None and y is not None
    assert facts.dominates(x, last) and facts.dominates(x, y) and not facts.dominates(y, last)


def test_uses_are_the_loads_that_may_see_a_store() -> None:
    facts, unit = _flow("def f(a):\n    x = 1\n    if a:\n        x = 2\n    return x + x\n")
    first = _names(unit, "x")[0]
    assert [n.parent.text for n in facts.uses(first) if n.parent] == ["x + x", "x + x"]
