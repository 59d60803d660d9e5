"""Two programs compared by themselves: callables, files, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import semrep
from semrep.verify import Different, Equivalent, NotRunnable, verify
from semrep.verify_command import cli

torch = pytest.importorskip("torch")


def softmax(x, w):  # type: ignore[no-untyped-def]
    return torch.softmax(x @ w, -1)


def stable(x, w):  # type: ignore[no-untyped-def]
    z = x @ w
    e = (z - z.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def unstable(x, w):  # type: ignore[no-untyped-def]
    e = (x @ w).exp()
    return e / e.sum(-1, keepdim=True)


INPUTS = (torch.randn(8, 16), torch.randn(16, 10))


def test_callables() -> None:
    verdict = semrep.verify(softmax, stable, INPUTS)
    assert isinstance(verdict, Equivalent), str(verdict)
    assert verdict.draws == 16 and "95%" in verdict.confidence
    assert verdict.narrower, "amax refuses an empty row, softmax does not"
    assert isinstance(semrep.verify(softmax, stable, INPUTS, strict=True), Different)


def test_a_counterexample_shrinks_and_its_script_runs() -> None:
    verdict = verify(softmax, unstable, INPUTS)
    assert isinstance(verdict, Different) and verdict.case is not None
    assert verdict.counterexample is not None and verdict.counterexample.total <= 4
    names: dict[str, object] = {"original": softmax, "candidate": unstable}
    exec(verdict.code, names)
    before, after = (f(*names["arguments"]) for f in (softmax, unstable))  # type: ignore
    assert not torch.allclose(before, after, equal_nan=True)


def test_a_module_against_another_with_its_state() -> None:
    one = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU())
    other = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.LeakyReLU(1e-3))
    other.load_state_dict(one.state_dict())
    inputs = (torch.rand(4, 6),)
    assert isinstance(verify(one, one, inputs), Equivalent)
    assert isinstance(verify(one, other, inputs), Different)


def test_a_closure_and_what_cannot_be_copied() -> None:
    import threading

    scale = 3.0
    assert isinstance(
        verify(lambda x: x * scale, lambda x: x + x + x, (torch.ones(3),)), Equivalent
    )
    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot be copied"):
        verify(lambda x: (x, lock)[0], lambda x: x, (torch.ones(3),))
    with pytest.raises(NotRunnable, match="inputs"):
        verify(softmax, stable)


REFERENCE = """\
import torch

class Model(torch.nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.linear = torch.nn.Linear(n, m)

    def forward(self, x):
        return torch.softmax(torch.relu(self.linear(x)), dim=-1)

def get_inputs():
    return [torch.rand(4, 24)]

def get_init_inputs():
    return [24, 40]
"""

KERNEL = """\
import torch, triton
import triton.language as tl

@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * n + i, mask=i < n, other=0.0)
    x = tl.maximum(x, 0.0)
    e = tl.where(i < n, tl.exp(x - tl.max(x, 0)), 0.0)
    tl.store(y_ptr + row * n + i, e / tl.sum(e, 0), mask=i < n)

class ModelNew(torch.nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.projection = torch.nn.Linear(n, m)

    def forward(self, x):
        z = self.projection(x)
        y = torch.empty_like(z)
        kernel[(z.shape[0],)](z, y, z.shape[1], BLOCK=triton.next_power_of_2(z.shape[1]))
        return y
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    one, other = tmp_path / "reference.py", tmp_path / "generated.py"
    one.write_text(REFERENCE)
    other.write_text(KERNEL)
    return str(one), str(other)


def test_the_command_on_a_generated_kernel(files: tuple[str, str]) -> None:
    facts = ["--assume", "inference only", "--assume", "inputs are finite", "--assume", "shapes"]
    done = CliRunner().invoke(cli, [*files, *facts])
    assert done.exit_code == 0, done.output
    assert "interpreter" in done.output and "named differently" in done.output


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("mask=i < n, other", "mask=i <= n, other", "OutOfBounds"),
        ("tl.maximum(x, 0.0)", "tl.abs(x)", "differs"),
        ("e / tl.sum(e, 0), mask=i < n", "e / tl.sum(e, 0), mask=i < n - 1", "differs"),
        ("kernel[(z.shape[0],)]", "kernel[(z.shape[0] - 1,)]", "differs"),
    ],
)
def test_the_command_on_wrong_kernels(
    files: tuple[str, str], before: str, after: str, reason: str
) -> None:
    wrong = Path(files[1])
    assert before in KERNEL
    wrong.write_text(KERNEL.replace(before, after))
    done = CliRunner().invoke(cli, [*files, "--json", "--assume", "inference only, shapes"])
    assert done.exit_code == 1, done.output
    record = json.loads(done.output)
    assert record["verdict"] == "different" and reason in record["reason"], record["reason"]


def test_the_script_of_a_counterexample_runs(files: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "original.py").write_text("import numpy as np\ndef f(x):\n    return np.abs(x)\n")
    (tmp_path / "candidate.py").write_text("import numpy as np\ndef f(x):\n    return +x\n")
    script = tmp_path / "shows.py"
    pair = [str(tmp_path / "original.py"), str(tmp_path / "candidate.py")]
    done = CliRunner().invoke(cli, [*pair, "--inputs", "(f64(5),)", "--script", str(script)])
    assert done.exit_code == 1, done.output
    ran = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    lines = ran.stdout.splitlines()
    assert len(lines) == 2 and lines[0].partition(":")[2] != lines[1].partition(":")[2], ran


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    one = tmp_path / "one.py"
    one.write_text("def f(x):\n    return x\n\ndef g(x):\n    return x\n")
    done = CliRunner().invoke(cli, [str(one), str(one)])
    assert done.exit_code == 2 and "--inputs" in done.output
    other = tmp_path / "other.py"
    other.write_text("def h(x):\n    return x\n\ndef k(x):\n    return x\n")
    done = CliRunner().invoke(cli, [str(one), str(other), "--entry", "f", "--inputs", "(3,)"])
    assert done.exit_code == 2 and "--candidate-entry" in done.output
    fails = tmp_path / "fails.py"
    fails.write_text("def f(x):\n    return x / 0\n")
    done = CliRunner().invoke(cli, [str(fails), str(one), "--entry", "f", "--inputs", "(3,)"])
    assert done.exit_code == 3 and "ZeroDivisionError" in done.output
