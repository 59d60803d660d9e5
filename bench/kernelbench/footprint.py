"""What a problem would cost at given sizes: run on the meta device, nothing is computed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from bench.kernelbench.subjects import namespace, tensors

# Of two ordinary cores. Only the order of magnitude matters: a trial follows.
FLOPS_PER_S = 50e9
BYTES_PER_S = 4e9
S_PER_OPERATION = 2e-5

_RECURRENT_STEPS = 4

_FREE = (
    "view", "expand", "permute", "transpose", "t", "slice", "select", "unsqueeze", "squeeze",
    "detach", "alias", "as_strided", "_unsafe_view", "split", "unbind", "_reshape_alias",
)  # fmt: skip


class NotModelled(Exception):
    """The problem does not run on tensors without data; the message says why."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """seconds: modelled, for one forward. work: those of them that sizes decide. held: bytes of
    parameters, inputs and results. largest: bytes that one operation reads and writes. units:
    operations and the places of dimensions of size 1 in their results. plain: the meta device
    was enough."""

    seconds: float
    work: float
    held: int
    largest: int
    units: frozenset[tuple[str, tuple[bool, ...]]]
    plain: bool = True


def footprint(source: str, plain: bool | None = None) -> Footprint:
    """Of a forward in train mode. plain: True tries the meta device alone, False tensors that
    know about constants alone, None one after the other. Raises NotModelled."""
    if plain is not False:
        try:
            return _footprint(source, torch.device("meta"))
        except Exception as error:
            if plain:
                raise _not_modelled(error) from error
            first = error
    try:
        return _footprint(source, _fake())
    except Exception as error:
        raise _not_modelled(error if plain is False else first) from error


def _not_modelled(error: Exception) -> NotModelled:
    return NotModelled(f"{type(error).__name__}: {str(error)[:200]}")


def shapes(source: str) -> tuple[list[tuple[int, ...]], Any]:
    """Of the inputs' tensors; and the constructor's arguments. Raises what the text raises."""
    with torch.device("meta"):
        space = namespace(source)
        inputs = space["get_inputs"]()
        init = space.get("get_init_inputs", list)()
    return [tuple(t.shape) for t in tensors(list(inputs))], init


def _fake() -> AbstractContextManager[Any]:
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode(allow_non_fake_inputs=True)


def _footprint(source: str, nothing: AbstractContextManager[Any]) -> Footprint:
    counting = _Counting()
    is_fake = not isinstance(nothing, torch.device)
    with torch.no_grad(), nothing:
        space = namespace(source)
        try:
            model = _model(space)
        except Exception:
            if not is_fake:
                raise
            # Constructors that read numbers out of tensors need true ones.
            model = _without_data(space, nothing)
        inputs = list(space["get_inputs"]())
        _shorten_recurrences(model, counting)
        with counting:
            out = model(*inputs)
    state = [*model.parameters(), *model.buffers()]
    held = sum(_bytes(t) for t in [*state, *tensors(inputs), *tensors(out)])
    return Footprint(
        counting.seconds, counting.work, held, counting.largest, frozenset(counting.units),
        not is_fake,
    )  # fmt: skip


def _model(space: dict[str, Any]) -> Any:
    init = space.get("get_init_inputs", list)()
    return space["Model"](**init) if isinstance(init, dict) else space["Model"](*init)


def _without_data(space: dict[str, Any], fake: Any) -> Any:
    from torch._subclasses.fake_tensor import unset_fake_temporarily

    with unset_fake_temporarily():
        model = _model(space)
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                empty = fake.from_tensor(parameter.detach())
                module._parameters[name] = torch.nn.Parameter(empty, requires_grad=False)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = fake.from_tensor(buffer)
    return model


def _shorten_recurrences(model: Any, counting: _Counting) -> None:
    """Recurrent layers take a few steps and count them for all."""
    for module in model.modules():
        if isinstance(module, torch.nn.RNNBase):
            module.forward = _shortened(module, counting)


def _shortened(layer: torch.nn.RNNBase, counting: _Counting) -> Any:
    whole = layer.forward

    def forward(given: Any, hx: Any = None) -> Any:
        if not isinstance(given, torch.Tensor):
            return whole(given, hx)
        dim = 1 if layer.batch_first and given.dim() == 3 else 0
        steps = given.shape[dim]
        if steps <= _RECURRENT_STEPS:
            return whole(given, hx)
        seconds, work, times = counting.seconds, counting.work, steps / _RECURRENT_STEPS
        out, state = whole(given.narrow(dim, 0, _RECURRENT_STEPS), hx)
        counting.seconds = seconds + (counting.seconds - seconds) * times
        counting.work = work + (counting.work - work) * times
        size = list(out.shape)
        size[dim] = steps
        return out.new_empty(size), state

    return forward


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds = 0.0
        self.work = 0.0
        self.largest = 0
        self.units: set[tuple[str, tuple[bool, ...]]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        packet = func._overloadpacket
        name = packet.__name__
        results = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        for result in results:
            flags = tuple(size == 1 for size in result.shape)
            if any(flags):
                self.units.add((name, flags))
        if name in _FREE:
            return out
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        moved = sum(_bytes(t) for t in {id(t): t for t in [*given, *results]}.values())
        self.largest = max(self.largest, moved)
        flops = (
            flop_registry[packet](*args, **kwargs, out_val=out) if packet in flop_registry else 0
        )
        work = max(flops / FLOPS_PER_S, moved / BYTES_PER_S)
        self.work += work
        self.seconds += S_PER_OPERATION + work
        return out


def _bytes(tensor: torch.Tensor) -> int:
    """Of the elements that there are in memory: an expanded dimension counts once."""
    count = 1
    for size, stride in zip(tensor.shape, tensor.stride()):
        count *= size if stride else min(size, 1)
    return count * tensor.element_size()
