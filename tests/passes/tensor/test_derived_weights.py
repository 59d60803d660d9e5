"""What a model keeps of its weights stays right as they change."""

from __future__ import annotations

import copy
import pickle
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from semrep.ir.module import Module
from semrep.passes.manager import PassManager
from tests.passes.signature_text import parse_signature

SOURCE = """\
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(512, 1024)

    def forward(self, x):
        return x @ self.linear.weight.sum(0)
"""
SIGNATURE = "Model.forward(x: f32[8, 512], self.linear: Linear(512, 1024))"


@pytest.fixture(scope="module")
def subject() -> types.ModuleType:
    before = Module.from_text(SOURCE).with_signature(parse_signature(SIGNATURE))
    after = PassManager().run(before, "cache-weight-expressions").after
    assert "_derived(self, lambda: self.linear.weight.sum(0), self.linear.weight)" in after.text
    made = types.ModuleType("_derived_subject")
    sys.modules["_derived_subject"] = made
    exec(compile(after.source, "subject.py", "exec"), made.__dict__)
    return made


def is_right(model: Any, x: torch.Tensor) -> bool:
    return torch.equal(model(x), x @ model.linear.weight.sum(0))


def sums(model: Any, x: torch.Tensor) -> int:
    """How often a call computes the sum."""
    from torch.utils._python_dispatch import TorchDispatchMode

    found = []

    class Counts(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func.overloadpacket.__name__ == "sum":
                found.append(func)
            return func(*args, **(kwargs or {}))

    with Counts():  # type: ignore[no-untyped-call]
        model(x)
    return len(found)


def stepped(model: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.enable_grad():
        model(torch.ones(2, 512)).sum().backward()
    optimizer.step()


CHANGES: dict[str, Callable[[Any], Any]] = {
    "in place": lambda m: m.linear.weight.mul_(2),
    "one element": lambda m: m.linear.weight.__setitem__((0, 0), 7.0),
    "an optimizer": stepped,
    "a state": lambda m: m.load_state_dict({k: v + 1 for k, v in m.state_dict().items()}),
    "a state, assigned": lambda m: m.load_state_dict(
        {k: v + 1 for k, v in m.state_dict().items()}, assign=True
    ),
    "other data": lambda m: setattr(m.linear.weight, "data", torch.ones(1024, 512)),
    "another type": lambda m: m.double().float(),
    "another layer": lambda m: setattr(m, "linear", torch.nn.Linear(512, 1024)),
    "another parameter of that memory": lambda m: setattr(
        m.linear, "weight", torch.nn.Parameter(m.linear.weight.data[torch.randperm(1024)])
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@torch.no_grad()
def test_a_change_of_the_weights_is_seen(
    subject: types.ModuleType, change: Callable[[Any], Any]
) -> None:
    model, x = subject.Model(), torch.randn(8, 512)
    assert is_right(model, x) and is_right(model, x)
    change(model)
    assert is_right(model, x) and is_right(model, x)


def test_it_is_computed_once_without_gradients_and_anew_with_them(
    subject: types.ModuleType,
) -> None:
    model, x = subject.Model(), torch.randn(8, 512)
    assert [sums(model, x) for _ in range(2)] == [1, 1]
    with torch.no_grad():
        assert [sums(model, x) for _ in range(3)] == [1, 0, 0]
    model(x).sum().backward()
    assert model.linear.weight.grad is not None
    with torch.inference_mode():
        assert [sums(model, x) for _ in range(2)] == [1, 0]
    model.requires_grad_(False)
    x.requires_grad_(True)
    model(x).sum().backward()
    assert x.grad is not None


@torch.no_grad()
def test_copies_begin_anew(subject: types.ModuleType) -> None:
    model, x = subject.Model(), torch.randn(8, 512)
    assert is_right(model, x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.linear.weight.data.mul_(3)
        assert is_right(other, x)
    assert is_right(model, x) and model.state_dict().keys() == {"linear.weight", "linear.bias"}


@torch.no_grad()
def test_autocast_decides_about_its_own_calls(subject: types.ModuleType) -> None:
    model, x = subject.Model(), torch.randn(8, 512)
    before = model(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert is_right(model, x)
    assert torch.equal(model(x), before)


@torch.no_grad()
def test_threads_may_call_at_once(subject: types.ModuleType) -> None:
    model, x = subject.Model(), torch.randn(8, 512)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: is_right(model, x), range(64)))


@torch.no_grad()
def test_a_model_that_is_gone_leaves_nothing(subject: types.ModuleType) -> None:
    model = subject.Model()
    model(torch.ones(1, 512))
    held = len(subject._derived_values)
    del model
    assert len(subject._derived_values) == held - 1
