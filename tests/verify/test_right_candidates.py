"""Rewrites that keep their promise, and must be accepted."""

from __future__ import annotations

import json

import pytest

from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE, Contract
from semrep.verify import Baseline, Equivalent
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

RIGHT = [
    ("maximum", RELU, "torch.relu(x)", "torch.clamp_min(x, 0)", BITWISE),
    ("two names", RELU, "return torch.relu(x)", "y = torch.relu(x)\n    return y", BITWISE),
    ("library softmax", SOFTMAX.replace("40000", "400"),
     "z = y - y.max(dim=-1, keepdim=True).values\n    e = torch.exp(z)"
     "\n    return e / e.sum(-1, keepdim=True)", "return torch.softmax(y, -1)", WITHIN_TOLERANCE),
    ("exp2", SOFTMAX, "torch.exp(z)", "torch.exp2(z * 1.4426950408889634)", WITHIN_TOLERANCE),
    ("reciprocal", SOFTMAX, "e / e.sum(-1, keepdim=True)",
     "e * e.sum(-1, keepdim=True).reciprocal()",
     WITHIN_TOLERANCE),
    ("split sum", SUMS, "(x * y).sum(1)", "((x * y)[:, ::2].sum(1) + (x * y)[:, 1::2].sum(1))",
     REASSOCIATES),
    ("einsum", SUMS, "(x * y).sum(1)", "torch.einsum('ij,ij->i', x, y)",
     REASSOCIATES.assuming("ranks as seen")),
    ("mean as division", SUMS, "x.mean()", "x.sum() / x.numel()", REASSOCIATES),
    ("direct out", INPLACE, "out.copy_(x * 2)", "torch.mul(x, 2, out=out)", BITWISE),
    ("functional norm", MODULE, "self.norm(self.linear(x))",
     "torch.nn.functional.layer_norm(self.linear(x), self.norm.normalized_shape, "
     "self.norm.weight, self.norm.bias, self.norm.eps)", BITWISE),
    ("linear by hand", MODULE, "self.linear(x)", "(x @ self.linear.weight.T + self.linear.bias)",
     REASSOCIATES),
    ("summed weights", MODULE, "self.norm(self.linear(x))",
     "self.norm((x.unsqueeze(1) * self.linear.weight).sum(2) + self.linear.bias)", REASSOCIATES),
    ("counting", PLAIN, "found[word] = found.get(word, 0) + 1",
     "found.setdefault(word, 0)\n            found[word] += 1", BITWISE),
    ("vectorised", NUMPY, "np.sqrt(np.sum((x[i] - y[j]) ** 2))",
     "np.linalg.norm(x[i] - y[j])", WITHIN_TOLERANCE),
    ("jax: other spelling", JAX, "x @ w", "jnp.matmul(x, w)", BITWISE),
    ("jax: other order", JAX, ".sum(axis=0)", "[::-1].sum(axis=0)", REASSOCIATES),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "before", "after", "contract"), [r[1:] for r in RIGHT], ids=[r[0] for r in RIGHT]
)
def test_right_candidate_is_accepted(
    source: str, before: str, after: str, contract: Contract
) -> None:
    verdict = verifier(source).check(edited(source, (before, after)), contract)
    assert isinstance(verdict, Equivalent), str(verdict)
    json.dumps(verdict.to_json())


@pytest.mark.parametrize("source", [RELU, SUMS, MODULE, PLAIN, NUMPY, JAX])
def test_the_original_is_equivalent_to_itself_in_every_bit(source: str) -> None:
    verdict = verifier(source).check(source.encode())
    assert isinstance(verdict, Equivalent) and verdict.max_error_ratio == 0, str(verdict)


def test_confirmation_draws_other_values() -> None:
    candidate = edited(RELU, ("torch.relu(x)", "torch.clamp_min(x, 0)"))
    verdict = verifier(RELU).confirm(candidate)
    assert isinstance(verdict, Equivalent) and len(set(verdict.seeds)) == 2
    assert verdict == verifier(RELU).confirm(candidate)


