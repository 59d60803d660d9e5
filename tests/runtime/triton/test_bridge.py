"""Each repair of the interpreter, against torch."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from semrep.runtime import Harness, Limits, discover
from semrep.runtime.session import Session
from semrep.runtime.values import ArrayValue, leaves
from semrep.runtime.worker import Done

HEAD = """
import torch, triton
import triton.language as tl
from triton.language.extra import libdevice
from triton.language.extra.libdevice import rsqrt, tanh
"""


def run(body: str, inputs: str) -> list[ArrayValue]:
    """Results of launching `body`'s `f`, through the worker."""
    source = (HEAD + textwrap.dedent(body)).encode()
    harness = discover(source, None, "f", inputs)
    assert isinstance(harness, Harness), str(harness)
    with Session(source, harness, limits=Limits(wall_s=60)) as session:
        done = session.run("tests.runtime.jobs:call", source, harness)
    assert isinstance(done, Done), done
    assert isinstance(done.value, dict) is False, done.value
    return [leaf for _, leaf in leaves(done.value)]


def close(results: list[ArrayValue], tolerance: float = 2e-6) -> bool:
    import numpy as np

    got, want = (r.numpy().astype(np.float64) for r in results)
    return got.shape == want.shape and bool(np.allclose(got, want, tolerance, tolerance))


ELEMENTWISE = """
@triton.autotune([triton.Config({'B': 16}), triton.Config({'B': 32})], key=['n'])
@triton.jit
def kernel(x, y, n, eps, B: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * B + tl.arange(0, B)
    v = tl.load(x + i, mask=i < n)
    for k in range(2):
        v = v + k.to(v.dtype)
    r = EXPRESSION
    tl.store(y + i, r.to(v.dtype), mask=i < n)

def f(x):
    y = torch.empty_like(x)
    n = x.numel()
    properties = torch.cuda.get_device_properties(0).multi_processor_count
    assert properties > 0 and torch.cuda.get_device_capability()[0] >= 8
    kernel[lambda meta: (triton.cdiv(n, meta['B']),)](x, y, n, 1e-5)
    x = x + 1
    return y, WANT
"""


def elementwise(expression: str, want: str, inputs: str = "(rand(77),)") -> list[ArrayValue]:
    return run(ELEMENTWISE.replace("EXPRESSION", expression).replace("WANT", want), inputs)


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        ("v * eps.to(tl.float32) + eps", "x * 1e-5 + 1e-5"),
        ("rsqrt(v) + tanh(v) + libdevice.pow(v, 2.0) + libdevice.erf(v)",
         "x.rsqrt() + x.tanh() + x * x + x.erf()"),
        ("tl.sigmoid(v) + tl.exp2(v) + tl.math.rsqrt(v)",
         "x.sigmoid() + torch.exp2(x) + x.rsqrt()"),
    ],
)  # fmt: skip
def test_scalars_libdevice_autotune_and_device(expression: str, want: str) -> None:
    assert close(elementwise(expression, want))


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        ("v + v * v - v / (v + v)", "x + x * x - x / (x + x)"),
        ("tl.maximum(v, 1.2) * tl.exp(v.to(tl.float32)).to(v.dtype)",
         "torch.clamp_min(x, 1.2) * torch.exp(x.float()).bfloat16()"),
        ("tl.where(v > 1.5, v, -v)", "torch.where(x > 1.5, x, -x)"),
        ("v - tl.sum(v, 0) * 0", "x"),
    ],
)  # fmt: skip
def test_bfloat16_arithmetic_equals_torch(expression: str, want: str) -> None:
    results = elementwise(expression, want, "(torch.rand(64).bfloat16(),)")
    assert results[0].dtype == "bfloat16"
    assert close(results, 0.0)


def test_access_outside_the_arguments_is_refused_before_it_happens() -> None:
    from semrep.verify import Different, Verifier

    body = """
    @triton.jit
    def kernel(x, y, n, B: tl.constexpr):
        i = tl.arange(0, B)
        tl.store(y + i, tl.load(x + i, mask=i < n), mask=i < n)

    def f(x):
        y = torch.zeros_like(x)
        kernel[(1,)](x, y, x.numel(), 64)
        return y
    """
    source = (HEAD + textwrap.dedent(body)).encode()
    harness = discover(source, None, "f", "(randn(60),)")
    assert isinstance(harness, Harness)
    with Verifier(source, harness) as verifier:
        verdict = verifier.check(source.replace(b", mask=i < n)\n", b")\n"))
        assert isinstance(verdict, Different) and "OutOfBounds" in str(verdict)


LIGER = [
    ("rms_norm", "LigerRMSNormFunction.apply", "(randn(4,48), randn(48), 1e-6)"),
    ("softmax", "LigerSoftmaxFunction.apply", "(randn(4,50),)"),
    ("swiglu", "LigerSiLUMulFunction.apply", "(randn(4,32), randn(4,32))"),
    ("geglu", "LigerGELUMulFunction.apply", "(randn(4,32), randn(4,32))"),
    ("layer_norm", "LigerLayerNormFunction.apply", "(randn(4,32), randn(32), randn(32), 1e-5)"),
    ("cross_entropy", "LigerCrossEntropyFunction.apply",
     "(randn(4,32), ints(0,32,4), None, -100)"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "entry", "inputs"), LIGER, ids=[name for name, *_ in LIGER])
def test_unmodified_liger_kernels_run_forward_and_backward(
    name: str, entry: str, inputs: str
) -> None:
    import importlib.util

    from semrep.verify import Baseline, Equivalent, Verifier

    spec = importlib.util.find_spec("liger_kernel")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("liger_kernel is not installed")
    path = Path(spec.submodule_search_locations[0]) / "ops" / f"{name}.py"
    source = path.read_bytes()
    harness = discover(source, str(path), entry, inputs)
    assert isinstance(harness, Harness), str(harness)
    with Verifier(source, harness) as verifier:
        baseline = verifier.baseline()
        assert isinstance(baseline, Baseline), str(baseline)
        assert baseline.grade == "interpreter"
        assert "gradient" in {case.name for case in baseline.cases}
        assert isinstance(verifier.check(source), Equivalent)
