"""What an original accepts is found by trying it."""

from __future__ import annotations

import numpy as np
import pytest

from semrep.passes.contract import WITHIN_TOLERANCE
from semrep.runtime.specs import Arguments
from semrep.verify import Baseline, Different, Equivalent, Harness, discover, learning
from semrep.verify.cases import Domain
from tests.verify.subjects import SUMS, edited, verifier


def domain(source: str) -> Domain:
    baseline = verifier(source).baseline()
    assert isinstance(baseline, Baseline), str(baseline)
    return baseline.domain


def names(found: Domain) -> set[str]:
    return {case.name for case in found.accepted}


SQUARE = """
import torch

def f(x, w):
    return x @ w

def semrep_inputs():
    return (torch.randn(8, 8), torch.randn(8, 8))
"""

PICKY = """
import torch

def f(x):
    if x.dim() != 2:
        raise ValueError("two dimensions")
    assert x.dtype == torch.float32
    return x.sum(1)

def semrep_inputs():
    return (torch.randn(4, 6),)
"""

FLAT = """
import torch

def f(x):
    # Reads memory in order, whatever the strides say.
    flat = torch.as_strided(x, (x.numel(),), (1,))
    return flat * 2

def semrep_inputs():
    return (torch.randn(4, 6),)
"""


def test_equal_sizes_are_told_apart_where_they_may_differ() -> None:
    parts = {frozenset(axes) for _, axes in domain(SQUARE).symbols}
    assert parts == {frozenset({"[0][0].0"}), frozenset({"[0][0].1", "[0][1].0"}),
                     frozenset({"[0][1].1"})}  # fmt: skip


def test_a_mixed_up_dimension_shows_on_a_square_example() -> None:
    candidate = edited(SQUARE, ("x @ w", "(x @ w)[:, : x.shape[0]]"))
    verdict = verifier(SQUARE).check(candidate, WITHIN_TOLERANCE.assuming("ranks"))
    assert isinstance(verdict, Different), str(verdict)


def test_sizes_dtypes_layouts_and_ranks_of_a_tolerant_original() -> None:
    found = names(domain(SUMS))
    assert {"primes", "16 → 1", "64 → 0", "float16", "float64", "transposed"} <= found
    assert {"expanded", "offset", "a dimension more", "one array twice"} <= found


def test_what_the_original_refuses_is_asked_only_where_it_says_so_itself() -> None:
    found = domain(PICKY)
    assert not {"float64", "a dimension more"} & names(found)
    rejected = {case.name for case in found.rejected}
    assert {"a dimension more", "float16"} <= rejected
    lax = edited(PICKY, ("    assert x.dtype == torch.float32\n", ""))
    assert isinstance(verifier(PICKY).check(lax), Different)


def test_a_layout_that_changes_the_result_is_not_accepted() -> None:
    found = names(domain(FLAT))
    assert "offset" in found or "a dimension more" in found
    assert not {"strided", "transposed", "expanded"} & found


def test_sizes_around_the_numbers_of_the_candidate() -> None:
    # Wrong only beyond 300 columns: a size that nothing but the candidate's text suggests.
    candidate = edited(SUMS, ("(x * y).sum(1)", "(x * y)[:, :300].sum(1)"))
    verdict = verifier(SUMS).check(candidate, WITHIN_TOLERANCE.assuming("ranks"))
    assert isinstance(verdict, Different) and "301" in str(verdict), str(verdict)


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ("out = torch.empty_like(x)\n    out[...] = x\n    return out * 2", True),
        ("out = torch.empty_like(x)\n    out[:-1] = 2 * x[:-1]\n    return out", False),
        ("out = torch.empty(x.shape, dtype=x.dtype)\n    out += x * 2\n    return out", False),
    ],
)
def test_fresh_memory(body: str, right: bool) -> None:
    source = "import torch\n\ndef f(x):\n    return x * 2\n\ndef semrep_inputs():\n"
    source += "    return (torch.rand(8, 33),)\n"
    candidate = edited(source, ("return x * 2", body))
    verdict = verifier(source).check(candidate, WITHIN_TOLERANCE.assuming("shapes", "gradients"))
    assert isinstance(verdict, Equivalent if right else Different), str(verdict)