def test_assumptions_lift_cases_and_say_so() -> None:
    candidate = edited(SUMS, ("x.mean()", "x.sum() / 1024"))
    verdict = verifier(SUMS).check(candidate, WITHIN_TOLERANCE.assuming("shapes as seen"))
    assert isinstance(verdict, Equivalent) and verdict.lifted[0] == "other shapes", str(verdict)


def test_baseline_says_what_ran() -> None:
    baseline = verifier(MODULE).baseline()
    assert isinstance(baseline, Baseline)
    names = {case.name for case in baseline.cases}
    assert baseline.stateful and baseline.grade == "cpu"
    assert {"example", "normal", "integers", "gradient", "nan"} <= names


def test_signature_of_a_module() -> None:
    from semrep.ir.signature import LayerType, Signature, TensorType

    signature = verifier(MODULE).signature()
    assert isinstance(signature, Signature)
    assert signature.of("x") == TensorType("float32", (8, 16), (16, 1))
    linear = signature.of("self.linear")
    assert isinstance(linear, LayerType) and linear.name == "torch.nn.modules.linear.Linear"
    assert linear.get("in_features") == 16 and linear.get("bias") is True and linear.plain
    assert signature.of("self.linear.weight") == TensorType(
        "float32", (32, 16), (16, 1), requires_grad=True
    )


def test_measure_gives_pairs() -> None:
    from semrep.runtime.measurement import Measurement

    measured = verifier(NUMPY).measure(
        edited(NUMPY, ("    return d", "    d = d.copy()\n    return d")), 0.3
    )
    assert isinstance(measured, Measurement), str(measured)
    assert measured.low <= measured.ratio <= measured.high


OBJECTS = """
import numpy as np
from dataclasses import dataclass

@dataclass
class Config:
    scale: float
    act: object

def f(x, config, words):
    words.append(len(words))
    return {"y": config.act(x) * config.scale, "words": words, "config": config.scale}

def semrep_inputs():
    return {"x": np.ones((3, 4), np.float32), "config": Config(2.0, np.tanh), "words": [1]}
"""


def test_arguments_that_are_objects_of_the_file() -> None:
    from semrep.verify import Different

    check = verifier(OBJECTS).check
    assert isinstance(check(OBJECTS.encode()), Equivalent)
    same = edited(OBJECTS, ("words.append(len(words))", "words += [len(words)]"))
    assert isinstance(check(same), Equivalent), str(check(same))
    wrong = edited(OBJECTS, ("words.append(len(words))", "words = [*words, len(words)]"))
    assert isinstance(check(wrong), Different)


HALF = """
import torch

def f(x, w):
    return torch.nn.functional.silu(x) @ w

def semrep_inputs():
    return (torch.randn(8, 64).DTYPE(), torch.randn(64, 16).DTYPE())
"""


@pytest.mark.parametrize("dtype", ["half", "bfloat16", "double"])
def test_other_precisions(dtype: str) -> None:
    from semrep.verify import Different

    source = HALF.replace("DTYPE", dtype)
    right = edited(source, ("torch.nn.functional.silu(x)", "(x * torch.sigmoid(x))"))
    verdict = verifier(source).check(right, WITHIN_TOLERANCE)
    assert isinstance(verdict, Equivalent), str(verdict)
    wrong = edited(source, ("torch.nn.functional.silu(x)", "(x * torch.sigmoid(1.2 * x))"))
    assert isinstance(verifier(source).check(wrong, WITHIN_TOLERANCE), Different)


OTHER_PRECISIONS = """
import numpy as np
import torch

def halves(x):
    w = x.to(torch.float32)
    return (w * torch.rsqrt(w.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)

def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()
"""


@pytest.mark.parametrize(
    ("entry", "inputs", "before", "after"),
    [
        ("halves", "(f16(6, 64),)", "w * torch.rsqrt(w.pow(2).mean(-1, keepdim=True) + 1e-6)",
         "w / torch.sqrt(w.pow(2).mean(-1, keepdim=True) + 1e-6)"),
        ("softmax", "(f32(50),)", "np.exp(x - x.max())",
         "np.exp2((x - x.max()) * np.float32(1.4426950408889634))"),
    ],
)  # fmt: skip
def test_a_wider_dtype_asks_for_no_more_than_the_harness(
    entry: str, inputs: str, before: str, after: str
) -> None:
    from semrep.verify import verify

    source = OTHER_PRECISIONS
    assert before in source
    verdict = verify(source, source.replace(before, after), inputs, entry=entry, strict=True)
    assert isinstance(verdict, Equivalent) and "float64" in verdict.names, str(verdict)


