"""Whether two programs differ at all: a differential fuzzer of its own, asked only about mutants
that semrep accepts.

It runs both on many draws: magnitudes, small integers, other sizes, special values, strided
arguments, float64; and compares results, exceptions, mutated arguments, gradients, what the
result shares memory with, and whether kernels leave their arrays. What differs by no more than
rounding is not called different.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch

from bench.trust.calling import call, copied, entry_of, flat
from bench.trust.drawing import NORMAL, UNIFORM, Arguments, draw
from bench.trust.interpreter import beyond, forget
from bench.trust.program import JAX, NUMPY, TRITON, Program

DRAWS = 12
_SIZE_TURNS = 24
SCALES = (1.0, 1e-3, 1e-6, 30.0, 1e4, 1e-20)
SPECIALS = (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0, 0.5, -0.5)

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Finding:
    """where: the family of draws on which they differ. what: in words."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Outcome:
    result: list[Any]
    after: list[Any]
    shares: tuple[bool, ...]
    error: str | None
    beyond: str


class Arbiter:
    """Compares candidates with one original."""

    def __init__(self, program: Program, original: ModuleType, seed: int = 0) -> None:
        self._program = program
        self._original = original
        self._seed = seed

    def judge(self, candidate: ModuleType, as_given: bool = False) -> Finding | None:
        """The first difference, or None where nothing tells them apart. as_given: keep sizes and
        strides, as kernels may read beyond an array of another size and take the process along."""
        try:
            old = entry_of(self._program, self._original)
            new = entry_of(self._program, candidate)
        except Exception as e:
            return Finding("plain", f"cannot be made: {type(e).__name__}: {e}")
        if isinstance(new, torch.nn.Module):
            _share_state(old, new)
        # Kernels are slow to interpret: every second draw of each family.
        step = 2 if self._program.kind == TRITON else 1
        for i, (where, (args, kwargs), seed) in enumerate(self._draws()):
            if i % step or (as_given and where in ("sizes", "layout")):
                continue
            found = self._compare(old, new, args, kwargs, where, seed)
            # Where the original does not even agree with itself, nothing follows; nor where it
            # moves as much when its arguments are off by a rounding.
            if found and not self._compare(old, old, args, kwargs, where, seed):
                if not self._shaky(old, args, kwargs, where, seed):
                    return found
        return self._gradients(old, new)

    def _draws(self) -> Iterator[tuple[str, Arguments, int]]:
        base = self._seed * 1000 + 500
        for i in range(DRAWS):
            how = (NORMAL, UNIFORM)[i % 2]
            yield "plain", self._draw(how, base + i), base + i
        for i, scale in enumerate(SCALES[1:] * 2):
            args = self._draw((NORMAL, UNIFORM)[i % 2], base + i)
            yield "magnitudes", _mapped(args, _times(scale)), base + i
        for i in range(4):
            args = self._draw(NORMAL, base + i)
            yield "magnitudes", _mapped(args, lambda v: np.round(v * 2)), base + i
            constant = (0.0, 1.0, -2.0, 3e4)[i]
            yield "magnitudes", _mapped(args, lambda v, c=constant: np.full_like(v, c)), base + i
            yield "magnitudes", _mapped(args, lambda v, c=constant: v + c), base + i
        for i in range(6):
            args = self._draw(NORMAL, base + i)
            yield "wide", _mapped(args, lambda v: v, wide=True), base + i
        for i in range(_SIZE_TURNS):
            resized = _resized(self._draw(NORMAL, base + i), i)
            if resized is not None:
                yield "sizes", resized, base + i
        for i in range(4):
            yield "integers", _reindexed(self._draw(NORMAL, base + i), i), base + i
        for i in range(4):
            yield "layout", _strided(self._draw(NORMAL, base + i)), base + i
        for i in range(16):
            rng = np.random.default_rng(base + i)
            value = SPECIALS[i % len(SPECIALS)]
            share = 0.02 if i < 9 else 0.3
            args = self._draw(NORMAL, base + i)
            yield "specials", _mapped(args, _sprinkled(value, share, rng)), base + i

    def _draw(self, how: str, seed: int) -> Arguments:
        return draw(self._program, self._original, how, seed)

    def _compare(
        self, old: Any, new: Any, args: list[Any], kwargs: dict[str, Any], where: str, seed: int
    ) -> Finding | None:
        a = _run(old, args, kwargs, seed)
        if a.error is not None and where in ("sizes", "wide", "layout"):
            return None
        b = _run(new, args, kwargs, seed)
        if b.beyond and not a.beyond:
            return Finding("memory", f"{b.beyond} beyond its arguments")
        if a.error is not None or b.error is not None:
            if a.error == b.error:
                return None
            return Finding(where, f"raises {b.error} instead of {a.error}")
        for what, x, y in (("result", a.result, b.result), ("arguments", a.after, b.after)):
            difference = different(x, y, where == "wide")
            if difference:
                return Finding(where if what == "result" else what, f"{what}: {difference}")
        if a.shares != b.shares:
            return Finding("aliasing", "the result shares other memory")
        return None

    def _shaky(
        self, old: Any, args: list[Any], kwargs: dict[str, Any], where: str, seed: int
    ) -> bool:
        if where == "specials":
            return False
        fine = all(str(t.dtype).endswith("64") for t in flat([args, kwargs]) if _float(t))
        nudged, named = _mapped((args, kwargs), _nudged(seed, 2.0**-50 if fine else 2.0**-22))
        a, b = _run(old, args, kwargs, seed), _run(old, nudged, named, seed)
        return a.error == b.error and different(a.result, b.result, where == "wide") is not None

    def _gradients(self, old: Any, new: Any) -> Finding | None:
        if self._program.kind in (JAX, NUMPY):
            return None
        for seed in range(self._seed + 900, self._seed + 904):
            args, kwargs = self._draw(NORMAL, seed)
            a, b = (_gradients(f, args, kwargs, seed) for f in (old, new))
            if a is None:
                return None
            if b is None:
                return Finding("gradients", "gives no gradients")
            difference = different(a, b)
            if difference:
                return Finding("gradients", difference)
        return None


