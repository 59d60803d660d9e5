"""Rewritten kernels against their originals, in the interpreter, through the verifier."""

from __future__ import annotations

from pathlib import Path

import pytest

from semrep.cost import count, estimate
from semrep.ir.module import Module
from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE
from semrep.passes.manager import PassManager, Trace
from semrep.runtime import Harness, discover
from semrep.verify import Different, Equivalent, Verifier
from tests.passes import cases
from tests.passes.triton.compiling import compile_kernel

ROOT = Path(__file__).parent
HEAD = "import torch\nimport triton\nimport triton.language as tl\n\n\n"


def _case(name: str, number: int = 0) -> tuple[str, str]:
    found = [c for c in cases.read(ROOT / f"{name}.md") if "python after" in c.blocks]
    return found[number].blocks["python before"], found[number].blocks["python after"]


def _harness(source: str, entry: str, inputs: str) -> Harness:
    found = discover(source.encode(), None, entry, inputs)
    assert isinstance(found, Harness), found
    return found


def _trace(source: str, spec: str) -> Trace:
    return PassManager().run(Module.from_text(source), spec)


def test_scalar_conditions_mask_atomics_and_loads() -> None:
    source = HEAD + (
        "@triton.jit\ndef k(x_ptr, y_ptr, n, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n    chosen = (i < n) & (n > 2)\n"
        "    x = tl.load(x_ptr + i, mask=chosen, other=0.0)\n"
        "    tl.store(y_ptr + i, x, mask=chosen)\n    tl.atomic_add(y_ptr + i, x, mask=chosen)\n"
        "\n\ndef f(x):\n    y = torch.zeros_like(x)\n    k[(1,)](x, y, x.numel(), B=16)\n"
        "    return y\n"
    )
    found = count(source.encode(), _harness(source, "f", "(randn(9),)"))
    assert (found.bytes_loaded, found.bytes_stored, found.atomics) == (36, 36, 9)
    two = count(source.encode(), _harness(source, "f", "(randn(2),)"))
    assert two.bytes_asked == 0


LAUNCHED = [
    ("hoist_invariant_load", 0, "scale", "(randn(6, 20), randn(20))", BITWISE),
    ("merge_duplicate_load", 0, "f", "(randn(9),)", BITWISE),
    ("load_row_once", 0, "softmax", "[(randn(2, 50),), (randn(1, 1100),)]", BITWISE),
    ("load_row_once", 1, "center", "[(randn(2, 50),), (randn(1, 100),)]", BITWISE),
    ("fuse_online_softmax", 0, "softmax", "(randn(2, 600),)", WITHIN_TOLERANCE),
    ("accumulate_atomic", 0, "gradient", "(randn(6, 50), randn(6, 50))", REASSOCIATES),
    ("sum_before_atomic", 0, "total", "(randn(100),)", REASSOCIATES),
    ("fold_where_into_other", 0, "f", "(rand(9), rand(9))", BITWISE),
    ("use_rsqrt", 0, "f", "(randn(9),)", WITHIN_TOLERANCE),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number", "entry", "inputs", "contract"), LAUNCHED)
def test_cases_run_alike(name: str, number: int, entry: str, inputs: str, contract: object) -> None:
    before, after = _case(name, number)
    with Verifier(before.encode(), _harness(before, entry, inputs)) as verifier:
        verdict = verifier.check(after.encode(), contract)  # type: ignore[arg-type]
    assert isinstance(verdict, Equivalent), verdict


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "entry", "inputs", "least"),
    [
        ("load_row_once", "softmax", "(randn(2, 1000),)", 1.9),
        ("fuse_online_softmax", "softmax", "(randn(2, 600),)", 1.3),
        ("accumulate_atomic", "gradient", "(randn(8, 100), randn(8, 100))", 1.2),
        ("hoist_invariant_load", "scale", "(randn(8, 64), randn(64))", 1.3),
    ],
)
def test_traffic_falls(name: str, entry: str, inputs: str, least: float) -> None:
    before, after = _case(name)
    found = estimate(before.encode(), after.encode(), _harness(before, entry, inputs))
    assert found.original.bytes_asked >= least * found.candidate.bytes_asked, found


