"""Faults and equivalents differ and agree as they should, and the anchors judge as they do."""

import ast
import random

import pytest
import torch

from bench.trust import equivalents, mutants, operators, outcome
from bench.trust.anchors import ANCHORS, accepts
from bench.trust.arbiter import Arbiter, different
from bench.trust.calling import call, copied, entry_of, flat, load
from bench.trust.corpus import own_programs
from bench.trust.drawing import NORMAL, draw
from bench.trust.examination import ACCEPTED, EQUIVALENT, MUTANT, Row
from bench.trust.executor import Executor
from bench.trust.program import JAX, NUMPY, TORCH, TRITON, Program
from bench.trust.source_text import SourceText
from bench.trust.third_party import gpuemu_programs, installed_programs, shrink

PROGRAMS = list(own_programs())
ARRAYS = [p for p in PROGRAMS if p.kind != TRITON]


def result(program, source):
    module = load(source)
    args, kwargs = draw(program, module, NORMAL, 0)
    return flat(call(entry_of(program, module), copied(args), copied(kwargs), 0))


def numpy_program(source, inputs):
    return Program("p", NUMPY, source, "f", inputs, "here")


def judge(source, changed, inputs):
    program = numpy_program(source, inputs)
    return Arbiter(program, load(source)).judge(load(changed))


def slow_where_compiled(programs):
    """JAX compiles each operation, which takes seconds for a program."""
    slow = [p.kind == JAX and p.name != "jax_softmax_mask" for p in programs]
    return [
        pytest.param(p, id=p.name, marks=[pytest.mark.slow] if s else [])
        for p, s in zip(programs, slow, strict=True)
    ]


@pytest.mark.parametrize("program", slow_where_compiled(ARRAYS))
def test_own_programs_run_and_their_equivalents_agree(program):
    expected = result(program, program.source)
    text = SourceText(program.source)
    # Each new operation of JAX is compiled.
    count = 1 if program.kind == JAX else 6
    found = equivalents.sample(program, text, count, random.Random(0), {})
    assert len(found) >= min(count, 2)
    for equivalent in found:
        assert different(expected, result(program, equivalent.source)) is None, equivalent.name


def test_kernels_parse_with_every_version_written_by_hand():
    kernels = [p for p in PROGRAMS if p.kind == TRITON]
    assert len(kernels) >= 8
    for program in kernels:
        for equivalent in equivalents.by_hand(program):
            ast.parse(equivalent.source)
            assert equivalent.source != program.source


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_mutants_parse_differ_and_are_seeded(program):
    text = SourceText(program.source)
    first, second = (operators.sample(program, text, 25, random.Random(7), {}) for _ in range(2))
    assert first == second
    sources = [m.source for m in first]
    assert len(set(sources)) == len(sources) > 5
    assert program.source not in sources
    for mutant in first:
        ast.parse(mutant.source)
        assert mutant.before in program.source
    other = operators.sample(program, text, 25, random.Random(8), {})
    assert other != first


@pytest.mark.slow
def test_every_operator_applies_somewhere():
    found = set()
    for program in [*PROGRAMS, *installed_programs(lambda _: None)]:
        text = SourceText(program.source, program.targets, None, {"softmax": {"n_cols": 50}})
        found |= operators.places(program, text).keys()
    assert {o.name for o in operators.OPERATORS} - found <= {"rounding"}


def test_mutants_only_touch_lines_that_ran():
    source = "def f(x):\n    if len(x) < 3:\n        return x + 1\n    return x - 1\n"
    program = numpy_program(source, "(f64(4),)")
    text = SourceText(source, (), {1, 2, 4})
    made = operators.sample(program, text, 50, random.Random(0), {})
    assert made
    assert 3 not in {m.line for m in made}


def test_inner_parentheses_are_kept():
    source = "def f(a, b):\n    return (a != b).sum()\n"
    program = numpy_program(source, "(f64(4), f64(4))")
    found = operators.places(program, SourceText(source))["mean-for-sum"]
    assert found[0][1] == "(a != b).mean()"


def test_zeros_pass_for_a_wide_softmax_where_only_differences_are_bounded():
    columns = 393216
    torch.manual_seed(0)
    old = torch.softmax(torch.rand(2, columns), dim=-1)
    new = torch.zeros_like(old)
    fooled = {name for name in ANCHORS if accepts(name, [old], [new])}
    assert fooled == set(ANCHORS) - {"numpy_allclose", "liger"}


