"""Problems whose answer is known without computing it."""

from __future__ import annotations

import copy
from typing import Any

import torch

from bench.kernelbench.checking import error_of
from bench.kernelbench.subjects import (
    copied,
    doubled,
    inputs_of,
    is_float,
    model_of,
    namespace,
    tensors,
    wider,
)

_SAME = 1e-5


@torch.no_grad()
def degenerate(source: str, seed: int = 0) -> str:
    """Why the output says nothing about the inputs, or "". Runs the model, with one set of
    weights, on three draws of the problem's inputs and on wider ones. Raises what it raises."""
    space = namespace(source)
    model = model_of(space, seed)
    own = [inputs_of(space, seed + n) for n in range(3)]
    wide = [[wider(x) for x in draw] for draw in own]
    if not any(is_float(x) for x in own[0]):
        return ""
    outs = [_out(model, draw, seed) for draw in own]
    if not outs[0]:
        return ""
    if _constant(outs):
        everywhere = _constant([*outs, *(_out(model, draw, seed) for draw in wide)])
        return "constant" if everywhere else "constant on the inputs that it draws"
    try:
        double = copy.deepcopy(model).double()
        exact = [_out(double, [doubled(x) for x in draw], seed) for draw in own]
    except Exception:
        return ""
    signal = max(_spread(exact[0], other) for other in exact[1:])
    noise = max(_spread(a, b) for a, b in zip(outs, exact))
    return "constant but for rounding" if signal < noise / 4 else ""


def _out(model: Any, inputs: list[Any], seed: int) -> list[Any]:
    torch.manual_seed(seed)
    return tensors(model(*(copied(x) for x in inputs)))


def _constant(outs: list[list[Any]]) -> bool:
    return all(error_of(other, outs[0]) <= _SAME for other in outs[1:])


def _spread(one: list[Any], other: list[Any]) -> float:
    pairs = [(a.double(), b.double()) for a, b in zip(one, other) if a.numel()]
    return max((float((a - b).abs().nan_to_num().max()) for a, b in pairs), default=0.0)
