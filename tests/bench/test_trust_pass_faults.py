"""Mutated passes are in force where they should be, and what they write wrongly is rejected."""

from __future__ import annotations

import itertools
from typing import Any

from bench.trust.forked import Ended, call
from bench.trust.pass_corpus import PYTHON, Subject
from bench.trust.pass_install import Task, prepared, rewrites
from bench.trust.pass_mutants import Mutant, importers, mutants, text_of
from bench.trust.pass_oracle import judge
from semrep.passes import registry
from semrep.passes.contract import BITWISE
from semrep.passes.manager import PassManager
from semrep.runtime import Harness, discover
from semrep.verify import Different, Equivalent, Verifier

MODULE = "semrep.passes.canonical.order_operands"
SOURCE = "def f(a):\n    n = len(a)\n    return 5 - n\n"
# Moves a literal behind what it is subtracted from, too.
UNSOUND = text_of(MODULE).replace('node.operator in ("+", "*")', 'node.operator in ("+", "*", "-")')


def _subject() -> Subject:
    return Subject("s", SOURCE, PYTHON, "", "f", ("[('abc',)]",), arguments=(("abc",),))


def _made(source: str) -> Any:
    program = prepared(_subject())
    assert program is not None
    pairs = [("order-operands", 0)]
    return call(rewrites, Task(MODULE, source, frozenset({MODULE}), pairs, [program.module]), 20.0)


def test_mutants_are_in_force_in_the_child_and_gone_after_it() -> None:
    assert text_of(MODULE) != UNSOUND
    (wrong,) = {row["text"] for row in _made(UNSOUND)}
    assert "return n - 5" in wrong
    assert _made("") == _made(text_of(MODULE)) == []
    pass_ = registry.find("order-operands")
    assert isinstance(pass_, type)
    module = prepared(_subject())
    assert module is not None
    assert not PassManager().run(module.module, [pass_()]).changed


def test_an_unsound_rewrite_is_rejected_and_told_by_the_oracle() -> None:
    (wrong,) = {row["text"] for row in _made(UNSOUND)}
    harness = discover(SOURCE.encode(), None, "f", "[('abc',)]")
    assert isinstance(harness, Harness)
    with Verifier(SOURCE.encode(), harness) as verifier:
        assert isinstance(verifier.check(wrong.encode(), BITWISE), Different)
        same = SOURCE.replace("5 - n", "5 - (n)")
        assert isinstance(verifier.check(same.encode(), BITWISE), Equivalent)
    nobody: Any = None
    assert judge(_subject(), wrong, None, nobody).difference
    assert judge(_subject(), same, None, nobody).difference == ""
    assert judge(_subject(), same, None, nobody).elsewhere == ""


def test_what_differs_for_other_types_alone_is_told_apart() -> None:
    subject = Subject(
        "s", "def f(a):\n    return a + 1\n", PYTHON, "", "f", arguments=((1,), (5,))
    )  # fmt: skip
    nobody: Any = None
    found = judge(subject, "def f(a):\n    return 1 + a\n", None, nobody)
    assert found.difference == "" and found.elsewhere


def test_a_module_that_cannot_be_imported_is_told() -> None:
    (row,) = _made("raise ValueError('x')\n")
    assert row == {"broken": "ValueError: x"}


def test_mutants_are_seeded_and_compile() -> None:
    def some(seed: int) -> list[Mutant]:
        modules = (MODULE, "semrep.passes.tensor.shape", "semrep.passes.scalar.removal")
        return list(itertools.islice(mutants(seed, modules), 30))

    found = some(1)
    assert found == some(1) != some(2)
    assert len({m.source for m in found}) == 30
    assert len({m.operator for m in found}) > 5
    for mutant in found:
        compile(mutant.source, mutant.module, "exec")
        assert mutant.source != text_of(mutant.module)


def test_a_fault_reaches_whoever_imports_the_module() -> None:
    assert importers(MODULE) == {MODULE}
    reached = importers("semrep.passes.rule_guards")
    assert "semrep.passes.tensor.shape" in reached and MODULE not in reached


def test_a_child_that_dies_is_told() -> None:
    import os

    assert call(lambda item: os._exit(item), 5, 5.0) == Ended("ended without an answer")
    assert call(lambda item: item + 1, 5, 5.0) == 6
