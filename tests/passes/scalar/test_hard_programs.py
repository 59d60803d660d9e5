"""Programs on which a careless optimiser trips, through all scalar and loop passes."""

from __future__ import annotations

import pytest

from bench.outcomes import Probe, observe
from semrep.ir.module import Module
from semrep.passes.manager import PassManager

PIPELINES = (
    "scalar.*,loop.*",
    "loop.*,scalar.*,loop.*",
    "scalar.*,loop.*,scalar.*,eliminate-common-subexpressions{min-operations=1}",
    "canonical.*,scalar.*,loop.*",
    "split-loop,scalar.*",
)
ARGUMENTS: tuple[object, ...] = ([], [1], [0, 2, 3], [1, 2, 3, 4, 5], "ab", Probe("x", 1))

PROGRAMS = {
    "finally_sees_a_division": """
def f(xs):
    n = len(xs)
    try:
        for i in range(3):
            if i > n:
                return i
            n = n // (n - 1)
    except ZeroDivisionError:
        return 'z', n, i
    finally:
        n = n * 2 + 1
    return n
""",
    "a_handler_sees_half_a_loop": """
def f(xs):
    n = len(xs)
    a = 0
    b = 0
    try:
        for i in range(n):
            a = a + 6 // (2 - i)
        for i in range(n):
            b = b + i
    except ZeroDivisionError:
        pass
    return a, b
""",
    "a_closure_changes_an_operand": """
def f(xs):
    n = len(xs)
    def g():
        nonlocal n
        n += 1
        return n
    a = n * 2 + 1
    g()
    b = n * 2 + 1
    return a, b
""",
    "a_return_hides_a_zero_trip_loop": """
def f(xs):
    n = len(xs)
    for i in xs:
        x = n * 2
        return x
    x = 5
    return x
""",
    "a_zero_trip_loop_keeps_the_old_value": """
def f(xs):
    x = 7
    n = len(xs)
    for i in xs:
        x = n * 2
        if i:
            return x
    return x
""",
    "a_walrus_in_a_condition": """
def f(xs):
    n = len(xs)
    while (n := n - 1) > 0:
        a = n * 2 + 1
        b = n * 2 + 1
    return n
""",
    "a_walrus_in_an_iterable": """
def f(xs):
    for i in (n := len(xs), 2):
        y = n * 2
    return y
""",
    "an_alias_that_is_unbound": """
def f(xs):
    e = 1
    try:
        xs[5]
    except IndexError as e:
        pass
    return e
""",
    "a_deleted_name": """
def f(xs):
    x = 1
    if xs:
        del x
    x = 2
    return 3
""",
    "copies_of_copies": """
def f(xs):
    a = 1
    b = a
    a = 2
    c = b
    a = 3
    return a, b, c
""",
    "a_generator_that_runs_late": """
def f(xs):
    g = (y for y in xs)
    n = len(xs)
    t = n * 2 + 1
    h = (y + n * 2 + 1 for y in xs)
    t = 0
    n = 0
    return list(h), t
""",
    "joined_strings": """
def f(xs):
    s = 'a' + 'b'
    t = s + 'c'
    u = s + 'c'
    return t is u or t == u, t, s * 2
""",
    "closures_in_loops": """
def f(xs):
    for i in range(2):
        fs = []
        for j in range(2):
            fs.append(lambda: (i, j))
    return [g() for g in fs]
""",
    "else_of_a_loop": """
def f(xs):
    n = len(xs)
    x = 0
    for i in range(n):
        if n > 1: x += i
        else:
            x -= 1
    else:
        x += 100
    return x
""",
    "bodies_on_header_lines": """
def f(xs):
    x = y = 0
    for i in range(3): x += i
    for i in range(3): y += x
    return x, y
""",
    "an_import_that_never_runs": """
def f(xs):
    if 0:
        import os
    try:
        return os
    except UnboundLocalError:
        return 'unbound'
""",
    "arguments_with_effects": """
def h(a, b):
    return a if b else a
def f(xs):
    return h(xs.pop(), xs.pop()), h(1 if xs else 2, xs)
""",
    "negative_arguments": """
def h(a):
    return -a ** 2
def f(xs):
    return h(len(xs) + 1), h(-1), h(a=2), -h(3) ** 2
""",
    "an_argument_that_yields": """
def h(a):
    return a
def f(xs):
    return h((yield 1))
""",
    "a_global_bound_later": """
def h(x):
    return x + K
K = 3
def f(xs):
    return [h(K) for K in xs], h(1)
""",
    "an_int_too_large_for_a_float": """
def f(xs):
    x = float(len(xs))
    y = x / 2
    n = 10 ** 400 if not xs else 2
    try:
        for i in range(2):
            z = n * 1.5
    except OverflowError:
        return 'big'
    return y, z
""",
    "an_int_with_too_many_digits": """
def f(xs):
    n = 10 ** 5000
    for i in xs:
        try:
            s = str(n)
        except ValueError:
            return 'digits'
    return 1
""",
}


@pytest.mark.parametrize("title", PROGRAMS)
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_means_the_same(title: str, pipeline: str) -> None:
    source = PROGRAMS[title]
    trace = PassManager(max_steps=60).run(Module.from_text(source, "program.py"), pipeline)
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    exec(compile(source, "before", "exec"), before)
    exec(compile(trace.after.text, "after", "exec"), after)
    for argument in ARGUMENTS:
        expected = observe(before["f"], (argument,))  # type: ignore[arg-type]
        found = observe(after["f"], (argument,))  # type: ignore[arg-type]
        assert found == expected, trace.after.text


@pytest.mark.parametrize("value", ["a", "1", "len"])
def test_many_dead_stores_go_in_few_steps(value: str) -> None:
    # One step each would take a minute.
    stores = f"    x = {value}\n" * 400
    text = f"def f(a):\n{stores}    x = a  # kept\n    return x\n"
    trace = PassManager().run(Module.from_text(text), "eliminate-dead-code")
    assert trace.after.text == "def f(a):\n    x = a  # kept\n    return x\n"
    assert len(trace.steps) < 20


def test_a_block_of_dead_stores_stays_a_block() -> None:
    text = "def f(a):\n    if a:\n        x = 1\n        x = 2\n        x = 3\n    return a\n"
    after = PassManager().run(Module.from_text(text), "eliminate-dead-code").after.text
    assert after == "def f(a):\n    if a:\n        pass\n    return a\n"