def _share_state(old: torch.nn.Module, new: torch.nn.Module) -> None:
    """Equal parameters where both have the same ones, as seeds alone may not see to."""
    mine, theirs = old.state_dict(), new.state_dict()
    if {k: v.shape for k, v in mine.items()} == {k: v.shape for k, v in theirs.items()}:
        new.load_state_dict(mine)


def _run(function: Any, args: list[Any], kwargs: dict[str, Any], seed: int) -> Outcome:
    mine, named = copied(args), copied(kwargs)
    forget(guard=True)
    try:
        found = call(function, mine, named, seed)
        result = flat(found)
    except Exception as e:
        return Outcome([], [], (), type(e).__name__, beyond())
    return Outcome(result, flat([mine, named]), _sharing(found, mine), None, beyond())


def _sharing(found: Any, args: list[Any]) -> tuple[bool, ...]:
    def places(value: Any) -> list[int]:
        if isinstance(value, torch.Tensor):
            return [value.untyped_storage().data_ptr()] if value.numel() else []
        if isinstance(value, np.ndarray):
            return [_base(value)]
        if isinstance(value, (list, tuple)):
            return [p for v in value for p in places(v)]
        return []

    given = set(places(args))
    return tuple(p in given for p in places(found))


def _base(array: np.ndarray) -> int:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return int(array.__array_interface__["data"][0])


def _gradients(function: Any, args: list[Any], kwargs: dict[str, Any], seed: int) -> Any:
    mine = [a.requires_grad_() if _float(a) else a for a in copied(args)]
    leaves = [a for a in mine if _float(a)]
    try:
        found = call(function, [a * 1 if _float(a) else a for a in mine], copied(kwargs), seed)
        outs = [t for t in _tensors(found) if t.requires_grad]
        torch.manual_seed(seed)
        total = sum((t.double() * torch.randn(t.shape, dtype=torch.float64)).sum() for t in outs)
        grads = torch.autograd.grad(total, leaves, allow_unused=True)
    except Exception:
        return None
    return [g if g is None else g.detach() for g in grads]


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in _tensors(v)]
    return []


def _float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


# Relative to each element and to the largest one: above what reordered sums leave.
_TOLERANCES = {
    torch.float64: (1e-8, 1e-11), torch.float32: (2e-4, 4e-6), torch.float16: (1e-2, 2e-3),
    torch.bfloat16: (8e-2, 2e-2),
}  # fmt: skip


# Where float64 was given, casts to float32 are no difference: element types are part of the call.
_WIDE = (3e-6, 3e-7)


def different(old: list[Any], new: list[Any], wide: bool = False) -> str | None:
    """How the leaves of two results differ by more than rounding, or None."""
    if len(old) != len(new):
        return f"{len(new)} values instead of {len(old)}"
    for i, (a, b) in enumerate(zip(old, new, strict=True)):
        if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
            if type(a) is not type(b) or a != b:
                return f"value {i}: {b!r} instead of {a!r}"
            continue
        if a.shape != b.shape or (a.dtype != b.dtype and not wide):
            was = f"{a.dtype}{list(a.shape)}"
            return f"value {i}: {b.dtype}{list(b.shape)} instead of {was}"
        found = _elements(a, b, wide)
        if found:
            return f"value {i}: {found}"
    return None