# Rows that begin with, or are, minus infinities: the blocks are 256 wide.
EMPTY = (
    "[(torch.cat([torch.full((2, 256), -float('inf')), randn(2, 300)], 1),),"
    " (torch.full((1, 300), -float('inf')),)]"
)


@pytest.mark.slow
def test_blocks_without_a_finite_value() -> None:
    before, after = _case("fuse_online_softmax")
    unguarded = after.replace('tl.where(new_m == float("-inf"), 0.0, new_m)', "new_m")
    assert unguarded != after
    with Verifier(before.encode(), _harness(before, "softmax", EMPTY)) as verifier:
        assert isinstance(verifier.check(after.encode(), WITHIN_TOLERANCE), Equivalent)
        assert isinstance(verifier.check(unguarded.encode(), WITHIN_TOLERANCE), Different)


@pytest.mark.slow
def test_an_output_that_is_the_weight() -> None:
    """What `aliased-store` refuses would go wrong."""
    before, after = _case("hoist_invariant_load")
    launch = "    y = torch.empty_like(x)\n"
    # The caller's last row is the weight, and it is written on the way.
    own = "    y = x.clone()\n    w = y[1]\n"
    aliased, wrong = before.replace(launch, own), after.replace(launch, own)
    assert not _trace(aliased, "hoist-invariant-load").changed
    harness = _harness(aliased, "scale", "(randn(4, 20), randn(20))")
    with Verifier(aliased.encode(), harness) as verifier:
        assert isinstance(verifier.check(wrong.encode(), BITWISE), Different)


@pytest.mark.slow
def test_rows_that_do_not_fit_a_block() -> None:
    """Without its guard the fast path would drop what lies behind the first block."""
    before, after = _case("load_row_once")
    wrong = after.replace("(n > 0) & (n <= BLOCK)", "n > 0")
    assert wrong != after
    with Verifier(before.encode(), _harness(before, "softmax", "(randn(1, 1100),)")) as verifier:
        assert isinstance(verifier.check(wrong.encode(), BITWISE), Different)


COMPILED = [
    ("hoist_invariant_load", 0, "scale_rows", "*fp32 *fp32 *fp32 i32 i32 i32 constexpr constexpr",
     {"ROWS": 4, "BLOCK": 128}),
    ("load_row_once", 0, "softmax_kernel", "*fp16 *fp16 i32 i32 constexpr", {"BLOCK": 128}),
    ("load_row_once", 1, "center_kernel", "*fp16 *fp32 i32 constexpr", {"BLOCK": 128}),
    ("fuse_row_loops", 0, "moments", "*fp16 *fp32 i32 constexpr", {"BLOCK": 128}),
    ("fuse_online_softmax", 0, "softmax_kernel", "*fp16 *fp32 i32 i32 constexpr", {"BLOCK": 128}),
    ("fuse_online_softmax", 1, "log_sum_exp", "*fp32 *fp32 i32 constexpr", {"BLOCK": 128}),
    ("accumulate_atomic", 0, "weight_gradient", "*fp16 *fp16 *fp32 i32 i32 constexpr constexpr",
     {"ROWS": 4, "BLOCK": 128}),
    ("sum_before_atomic", 0, "total_kernel", "*fp16 *fp32 i32 constexpr", {"BLOCK": 128}),
    ("sum_before_atomic", 1, "total_kernel", "*fp16 *fp16 constexpr", {"BLOCK": 128}),
    ("fold_where_into_other", 0, "sums", "*fp16 *fp32 *fp32 i32 constexpr", {"BLOCK": 128}),
    ("use_rsqrt", 0, "norms", "*fp32 *fp32 i32 constexpr", {"BLOCK": 128}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number", "kernel", "signature", "constexprs"), COMPILED)
def test_rewritten_kernels_compile(
    tmp_path: Path, name: str, number: int, kernel: str, signature: str, constexprs: dict[str, int]
) -> None:
    _, after = _case(name, number)
    assert not compile_kernel(tmp_path, after, kernel, signature.split(), constexprs)
