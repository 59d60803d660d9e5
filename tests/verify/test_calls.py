"""Which functions a call runs, and on what."""

from __future__ import annotations

import pickle
from collections import Counter

from semrep.ir.signature import LayerType, Signature, TensorType
from tests.verify.subjects import verifier

SOURCE = """\
import torch
from torch import nn


def scale(x, factor=2.0):
    return x * factor


def never(x):
    return x


def pair(x):
    return x, x


def chosen(x):
    return x[x > x.mean()]


def numbers():
    yield 1


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(4, width)

    def forward(self, x):
        return scale(self.linear(x)) + [scale(v) for v in (x,)][0].sum()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(4), Block(4), Block(6)])

    def forward(self, x):
        for block in self.blocks:
            y = block(x)
        pair(y)
        chosen(x), chosen(x + torch.arange(4.0))
        return y * sum(numbers())


def get_inputs():
    return [torch.ones(3, 4)]


def get_init_inputs():
    return []
"""


def signature() -> Signature:
    found = verifier(SOURCE).signature()
    assert isinstance(found, Signature), found
    return found


def shapes(function: str) -> Counter[tuple[int, ...]]:
    found: Counter[tuple[int, ...]] = Counter()
    for seen in signature().within(function):
        first = seen.arguments[0][1]
        assert isinstance(first, TensorType)
        found[first.shape] += seen.calls
    return found


def test_calls_are_counted_by_the_types_of_their_arguments() -> None:
    assert shapes("scale") == {(3, 4): 5, (3, 6): 1}
    assert sorted(s.calls for s in signature().within("Block.forward")) == [1, 2]


def test_what_does_not_run_or_is_no_plain_function_is_not_told_of() -> None:
    assert {s.entry for s in signature().inner} == {"scale", "pair", "chosen", "Block.forward"}


def test_a_method_knows_the_layers_of_its_own_instance() -> None:
    widths = set()
    for seen in signature().within("Block.forward"):
        layer = seen.of("self.linear")
        assert isinstance(layer, LayerType)
        widths.add(layer.get("out_features"))
    assert widths == {4, 6}


def test_results_are_told_where_they_are_one_array() -> None:
    (pair,) = signature().within("pair")
    assert pair.results == ()
    assert all(len(s.results) == 1 for s in signature().within("scale"))


def test_results_that_differ_from_call_to_call_are_not_told() -> None:
    (chosen,) = signature().within("chosen")
    assert chosen.calls == 2 and chosen.results == ()


def test_another_process_hashes_a_signature_anew() -> None:
    seen = signature()
    assert hash(seen) and pickle.loads(pickle.dumps(seen)) == seen
    assert pickle.loads(pickle.dumps(seen))._hash == 0