@pytest.mark.parametrize("step", [-4, 4])
def test_writing_beside_an_argument(step: int) -> None:
    # Four bytes past either end are memory of somebody else.
    source = "import ctypes\nimport torch\n\ndef f(x):\n    return x * 2\n\n"
    source += "def semrep_inputs():\n    return (torch.rand(8, 33),)\n"
    place = f"x.data_ptr() + {step if step < 0 else 'x.numel() * 4'}"
    wrong = f"ctypes.memset({place}, 0, 1)\n    return x * 2"
    verdict = verifier(source).check(edited(source, ("return x * 2", wrong)))
    assert isinstance(verdict, Different), str(verdict)


def test_a_second_call_on_the_same_memory() -> None:
    remembering = (
        "seen = {}\n\ndef f(x, y):\n"
        "    key = (x.data_ptr(), tuple(x.shape))\n"
        "    if key not in seen:\n"
        "        seen[key] = (x * y).sum(1), x.mean()\n"
        "    return seen[key]\n"
    )
    candidate = edited(SUMS, ("def f(x, y):\n    return (x * y).sum(1), x.mean()\n", remembering))
    assert isinstance(verifier(SUMS).check(candidate, WITHIN_TOLERANCE), Different)


def test_a_float64_original_has_an_error_budget() -> None:
    source = SUMS.replace("64)", "64, dtype=torch.float64)")
    split = edited(source, ("(x * y).sum(1)", "(x * y)[:, ::2].sum(1) + (x * y)[:, 1::2].sum(1)"))
    lax = WITHIN_TOLERANCE.assuming("ranks")
    verdict = verifier(source).check(split, lax)
    assert isinstance(verdict, Equivalent), str(verdict)
    wrong = edited(source, ("(x * y).sum(1)", "(x * y).sum(1) * (1 + 1e-13)"))
    assert isinstance(verifier(source).check(wrong, lax), Different)


def test_a_size_shared_by_two_arguments_that_is_written_out() -> None:
    source = """
import numpy as np

def f(x, w):
    return np.einsum("bcn,oc->bon", x, w)

def semrep_inputs():
    return (np.ones((2, 3, 20)), np.ones((4, 3)))
"""
    candidate = edited(source, ('"bcn,oc->bon", x, w', '"bcn,oc->bon", x[:, :3], w[:, :3]'))
    assert isinstance(verifier(source).check(candidate), Different)


def test_labels_with_a_gap_stay_labels() -> None:
    source = """
import torch

def f(x, labels):
    kept = labels != -100
    picked = x.log_softmax(-1).gather(1, labels.clamp(min=0)[:, None])[:, 0]
    return -(picked * kept).sum() / kept.sum().clamp(min=1)

def semrep_inputs():
    return (torch.randn(7, 20), torch.tensor([3, -100, 5, 19, -100, 0, 11]))
"""
    candidate = edited(source, ("clamp(min=1)", "clamp(min=2)"))
    verdict = verifier(source).check(candidate, WITHIN_TOLERANCE.assuming("ranks"))
    assert isinstance(verdict, Different), str(verdict)


PLAIN_ARGUMENTS = """
def f(rows, limit):
    if not rows:
        found = 1
    elif limit > 2:
        found = 2
    return found

semrep_inputs = lambda: [([1, 2], 3)]
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [("found = 1", "found = 2"), ("elif limit > 2:", "else:"), ("limit > 2", "limit >= 2")],
)
def test_plain_arguments_take_other_values(before: str, after: str) -> None:
    source = PLAIN_ARGUMENTS.replace("semrep_inputs = lambda:", "def semrep_inputs(): return")
    verdict = verifier(source).check(edited(source, (before, after)))
    assert isinstance(verdict, Different), str(verdict)


def test_plain_arguments_change_together() -> None:
    source = """
def f(a, b, c):
    if not (a and b) and not (a == 1 or not c):
        return 1 if not (a or b or c) else 2
    return 7

def semrep_inputs(): return [(3, 1, 2)]
"""
    verdict = verifier(source).check(edited(source, ("not (a and b)", "not (a and a)")))
    assert isinstance(verdict, Different), str(verdict)


def test_calls_that_are_too_slow_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SLOWEST_S", 0.0)
    monkeypatch.setattr(learning, "_SLOWEST_CALLS", 0)
    harness = discover(b"import numpy as np\ndef f(x):\n    return x.sum(axis=1)\n", entry="f",
                       inputs="(np.ones((4, 33)),)")  # fmt: skip
    assert isinstance(harness, Harness)
    arguments = Arguments((np.ones((4, 33)),))
    learner = learning.Learner(
        lambda x: x.sum(axis=1), arguments, None, {}, harness, "quick", 0, ()
    )
    found = learner.learn()
    assert found["tried"] > 10 and not any(case.get("shapes") for case in found["accepted"])
