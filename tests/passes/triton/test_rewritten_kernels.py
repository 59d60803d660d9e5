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