def _elements(a: torch.Tensor, b: torch.Tensor, wide: bool) -> str | None:
    if a.is_complex():
        x, y = (torch.view_as_real(t.resolve_conj()) for t in (a, b.to(a.dtype)))
        return _elements(x, y, wide)
    if not a.is_floating_point():
        return None if torch.equal(a, b) else "other elements"
    relative, absolute = _WIDE if wide else _TOLERANCES.get(a.dtype, (2e-4, 4e-6))
    x, y = a.double(), b.double()
    if not torch.equal(x.isnan(), y.isnan()):
        return "NaN elsewhere"
    finite = x.isfinite() & y.isfinite()
    if not torch.equal(x[~finite].nan_to_num(0.0), y[~finite].nan_to_num(0.0)):
        return "infinities elsewhere"
    x, y = x[finite], y[finite]
    if x.numel() == 0:
        return None
    top = x.abs().max()
    smallest = torch.finfo(a.dtype).tiny
    wrong = (x - y).abs() > relative * x.abs() + absolute * top + smallest
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0, 0])
        return f"{y[at].item():.6g} instead of {x[at].item():.6g}"
    return None


def _mapped(args: Arguments, change: Change, wide: bool = False) -> Arguments:
    """Every float array through `change`; wide: as float64."""

    def walk(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if not value.is_floating_point() or value.dim() == 0:
                return value
            dtype = torch.float64 if wide else value.dtype
            return torch.from_numpy(change(value.double().numpy())).to(dtype)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            return change(value.astype(np.float64)).astype(np.float64 if wide else value.dtype)
        if type(value).__module__.startswith("jax") and value.dtype.kind == "f" and not wide:
            import jax.numpy as jnp

            return jnp.asarray(change(np.asarray(value, np.float64)), dtype=value.dtype)
        if isinstance(value, (list, tuple)):
            return type(value)(walk(v) for v in value)
        return value

    with np.errstate(all="ignore"):
        return [walk(a) for a in args[0]], {k: walk(v) for k, v in args[1].items()}


def _times(scale: float) -> Change:
    return lambda v: v * scale


def _nudged(seed: int, step: float) -> Change:
    rng = np.random.default_rng(seed)
    return lambda v: v * (1 + step * rng.choice([-1.0, 1.0], v.shape))


def _sprinkled(value: float, share: float, rng: np.random.Generator) -> Change:
    def change(v: np.ndarray) -> np.ndarray:
        v = np.array(v)
        v[rng.random(v.shape) < share] = value
        return v

    return change


def _resized(args: Arguments, turn: int) -> Arguments | None:
    """Each length becomes another one everywhere, plain numbers equal to it too; which of the
    lengths change, and how, depends on the turn. None where there is nothing to change."""
    if args[1]:
        return None
    lengths = sorted({n for a in args[0] if hasattr(a, "shape") for n in a.shape if n > 1})
    place, change = divmod(turn, 6)
    if place > len(lengths) or not lengths:
        return None
    chosen = lengths if place == 0 else [lengths[place - 1]]
    new = {n: (n + 1, 1, 2 * n, max(1, n - 1), n + 5, 3 * n + 1)[change] for n in chosen}
    rng = np.random.default_rng(turn)

    def walk(value: Any) -> Any:
        if type(value) is int:
            return new.get(value, value)
        if isinstance(value, (list, tuple)):
            return type(value)(walk(v) for v in value)
        if not hasattr(value, "shape") or not any(n in new for n in value.shape):
            return value
        shape = tuple(new.get(n, n) for n in value.shape)
        if isinstance(value, torch.Tensor):
            if value.is_floating_point():
                return torch.from_numpy(rng.standard_normal(shape)).to(value.dtype)
            return torch.from_numpy(np.resize(value.numpy(), shape))
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = rng.standard_normal(shape).astype(array.dtype)
        else:
            array = np.resize(array, shape)
        if isinstance(value, np.ndarray):
            return array
        import jax.numpy as jnp

        return jnp.asarray(array)

    return [walk(a) for a in args[0]], {}


def _reindexed(args: Arguments, turn: int) -> Arguments:
    """Arrays of whole numbers and masks with others of their own elements."""
    rng = np.random.default_rng(turn)

    def walk(value: Any) -> Any:
        kind = value.dtype.kind if isinstance(value, np.ndarray) else ""
        if isinstance(value, torch.Tensor) and not value.is_floating_point() and value.dim():
            flat_ = value.reshape(-1).numpy()
            kept = rng.choice(np.unique(flat_), 1 + turn % 2) if flat_.size else flat_
            return torch.from_numpy(rng.choice(kept, value.shape) if flat_.size else flat_)
        if kind in ("i", "b", "u") and value.ndim and value.size:
            return rng.choice(rng.choice(np.unique(value), 1 + turn % 2), value.shape)
        return value

    return [walk(a) for a in args[0]], args[1]


def _strided(args: Arguments) -> Arguments:
    """The same values with the last two axes laid out the other way round."""

    def walk(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dim() >= 2:
            return value.transpose(-1, -2).contiguous().transpose(-1, -2)
        if isinstance(value, np.ndarray) and value.ndim >= 2:
            return np.swapaxes(np.ascontiguousarray(np.swapaxes(value, -1, -2)), -1, -2)
        return value

    return [walk(a) for a in args[0]], args[1]
