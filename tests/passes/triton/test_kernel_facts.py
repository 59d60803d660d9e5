"""What is known of kernels before any pass acts: effects and aliases."""

from __future__ import annotations

import pytest

from semrep.ir.effects import NONE, facts
from semrep.ir.module import Module
from semrep.passes.triton.aliasing import launches, may_alias
from semrep.passes.triton.kernels import accesses

HEAD = "import torch\nimport triton\nimport triton.language as tl\n\n\n"
KERNEL = """@triton.jit
def kernel(a_ptr, b_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK) * n
    a_row = a_ptr + tl.program_id(0) * n
    a = tl.load(a_row + i)
    tl.store(b_ptr + i, a)


"""


def _alias(launcher: str, kernel: str = KERNEL) -> str | None:
    module = Module.from_text(HEAD + kernel + launcher)
    unit = module.units[3].unit
    definition = unit.definition
    assert definition is not None
    found = facts(module, unit, definition)
    *_, load, store = accesses(module, unit, definition, "load", "store")
    return may_alias(module, found, load.pointer, store.pointer)


def test_python_functions_that_triton_knows_only_compute() -> None:
    module = Module.from_text(
        HEAD + "@triton.jit\ndef k(n, B: tl.constexpr):\n"
        "    m = float('-inf')\n"
        "    for i in range(min(n, 3), max(n, 4), B):\n        m, j = i, abs(m)\n"
    )
    unit = module.units[-1].unit
    definition = unit.definition
    assert definition is not None
    found = facts(module, unit, definition)
    assert all(found.effects(s) is NONE for s in definition["body"].operands)


@pytest.mark.parametrize(
    "launcher",
    [
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](x, y, 4, BLOCK=4)\n"
        "    return y\n",
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](y, x, 4, BLOCK=4)\n",
        "def f(x, go):\n    y = torch.zeros(x.shape) if go else None\n"
        "    kernel[(1,)](x, y, y.stride(0), BLOCK=4)\n    return y.view(-1)\n",
        "def f(x):\n    for _ in range(2):\n        y = torch.empty_like(x)\n"
        "        kernel[(1,)](a_ptr=x, b_ptr=y, n=4, BLOCK=4, num_warps=2)\n        print(y)\n",
        "def f(x, **more):\n    y, z = None, None\n    y = torch.empty(4)\n"
        "    z = torch.empty_like(y)\n"
        "    kernel[(1,)](z, y, 4, BLOCK=4, **more)\n    kernel[(1,)](x, z, 4, BLOCK=4)\n",
    ],
)  # fmt: skip
def test_new_tensors_alias_nothing(launcher: str) -> None:
    assert _alias(launcher) is None


@pytest.mark.parametrize(
    "launcher",
    [
        "",
        "def f(x, y):\n    kernel[(1,)](x, y, 4, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](y, y, 4, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](y.view(-1), y, 4, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x)\n    z = y.view(-1)\n"
        "    kernel[(1,)](z, y, 4, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x, out=x)\n    kernel[(1,)](x, y, 4, BLOCK=4)\n",
        "def f(x):\n    y = x\n    kernel[(1,)](x, y, 4, BLOCK=4)\n",
        "def f(x, c):\n    y = torch.empty_like(x) if c else x\n"
        "    kernel[(1,)](x, y, 4, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x)\n    x = keep(y)\n"
        "    kernel[(1,)](x, y, 4, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](x, y, 4, BLOCK=4)\n\n\n"
        "def g(x):\n    kernel[(1,)](x, x, 4, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](x, y, 4, BLOCK=4)\n\n\n"
        "launch = kernel\n",
        "def f(x):\n    y = torch.empty_like(x)\n    for _ in range(2):\n"
        "        kernel[(1,)](x, y, 4, BLOCK=4)\n        x = y\n",
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](*x, b_ptr=y, BLOCK=4)\n",
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](x, y, 4, BLOCK=4)\n\n\n"
        "def g(x, **more):\n    kernel[(1,)](x, **more)\n",
    ],
)  # fmt: skip
def test_everything_else_may(launcher: str) -> None:
    assert _alias(launcher) is not None


@pytest.mark.parametrize(
    "change",
    [
        ("a_ptr + tl.program_id(0) * n", "b_ptr + tl.program_id(0) * n"),
        ("a_ptr + tl.program_id(0) * n", "tl.where(n > 1, a_ptr, b_ptr)"),
        ("a_ptr + tl.program_id(0) * n", "tl.load(a_ptr).to(tl.pointer_type(tl.float32))"),
        ("a_ptr + tl.program_id(0) * n", "choose(a_ptr, b_ptr)"),
        ("@triton.jit", "@wrapped\n@triton.jit"),
    ],
)
def test_pointers_of_unknown_origin_may_alias(change: tuple[str, str]) -> None:
    launcher = (
        "def f(x):\n    y = torch.empty_like(x)\n    kernel[(1,)](x, y, 4, BLOCK=4)\n    return y\n"
    )
    assert _alias(launcher) is None
    assert _alias(launcher, KERNEL.replace(*change)) is not None


def test_launches_are_read_by_parameter() -> None:
    module = Module.from_text(HEAD + KERNEL + "kernel[(1,)](1, n=2, b_ptr=3, num_warps=8)\n")
    found = launches(module, module.units[3].unit)
    assert found is not None
    assert {k: v.text for k, v in found[0].given.items()} == {
        "a_ptr": "1", "n": "2", "b_ptr": "3", "num_warps": "8",
    }  # fmt: skip
