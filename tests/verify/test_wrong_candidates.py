"""Candidates that are wrong in one way each, and must be told apart."""

from __future__ import annotations

import pytest

from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE, Contract
from semrep.verify import Different, Equivalent, Harness, Inconclusive, Verifier, discover
from tests.verify.subjects import (
    INPLACE,
    JAX,
    MODULE,
    NUMPY,
    PLAIN,
    RELU,
    SOFTMAX,
    SUMS,
    edited,
    verifier,
)

HALF = """
import torch

def norm(x, weight):
    scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)
    return (x.float() * scale).half() * weight

def semrep_inputs():
    return [(torch.randn(6, 64).half(), torch.randn(64).half())]
"""
WRONG = [
    ("identity as relu", RELU, "torch.relu(x)", "x.clone()", BITWISE),
    ("identity as relu, loosely", RELU, "torch.relu(x)", "x * 1", WITHIN_TOLERANCE),
    ("abs as relu", RELU, "torch.relu(x)", "x.abs()", WITHIN_TOLERANCE),
    ("NaN dropped", RELU, "torch.relu(x)", "torch.where(x > 0, x, 0 * x.nan_to_num())",
     WITHIN_TOLERANCE),
    ("in place on the argument", RELU, "torch.relu(x)", "x.clamp_(min=0).clone()", BITWISE),
    ("argument returned", RELU, "torch.relu(x)", "x.relu_()", BITWISE),
    ("argument destroyed", RELU, "torch.relu(x)",
     "(torch.relu(x), x.fill_(float('nan')))[0]", BITWISE),
    ("wrong dtype", RELU, "torch.relu(x)", "torch.relu(x).double()", WITHIN_TOLERANCE),
    ("another shape", RELU, "torch.relu(x)", "torch.relu(x)[:1]", WITHIN_TOLERANCE),
    ("another container", RELU, "torch.relu(x)", "(torch.relu(x),)", BITWISE),
    ("not differentiable", RELU, "torch.relu(x)", "torch.relu(x.detach())", BITWISE),
    ("random numbers used up", RELU, "torch.relu(x)", "torch.relu(x + 0 * torch.rand(1))",
     WITHIN_TOLERANCE),
    ("prints", RELU, "return torch.relu(x)", "print('hi'); return torch.relu(x)", BITWISE),
    ("remembers", RELU, "def f(x):\n    return torch.relu(x)",
     "seen = {}\ndef f(x):\n    seen.setdefault(tuple(x.shape), torch.relu(x))\n"
     "    return seen[tuple(x.shape)].clone()", BITWISE),
    ("zeros as softmax", SOFTMAX, "e / e.sum(-1, keepdim=True)", "e * 0 + 0 * w.sum()",
     WITHIN_TOLERANCE),
    ("constant as softmax", SOFTMAX, "e / e.sum(-1, keepdim=True)", "e * 0 + 2.5e-5",
     WITHIN_TOLERANCE),
    ("no maximum subtracted", SOFTMAX, "y - y.max(dim=-1, keepdim=True).values", "y + 0 * y",
     WITHIN_TOLERANCE),
    ("one element wrong", SUMS, "return (x * y).sum(1), x.mean()",
     "s = (x * y).sum(1); s = s + 1e-5 * (torch.arange(len(s)) == 3); return s, x.mean()",
     REASSOCIATES),
    ("dropped term", SUMS, "(x * y).sum(1)", "(x * y)[:, 1:].sum(1)", REASSOCIATES),
    ("doubled term", SUMS, "(x * y).sum(1)", "((x * y).sum(1) + 1e-6 * x[:, 0])", REASSOCIATES),
    ("reassociated, not bitwise", SUMS, "(x * y).sum(1)",
     "((x * y)[:, ::2].sum(1) + (x * y)[:, 1::2].sum(1))", BITWISE),
    ("broadcast", SUMS, "(x * y).sum(1)", "(x * y).sum(1)[:1]", WITHIN_TOLERANCE),
    ("rounded through half", SUMS, "(x * y).sum(1)", "(x * y).sum(1).half().float()",
     WITHIN_TOLERANCE),
    ("specialised on the example's shape", SUMS, "x.mean()", "x.sum() / 1024", WITHIN_TOLERANCE),
    ("result elsewhere", INPLACE, "return out", "return out.clone()", BITWISE),
    ("argument left alone", INPLACE, "out.copy_(x * 2)\n    return out",
     "return x * 2", BITWISE),
    ("gamma forgotten", MODULE, "self.norm(self.linear(x))",
     "torch.nn.functional.layer_norm(self.linear(x), self.norm.normalized_shape) "
     "+ 0 * self.norm.weight.sum()", WITHIN_TOLERANCE),
    ("dropout left out", MODULE, "x = self.drop(x)", "pass", WITHIN_TOLERANCE),
    ("running statistics left alone", MODULE, "self.batch(x)",
     "torch.nn.functional.batch_norm(x, None, None, self.batch.weight, self.batch.bias, True)",
     WITHIN_TOLERANCE),
    ("parameter added", MODULE, "self.drop = nn.Dropout(0.25)",
     "self.drop = nn.Dropout(0.25); self.extra = nn.Parameter(torch.zeros(1))", BITWISE),
    ("other class of error", PLAIN, 'raise KeyError("none")', 'raise ValueError("none")', BITWISE),
    ("no error", PLAIN, 'raise KeyError("none")', "return found", BITWISE),
    ("other order of keys", PLAIN, "return found", "return dict(sorted(found.items())[::-1])",
     BITWISE),
    ("argument changed", PLAIN, "return found", "words.sort(); return found", BITWISE),
    ("int became bool", PLAIN, "+ 1\n", "+ 1\n            found[word] = True\n", BITWISE),
    ("no square root", NUMPY, "np.sqrt(np.sum((x[i] - y[j]) ** 2))",
     "np.sum((x[i] - y[j]) ** 2)", WITHIN_TOLERANCE),
    ("cancellation", NUMPY, "np.sum((x[i] - y[j]) ** 2)",
     "max(0.0, float(x[i] @ x[i] - 2 * x[i] @ y[j] + y[j] @ y[j]))", WITHIN_TOLERANCE),
    ("jax: dropped term", JAX, ".sum(axis=0)", "[1:].sum(axis=0)", REASSOCIATES),
    ("squares in half precision", HALF, "x.float().pow(2)", "x.pow(2)", WITHIN_TOLERANCE),
    ("wrong where no gradients are recorded", MODULE, "self.norm(self.linear(x))",
     "self.norm(self.linear(x)) * (1.0 if torch.is_grad_enabled() else 1.001)", WITHIN_TOLERANCE),
    ("weights of an earlier call, without gradients", MODULE, "self.norm(self.linear(x))",
     "self.norm(nn.functional.linear(x, self.linear.weight if torch.is_grad_enabled() else "
     "self.__dict__.setdefault('kept', self.linear.weight.detach().clone()), self.linear.bias))",
     BITWISE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "before", "after", "contract"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
def test_wrong_candidate_is_told_apart(
    source: str, before: str, after: str, contract: Contract
) -> None:
    verdict = verifier(source).check(edited(source, (before, after)), contract)
    assert isinstance(verdict, Different), str(verdict)
    assert verdict.reason


HOSTILE = [
    ("spins", "while True: pass", "within"),
    ("ignores signals", "import signal; [signal.signal(s, 1) for s in (1, 2, 15)]\n"
     "    while True: pass", "within"),
    ("segfaults", "import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    ("leaves early", "import os; os._exit(0)", "exited"),
    ("eats memory", "k = bytearray(1 << 40)", "Memory"),
    ("raises", "raise SystemError('no')", "SystemError"),
    ("patches the comparator",
     "import torch, numpy; torch.allclose = torch.equal = numpy.array_equal = "
     "lambda *a, **k: True; return x", "differs|memory"),
    ("recurses", "return f(x)", "Recursion"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_hostile_candidate_is_contained(body: str, reason: str) -> None:
    import re

    text = edited(RELU, ("    return torch.relu(x)", f"    {body}\n    return torch.relu(x)"))
    verdict = verifier(RELU, 3.0).check(text)
    assert isinstance(verdict, Different), str(verdict)
    assert re.search(reason, str(verdict), re.IGNORECASE), str(verdict)


def test_an_import_that_fails_or_exits() -> None:
    for line in ("import nothing_of_this_name", "import sys; sys.exit(0)", "x = ("):
        verdict = verifier(RELU).check(line.encode() + RELU.encode())
        assert isinstance(verdict, Different), str(verdict)


def test_original_that_disagrees_with_itself_is_no_baseline() -> None:
    source = RELU.replace("torch.relu(x)", "torch.relu(x) + __import__('time').time() % 1")
    assert isinstance(verifier(source).check(source.encode()), Inconclusive)


def test_original_that_fails_is_no_baseline() -> None:
    source = RELU.replace("torch.relu(x)", "torch.relu(x, 1, 2)")
    verdict = verifier(source).check(source.encode())
    assert isinstance(verdict, Inconclusive) and "TypeError" in str(verdict)


def test_an_edit_that_never_ran_is_not_verified() -> None:
    source = RELU.replace(
        "    return torch", "    if x.dim() == 7:\n        return x\n    return torch"
    )
    verdict = verifier(source).check(edited(source, ("        return x\n", "        return -x\n")))
    assert isinstance(verdict, Inconclusive) and "never executes" in str(verdict)


def test_a_verdict_is_not_a_truth_value() -> None:
    with pytest.raises(TypeError):
        bool(verifier(RELU).check(RELU.encode()))


ONE_LINERS = """
def twice(x): return x + x

def never(x): return x

pick = {"a": lambda x: twice(x), "b": lambda x: never(x)}

def f(x):
    return pick["a"](x)

semrep_entry = "f"

def semrep_inputs():
    return (3,)

if __name__ == "__main__":
    print(f(4))
"""


@pytest.mark.parametrize(
    ("before", "after", "reached"),
    [
        ("return x + x", "return 2 * x", True),
        ("def never(x): return x", "def never(x): return +x", False),
        ('"b": lambda x: never(x)}', '\n    "b": lambda x: never(+x)}', False),
        ("print(f(4))", "print(f(5))", False),
    ],
)
def test_code_on_the_line_of_its_function_counts_when_called(
    before: str, after: str, reached: bool
) -> None:
    from semrep.verify import Equivalent

    verdict = verifier(ONE_LINERS).check(edited(ONE_LINERS, (before, after)))
    assert isinstance(verdict, Equivalent if reached else Inconclusive), str(verdict)
    assert isinstance(verdict, Equivalent) or verdict.unexecuted


def test_each_example_of_a_slow_original_is_traced() -> None:
    source = b"""
import time

def f(x):
    if x == 1:
        time.sleep(0.6)
        return x
    return x + 1

def semrep_inputs():
    return [(1,), (2,)]
"""
    harness = discover(source)
    assert isinstance(harness, Harness)
    candidate = source.replace(b"return x + 1", b"return 1 + x")
    with Verifier(source, harness) as one:
        assert isinstance(one.check(candidate), Equivalent)
