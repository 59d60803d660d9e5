import json
import math
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("libcst")

from bench.kernelbench import runner
from bench.kernelbench.checking import check
from bench.kernelbench.degenerate import degenerate
from bench.kernelbench.figures import records
from bench.kernelbench.perturb import is_same, perturb, respelled, results
from bench.kernelbench.problems import Problem, problems
from bench.kernelbench.runner import Plan, rows
from bench.kernelbench.shrink import CPU, TINY, scale_of, shrink_here
from bench.kernelbench.sites import replaced, size_sites
from bench.kernelbench.spellings import SPELLINGS
from bench.kernelbench.subjects import in_eval_mode, namespace
from bench.kernelbench.suite import is_whole
from bench.kernelbench.timing import Timed, interleaved

# A busy machine must not decide about sizes here.
PATIENT = replace(CPU, floor_s=0.0, ceiling_s=30.0)
SMALL = replace(TINY, floor_s=0.0, ceiling_s=30.0)

CONVOLUTION = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self, channels, wide, kernel_size, groups, bias_shape):
        super().__init__()
        self.conv = nn.Conv2d(channels, wide, kernel_size, groups=groups)
        self.norm = nn.GroupNorm(16, wide)
        self.bias = nn.Parameter(torch.randn(bias_shape))

    def forward(self, x):
        return self.norm(self.conv(x)) + self.bias

batch_size = 64 * 8
channels = 96
wide = 192
height, width = 512, 256
kernel_size = 11
groups = 32
bias_shape = (wide, 1, 1)

def get_inputs():
    return [torch.rand(batch_size, channels, height, width)]

def get_init_inputs():
    return [channels, wide, kernel_size, groups, bias_shape]
"""

LINEAR = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self, features, hidden, factor):
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.factor = factor

    def forward(self, x):
        y = self.first(x)
        z = torch.sigmoid(x)
        y = torch.relu(y) * self.factor + 0.5
        y = torch.sum(y, dim=1, keepdim=True)
        z = z.mean(dim=-1)
        return y * z.unsqueeze(1)

features = 64
hidden = 48

def get_inputs():
    return [torch.randn(16, features)]

def get_init_inputs():
    return [features, hidden, 1.5]
"""

ATTENTION = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self, width, num_heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, num_heads, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]

def get_inputs():
    return [torch.rand(256, 128, 768)]

def get_init_inputs():
    return [768, 12]
