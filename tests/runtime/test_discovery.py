"""How a file says how it is run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from semrep.runtime import Harness, NoHarness, Spec, discover, f32, ints


def found(text: str, **given: str) -> Harness:
    harness = discover(text.encode(), **given)
    assert isinstance(harness, Harness), str(harness)
    return harness


def test_semrep_inputs_with_one_public_function() -> None:
    harness = found("def f(x):\n    return x\ndef semrep_inputs():\n    return (1,)\n")
    assert (harness.entry, harness.inputs, harness.convention) == (
        "f",
        "semrep_inputs()",
        "semrep_inputs",
    )


def test_entry_is_the_function_nobody_calls() -> None:
    text = (
        "def g(x):\n    return x\ndef f(x):\n    return g(x)\n"
        "def semrep_inputs():\n    return (1,)\n"
    )
    assert found(text).entry == "f"


def test_several_candidates_for_the_entry_are_left_to_the_author() -> None:
    text = (
        "def g(x):\n    return x\ndef f(x):\n    return x\ndef semrep_inputs():\n    return (1,)\n"
    )
    missing = discover(text.encode())
    assert isinstance(missing, NoHarness) and "f" in missing.reason and "--entry" in missing.remedy
    assert found("semrep_entry = 'g'\n" + text).entry == "g"
    assert found(text, entry="f").entry == "f"


def test_kernelbench_names() -> None:
    text = (
        "import torch\nclass Model(torch.nn.Module):\n    pass\n"
        "def get_inputs():\n    return []\ndef get_init_inputs():\n    return []\n"
    )
    harness = found(text)
    assert (harness.entry, harness.init, harness.framework) == (
        "Model",
        "get_init_inputs()",
        "torch",
    )


def test_example_decorator_is_read_not_run() -> None:
    text = (
        "import semrep\nraise SystemExit\n"
        "@semrep.example(f32(4, 8), eps=1e-6)\n@semrep.example(f32(2, 2))\n"
        "def f(x, eps=0.0):\n    return x\n"
    )
    harness = found(text)
    assert harness.inputs == "[arguments(f32(2, 2)), arguments(f32(4, 8), eps=1e-06)]"


def test_annotations_that_state_shapes() -> None:
    text = (
        "import torch\n"
        "def f(x: Float[Tensor, 'n 512'], y: Int[Tensor, 'n'], z: Float[Tensor, 'n+1 2*n'],\n"
        "      eps: float, k=3):\n    return x\n"
    )
    assert found(text).inputs == "arguments(f32(64, 512), i64(64), f32(65, 128), 0.5)"


def test_given_names_win_and_must_exist() -> None:
    text = "class A:\n    pass\n"
    assert found(text, entry="A.apply", inputs="(1,)").convention == "given"
    assert isinstance(discover(text.encode(), entry="B", inputs="(1,)"), NoHarness)
    assert isinstance(discover(text.encode(), entry="A", inputs="(1,"), NoHarness)
    assert isinstance(discover(b"def f(:\n"), NoHarness)


def test_kernels_are_not_entries() -> None:
    text = (
        "import triton\n@triton.jit\ndef kernel(x):\n    pass\n"
        "def launch(x):\n    kernel[(1,)](x)\ndef semrep_inputs():\n    return (1,)\n"
    )
    assert found(text).entry == "launch"


@pytest.mark.parametrize("text", ["f32(64, 512)", "bf16()", "ints(0, 10, 64)", "boolean(3)"])
def test_specs_round_trip(text: str) -> None:
    assert str(Spec.parse(text)) == text


@pytest.mark.parametrize("text", ["f32(-1)", "g32(1)", "f32(n)", "f32(1", "ints(3, 3, 1)"])
def test_bad_specs_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Spec.parse(text)


def test_specs_are_values() -> None:
    assert f32(2, 3) == Spec("float32", (2, 3))
    assert ints(0, 4, 2) != ints(0, 5, 2)


def test_rooms_import_without_heavy_libraries() -> None:
    code = (
        "import sys, semrep.verify, semrep.cost, semrep.runtime, semrep.ir.signature\n"
        "print([m for m in ('torch', 'triton', 'jax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
