"""Rules act in every function of a file that the entry was seen to call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from semrep.ir.module import Module
from semrep.passes import registry
from semrep.passes.base import Refusal
from tests.passes.signature_text import parse_signature

SOURCE = """\
import torch
import torch.nn as nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(torch.relu(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x):
        return self.block(x) * 2.0 * 4.0
"""
POOL = registry.find("pool-before-clamp")
SCALES = registry.find("merge-scales")


def module(*calls: str, source: str = SOURCE) -> Module:
    """The file, its model called once and the block as said."""
    entry = parse_signature("Model.forward(x: f32[2, 3, 8, 8])")
    inner = tuple(parse_signature(call) for call in calls)
    return Module.from_text(source).with_signature(replace(entry, inner=inner))


SMALL = "Block.forward(x: f32[2, 3, 8, 8], self.pool: MaxPool2d(2))"
WIDE = "Block.forward(x: f32[2, 64, 32, 32], self.pool: MaxPool2d(2))"
PLANE = "Block.forward(x: f64[3, 8, 8], self.pool: MaxPool2d(2))"
INDICES = "Block.forward(x: f32[2, 3, 8, 8], self.pool: MaxPool2d(2, return_indices=True))"
INTEGERS = "Block.forward(x: i64[2, 3, 8, 8], self.pool: MaxPool2d(2))"


def test_a_function_that_was_not_called_has_no_sites() -> None:
    assert not list(POOL.sites(module()))


@pytest.mark.parametrize("calls", [[SMALL], [SMALL, WIDE], [PLANE, WIDE]])
def test_a_rule_acts_where_all_calls_allow_the_same(calls: list[str]) -> None:
    before = module(*calls)
    (site,) = POOL.sites(before)
    result = POOL.rewrite(before, site)
    assert not isinstance(result, Refusal), result
    assert "torch.relu(self.pool(x))" in before.apply(result).text


@pytest.mark.parametrize("other", [INTEGERS, INDICES])
@pytest.mark.parametrize("first", [True, False])
def test_one_call_that_does_not_allow_it_is_enough(other: str, first: bool) -> None:
    before = module(*((SMALL, other) if first else (other, SMALL)))
    found = [POOL.rewrite(before, site) for site in POOL.sites(before)]
    assert all(isinstance(result, Refusal) for result in found), found


def test_a_call_has_the_type_that_the_function_was_seen_to_give() -> None:
    entry = parse_signature("Model.forward(x: f32[2, 3, 8, 8])")
    block = parse_signature(SMALL)
    given = replace(block, results=(block.arguments[0][1],))
    source = SOURCE.replace("return self.block(x)", "y = block(x)\n        return y")
    source = source.replace("class Model", "def block(x):\n    return x\n\n\nclass Model")
    plain = Module.from_text(source)
    seen = plain.with_signature(replace(entry, inner=(replace(given, entry="block"),)))
    for one, fires in ((seen, True), (plain.with_signature(entry), False)):
        (site,) = SCALES.sites(one)
        assert isinstance(SCALES.rewrite(one, site), Refusal) != fires