"""


def _values(source, *names):
    space = namespace(source)
    return [space[name] for name in names]


def test_sites_are_the_constants_that_may_be_sizes():
    named = {(s.name, s.value, s.place) for s in size_sites(CONVOLUTION)}
    assert ("batch_size", 512, "module") in named
    assert ("height", 512, "module") in named and ("width", 256, "module") in named
    assert ("", 16, "class") in named
    assert not any(value == 1 for _, value, _ in named)
    site = next(s for s in size_sites(CONVOLUTION) if s.name == "batch_size")
    assert "batch_size = 7\n" in replaced(CONVOLUTION, {site: 7})


def test_shrinking_keeps_ratios_divisibility_and_small_numbers():
    found = shrink_here(CONVOLUTION, PATIENT)
    assert found.runs, found.why
    batch, channels, wide, height, width = _values(
        found.source, "batch_size", "channels", "wide", "height", "width"
    )
    assert 2 <= batch < 512
    assert wide == 2 * channels and height == 2 * width
    assert channels % 32 == 0 and wide % 32 == 0
    assert width >= 12, "the kernel must still fit"
    assert _values(found.source, "kernel_size", "groups") == [11, 32]
    assert _values(found.source, "bias_shape") == [(wide, 1, 1)]
    assert found.measured_s < 1.0


def test_shrinking_is_deterministic_and_goes_as_far_as_asked():
    one, other = (
        shrink_here(LINEAR.replace("64", "8192").replace("48", "4096"), SMALL) for _ in range(2)
    )
    assert one.source == other.source
    features, hidden = _values(one.source, "features", "hidden")
    assert features < 8192 and hidden >= 8
    assert one.modelled_s <= SMALL.target_s
    assert scale_of(2.0).target_s == TINY.target_s and scale_of(2.0).ceiling_s == TINY.ceiling_s


def test_shrinking_leaves_heads_and_written_numbers_consistent():
    found = shrink_here(ATTENTION, PATIENT)
    assert found.runs, found.why
    space = namespace(found.source)
    width, heads = space["get_init_inputs"]()
    assert heads == 12 and width % 12 == 0 and width < 768 or width == 768
    assert space["get_inputs"]()[0].shape[2] == width


def test_no_dimension_becomes_one():
    pooled = CONVOLUTION.replace(
        "return self", "x = nn.functional.avg_pool2d(x, 8)\n        return self"
    )
    pooled = pooled.replace("kernel_size = 11", "kernel_size = 3")
    found = shrink_here(pooled, SMALL)
    (width,) = _values(found.source, "width")
    assert (width // 8) - 2 > 1


def test_what_does_not_run_says_why():
    found = shrink_here("import torch\nimport no_such_module\n" + LINEAR, SMALL)
    assert not found.runs and "no_such_module" in found.why
    assert found.source.startswith("import torch")


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_spellings_keep_the_meaning(name):
    expected = results(LINEAR)
    fired = 0
    for seed in range(6):
        other = respelled(LINEAR, SPELLINGS[name], random.Random(seed))
        if other is None:
            continue
        fired += 1
        if name != "other dim":  # fits only where the rank is 2
            assert is_same(other, expected), other
    # Nothing to act on without the spelling that makes it.
    assert fired or name in ("operators",)


def test_perturbing_is_seeded_and_checked():
    one, other = perturb(LINEAR, 3), perturb(LINEAR, 3)
    assert one == other and one.changed and one.source != LINEAR
    assert is_same(one.source, results(LINEAR))
    assert perturb(LINEAR, 4).source != one.source
    assert "no class" not in perturb("x = ", 0).why and perturb("x = ", 0).why


def test_a_changed_meaning_is_seen():
    assert not is_same(LINEAR.replace("dim=1, keepdim", "dim=0, keepdim"), results(LINEAR))


def test_right_and_wrong_rewrites():
    right = LINEAR.replace("torch.relu(y)", "torch.clamp(y, min=0)")
    assert not check(LINEAR, right).wrong
    wrong = check(LINEAR, LINEAR.replace("+ 0.5", "+ 0.501"))
    assert wrong.wrong and not wrong.kernelbench and wrong.reference == "float64"
    hidden = LINEAR.replace("self.factor + 0.5", "self.factor + 0.5 + 0 * y / (y.min() > -9e9)")
    assert not check(LINEAR, hidden).wrong
    raises = check(LINEAR, LINEAR.replace("torch.relu(y)", "torch.no_such(y)"))
    assert raises.wrong and "no_such" in raises.where


def test_what_holds_for_fresh_weights_alone_is_wrong():
    norm = LINEAR.replace("nn.Linear(features, hidden)", "nn.LayerNorm(features)")
    without = norm.replace(
        "nn.LayerNorm(features)", "nn.LayerNorm(features, elementwise_affine=False)"
    )
    found = check(norm, without)
    assert found.kernelbench and found.wrong and found.where == "other weights"


def test_kernelbench_refuses_what_float64_takes():
    # A sum of large numbers that cancel: the order decides what is left of them.
    source = LINEAR.replace("return y * z.unsqueeze(1)", "return (1e4 * x).sum(1)")
    other = source.replace("(1e4 * x).sum(1)", "(1e4 * x).flip(1).cumsum(1)[:, -1]")
    found = check(source, other)
    assert not found.wrong and found.excess > 0


def test_degenerate_problems_are_found():
    assert degenerate(LINEAR) == ""
    constant = LINEAR.replace(
        "return y * z", "y = y - y.mean(1, keepdim=True)\n        return y * z"
    )
    assert degenerate(constant) == "constant"
    noise = LINEAR.replace(
        "return y * z.unsqueeze(1)", "return F.layer_norm(x * self.factor, (64,)).mean()"
    )
    assert degenerate(noise) == "constant but for rounding"


def test_eval_mode_as_text():
    source = in_eval_mode(LINEAR)
    space = namespace(source)
    assert space["Model"](4, 4, 1.0).training is False
    bare = "import torch\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n"
    bare += "        return x\n"
    assert namespace(in_eval_mode(bare))["Model"]().training is False


def test_interleaved_times_and_the_best_of_each():
    timed = interleaved({"a": lambda: time.sleep(0.004), "b": lambda: time.sleep(0.001)}, 0.1)
    assert len(timed["a"]) == len(timed["b"]) >= 7
    found = Timed(
        {
            "original eager": [4.0, 4.1, 4.2],
            "original inductor": [2.0, 2.1, 2.2],
            "rewritten eager": [1.0, 1.0, 1.0],
        }
    )
    assert found.best("original") == "original inductor"
    assert found.speedup().value == pytest.approx(2.1)


def _row(name, level=2, degenerate="", wrong=False, **train):
    check = {
        "kernelbench": not wrong, "excess": 0.1, "original_error": 1e-7, "rewritten_error": 0.1,
        "reference": "float64", "wrong": wrong, "where": "seed 0",
    }  # fmt: skip
    found = {"fired": True, "optimise_s": 3.0, "rules": ["r"], "check": check, **train}
    return {
        "problem": name, "level": level, "scale": "cpu", "seed": 0, "degenerate": degenerate,
        "train": found, "eval": {"same_as": "train"}, "seconds": 9.0,
    }  # fmt: skip


def test_figures():
    unchanged = {"fired": False, "speedup": 1.0, "low": 1.0, "high": 1.0, "optimise_s": 1.0}
    variant = {"spellings": ["methods"], "still_fires": True}
    made = [
        _row("level2/1", speedup=4.0, low=3.0, high=5.0, perturbed=[variant]),
        _row("level2/2", speedup=100.0, low=90.0, high=110.0, degenerate="constant", wrong=True),
        _row("level1/3", level=1, speedup=0.5, low=0.4, high=0.6),
        {**_row("level2/4"), "train": unchanged},
        {"problem": "level3/5", "level": 3, "scale": "cpu", "seed": 0, "why": "einops"},
    ]
    found = {r.name: r for r in records(made)}
    assert found["wrong"].value == 1 and "level2/2" in found["wrong"].note
    mean = math.exp(sum(map(math.log, (4, 100, 0.5, 1))) / 4)
    assert found["speedup_over_best_original"].value == pytest.approx(mean)
    assert found["speedup_without_degenerate"].value == pytest.approx(2 ** (1 / 3))
    assert found["problems_above_1_2"].value == 2 and found["slower"].value == 1
    assert found["level2_rewritten_share"].value == pytest.approx(2 / 3)
    assert found["perturbed_share_still_firing"].value == 1.0
    assert found["problems_not_run"].value == 1 and "einops" in found["problems_not_run"].note
    assert all(r.suite == "kernelbench" for r in found.values())
    assert list(records([]))


def test_rows_are_kept_and_not_made_twice(tmp_path, monkeypatch):
    def problem(number):
        return Problem(f"level2/{number}_x", 2, number, tmp_path / f"{number}_x.py")

    made = []

    def run_one(one, plan):
        made.append(one.name)
        if one.number == 3:
            raise KeyboardInterrupt
        return {**_row(one.name), "train": {"fired": False, "status": "unchanged"}}

    monkeypatch.setattr(runner, "run_one", run_one)
    file, said = tmp_path / "rows.jsonl", []
    chosen = [problem(n) for n in (1, 2, 3)]
    assert len(list(rows(chosen, Plan(), said.append, file))) == 2
    assert "interrupted" in said[-1] and len(file.read_text().splitlines()) == 2
    with file.open("a") as open_file:
        open_file.write('{"problem": "level2/3_x", "le')
    monkeypatch.setattr(runner, "run_one", lambda one, plan: _row(one.name))
    assert len(list(rows(chosen, Plan(), said.append, file))) == 3
    assert made == ["level2/1_x", "level2/2_x", "level2/3_x"]
    assert json.loads(file.read_text().splitlines()[-1])["problem"] == "level2/3_x"


def test_a_hanging_problem_is_killed(tmp_path):
    path = tmp_path / "level1" / "1_hang.py"
    path.parent.mkdir()
    path.write_text("import time\ntime.sleep(1000)\n")
    (only,) = problems(tmp_path, (1,), ("L1-1",))
    started = time.monotonic()
    row = runner.run_one(only, Plan(wall_s=2.0))
    assert "killed" in row["why"] and time.monotonic() - started < 10


def test_ctrl_c_ends_in_figures(tmp_path):
    path, begun = tmp_path / "level1" / "1_hang.py", tmp_path / "begun"
    path.parent.mkdir()
    path.write_text(f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(1000)\n")
    command = [
        sys.executable, "-m", "bench", "kernelbench", "--root", str(tmp_path), "--only", "hang",
        "--json", "-",
    ]  # fmt: skip
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, said = child.communicate(timeout=60)
    assert child.returncode == 0 and "interrupted" in said
    assert json.loads(out)[-1]["name"] == "problems_not_run"


def test_part_of_the_problems_is_not_the_suite(tmp_path):
    for number in (1, 2):
        path = tmp_path / "level2" / f"{number}_x.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(LINEAR)
    one, both = (list(records([_row(f"level2/{n}_x") for n in range(k)])) for k in (1, 2))
    given = {"root": str(tmp_path)}
    assert is_whole(given, both) and not is_whole(given, one)
    assert not is_whole({**given, "timed": False}, both)