ATOMIC = """
import torch, triton
import triton.language as tl

@triton.jit
def kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + tl.program_id(0) * n + i, mask=i < n, other=0.0)
    tl.atomic_add(y_ptr + tl.program_id(0), tl.sum(x, 0))

def f(x):
    y = torch.zeros(x.shape[0])
    kernel[(x.shape[0], triton.cdiv(x.shape[1], 16))](x, y, x.shape[1], BLOCK=16)
    return y

def semrep_inputs():
    return (torch.randn(3, 100),)
"""


def test_atomics_in_another_order_of_programs() -> None:
    verdict = verifier(ATOMIC).check((ATOMIC + "\n# the same\n").encode())
    assert isinstance(verdict, Equivalent), str(verdict)


def test_a_result_of_one_element_with_a_wide_stride() -> None:
    source = "import torch\n\ndef f(x):\n    return x[::7]\n\n"
    source += "def semrep_inputs():\n    return (torch.rand(5, 1),)\n"
    assert isinstance(verifier(source).check(source.encode()), Equivalent)


def test_a_product_commutes_whatever_the_layout_of_its_operands() -> None:
    source = SUMS.replace("return (x * y).sum(1), x.mean()", "return x * (y + y.T.T[:1])")
    commuted = edited(source, ("x * (y + y.T.T[:1])", "(y + y.T.T[:1]) * x"))
    verdict = verifier(source).check(commuted, BITWISE.assuming("ranks"))
    assert isinstance(verdict, Equivalent), str(verdict)


def test_a_wider_dtype_is_not_judged_by_half_precision() -> None:
    from semrep.verify import Different

    source = HALF.replace("DTYPE", "half")
    narrowed = edited(source, ("silu(x) @ w", "silu(x.half().to(x.dtype)) @ w"))
    verdict = verifier(source).check(narrowed, WITHIN_TOLERANCE.assuming("ranks"))
    assert isinstance(verdict, Different) and "float" in str(verdict), str(verdict)


FRESH = """
import torch, triton
import triton.language as tl

@triton.jit
def kernel(x_ptr, w_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    for row in range(3):
        w = tl.load(w_ptr + i)
        x = tl.load(x_ptr + row * n + i)
        tl.store(y_ptr + row * n + i, x * w)

def f(x):
    y = torch.empty_like(x)
    kernel[(1,)](x, y[0], y, x.shape[1], BLOCK=16)
    return y

def semrep_inputs():
    return (torch.randn(3, 16),)
"""


def test_an_original_that_reads_what_nothing_wrote() -> None:
    from semrep.verify import Different

    load = "        w = tl.load(w_ptr + i)\n"
    loop = "    for row in range(3):\n"
    hoisted = edited(FRESH, (load, ""), (loop, "    w = tl.load(w_ptr + i)\n" + loop))
    verdict = verifier(FRESH).check(hoisted)
    assert isinstance(verdict, Different), str(verdict)
    assert isinstance(verifier(FRESH).check(FRESH.encode()), Equivalent)


_BIAS = """\
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.ConvTranspose2d(1, 4, 4, stride=2)
        self.shift = nn.Parameter(torch.randn(4, 1, 1))

    def forward(self, x):
        return torch.tanh(self.conv(x) - self.shift)

def get_inputs():
    return [torch.randn(32, 1, 32, 32)]

def get_init_inputs():
    return []
"""


def test_a_bias_adds_its_gradient_up_in_its_own_order() -> None:
    """139,392 terms of either sign: what is left of them says little about their roundings."""
    shifted = (
        "nn.functional.conv_transpose2d(x, self.conv.weight, "
        "self.conv.bias - self.shift[:, 0, 0], stride=2)"
    )
    candidate = edited(_BIAS, ("self.conv(x) - self.shift", shifted))
    verdict = verifier(_BIAS).check(candidate, REASSOCIATES)
    assert isinstance(verdict, Equivalent), str(verdict)