@pytest.mark.parametrize("anchor", ANCHORS)
def test_anchors_take_equals_and_refuse_what_is_far(anchor):
    values = torch.randn(20, generator=torch.Generator().manual_seed(0))
    assert accepts(anchor, [values], [values.clone()])
    assert not accepts(anchor, [values], [values + 1])
    assert not accepts(anchor, [values], [values[:10]])
    assert not accepts(anchor, [values], [values, values])
    hidden = values.clone()
    hidden[3] = float("nan")
    assert not accepts(anchor, [values], [hidden])


def test_the_arbiter_sees_sizes_special_values_arguments_and_shared_memory():
    source = "import numpy as np\n\ndef f(x):\n    return np.maximum(x, 0.0)\n"
    inputs = "(f64(4, 6),)"
    assert judge(source, source, inputs) is None
    lost = judge(source, source.replace("maximum", "fmax"), inputs)
    assert lost is not None and lost.where == "specials"
    fixed = source.replace("maximum(x, 0.0)", "maximum(x[:, :6], 0.0)")
    assert judge(source, fixed, inputs).where == "sizes"
    overwritten = source.replace("0.0)", "0.0, out=x)")
    assert judge(source, overwritten, inputs).where == "arguments"
    copying = "def f(x):\n    return x.copy()\n"
    assert judge(copying, "def f(x):\n    return x\n", inputs).where == "aliasing"


def test_the_arbiter_sees_gradients_but_not_rounding():
    source = "import torch\n\ndef f(x):\n    return (x * 3.0).sum(-1)\n"
    program = Program("p", TORCH, source, "f", "(f32(4, 60),)", "here")
    arbiter = Arbiter(program, load(source))
    assert arbiter.judge(load(source.replace("sum(-1)", "sum(-1).detach()"))).where == "gradients"
    again = source.replace("(x * 3.0).sum(-1)", "x.flip(-1).sum(-1) * 3.0")
    assert arbiter.judge(load(again)) is None


@pytest.mark.slow
def test_a_worker_that_hangs_or_dies_is_replaced():
    source = "def f(x):\n    return x\n"
    program = numpy_program(source, "(f64(3),)")
    with Executor() as executor:
        assert "failed" not in executor.load(program, 60)
        answer = executor.ask("anchors", source, 60)
        assert set(answer["accepted"]) == set(ANCHORS)
        hanging = "def f(x):\n    while True:\n        pass\n"
        assert "no answer" in executor.ask("anchors", hanging, 0.5)["failed"]
        dying = "import os\n\ndef f(x):\n    os._exit(3)\n"
        assert executor.ask("anchors", dying, 60)["failed"] == "crashed"


def test_sizes_shrink_and_stay_apart():
    source = "batch_size = 128\nwidth = 4096\nheight, depth = 4096, 64\nkernel = 3\n"
    small = "batch_size = 3 width = 16 height, depth = 16 , 24 kernel = 3"
    assert " ".join(shrink(source).split()) == small


def test_what_is_not_there_is_left_out_with_a_note(tmp_path):
    notes = []
    assert list(gpuemu_programs(tmp_path, notes.append)) == []
    assert "softmax" in " ".join(notes)


def test_figures_count_what_differs():
    def row(role, verdict, **given):
        usable = list(ANCHORS)
        defaults = {"usable": usable, "accepted": [], "difference": "kernelbench_rand"}
        return Row(role, "p", NUMPY, "boundary", "k", verdict=verdict, **(defaults | given))

    rows = [
        row(MUTANT, "Different"),
        row(MUTANT, ACCEPTED, accepted=["liger"], difference="arbiter: sizes"),
        row(MUTANT, "Inconclusive", accepted=["liger"], difference="arbiter: plain"),
        row(MUTANT, ACCEPTED, difference=""),
        row(MUTANT, "", ran=False),
        row(EQUIVALENT, "Different", accepted=list(ANCHORS), difference=""),
        row(EQUIVALENT, "Different", strict=False, difference=""),
        row(EQUIVALENT, "Inconclusive", difference=""),
        row(EQUIVALENT, ACCEPTED, difference=""),
    ]
    found = {r.name: r for r in outcome.records("trust", rows, 1)}
    assert found["mutants_killed"].value == pytest.approx(2 / 3)
    assert found["subtle_mutants_killed"].value == 0.5
    assert found["false_rejects"].value == 1
    assert found["killed_by_liger"].value == pytest.approx(1 / 3)
    assert "look equivalent (semrep accepts 1)" in found["mutants_killed"].note


def test_help_and_the_table_of_operators(capsys):
    assert mutants.main(["--list-operators"]) == 0
    printed = capsys.readouterr().out
    assert all(o.name in printed for o in operators.OPERATORS)
    with pytest.raises(SystemExit):
        mutants.main(["--help"])
    assert "--resume" in capsys.readouterr().out
