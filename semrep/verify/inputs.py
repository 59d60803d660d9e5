"""Makes the arguments of a case. Runs inside a worker's child, before any subject's code."""

from __future__ import annotations

import copy
import dataclasses
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semrep.runtime import arrays
from semrep.runtime.specs import Arguments
from semrep.verify.cases import Case, Layout, Values

Floats = NDArray[np.float64]

# What lies between the elements of a strided array: a number that stands out where it is read.
GAP = 1.25e4


def derived(base: Arguments, case: Case) -> Arguments:
    """The arguments of `case`, made from a harness example. Deterministic in the case's seed."""
    if case.plain:
        base = _with_plain(base, dict(case.plain))
    tree = (base.positional, dict(base.named))
    leaves = arrays.array_leaves(tree)
    if not leaves:
        return base
    shapes, literal = dict(case.shapes), dict(case.literal)
    own = commonest_float([arrays.dtype_of(value) for _, value in leaves])
    made: dict[str, Any] = {}

    def changed(value: Any, path: str) -> Any:
        if case.alias is not None and path == case.alias[1]:
            return made[case.alias[0]]
        generator = np.random.default_rng([case.seed, zlib.crc32(path.encode())])
        dtype = arrays.dtype_of(value)
        if case.dtype and dtype == own:
            dtype = case.dtype
        # One array beyond what may be squared: were all of them, every product would overflow.
        halves = [v for v in made.values() if arrays.dtype_of(v) == "float16"]
        is_second = case.values == "huge" and dtype == "float16" and bool(halves)
        made[path] = _derived_array(
            value, dataclasses.replace(case, values="normal") if is_second else case, dtype,
            shapes.get(path), literal.get(path), generator,
        )  # fmt: skip
        return made[path]

    positional, named = arrays.map_arrays(tree, changed)
    return Arguments(positional, named)


def _with_plain(base: Arguments, values: Mapping[str, Any]) -> Arguments:
    """With other values of whole arguments, by path."""
    # Each call gets lists of its own.
    positional = tuple(
        copy.deepcopy(values[f"[0][{i}]"]) if f"[0][{i}]" in values else value
        for i, value in enumerate(base.positional)
    )
    named = {
        name: copy.deepcopy(values[f"[1][{name!r}]"]) if f"[1][{name!r}]" in values else value
        for name, value in base.named.items()
    }
    return Arguments(positional, named)


def commonest_float(dtypes: list[str]) -> str:
    """The floating dtype that most have; "" where none has one."""
    floating = [dtype for dtype in dtypes if dtype in arrays.FLOATING]
    return max(floating, key=floating.count, default="")


def _derived_array(
    value: Any,
    case: Case,
    dtype: str,
    shape: tuple[int, ...] | None,
    literal: tuple[float, ...] | None,
    generator: np.random.Generator,
) -> Any:
    framework = arrays.framework_of(value)
    assert framework is not None
    old = arrays.to_numpy(value)
    new_shape = tuple(old.shape) if shape is None else shape
    device = str(value.device) if framework == "torch" else "cpu"
    if literal is not None:
        made = arrays.from_numpy(
            np.array(literal, dtype=np.float64).reshape(new_shape), framework, dtype, device
        )
    elif case.values == "own" and shape is None and dtype == arrays.dtype_of(value):
        made = value
    elif dtype in arrays.FLOATING:
        drawn = floats(case, old.astype(np.float64), new_shape, dtype, generator)
        made = arrays.from_numpy(drawn, framework, dtype, device)
    elif dtype in ("complex64", "complex128"):
        real = floats(case, old.real.astype(np.float64), new_shape, dtype, generator)
        imaginary = floats(case, old.imag.astype(np.float64), new_shape, dtype, generator)
        made = arrays.from_numpy(real + 1j * imaginary, framework, dtype, device)
    elif dtype == "bool":
        drawn_bools = generator.integers(0, 2, new_shape).astype(bool)
        made = arrays.from_numpy(drawn_bools, framework, dtype, device)
    elif old.dtype.kind in "iu":
        drawn_integers = _integers(old, new_shape, case.values, generator)
        made = arrays.from_numpy(drawn_integers, framework, dtype, device)
    else:
        made = value
    if framework == "torch":
        made = _torch_layout(made, case.layout)
        gradient = case.gradient and dtype in arrays.FLOATING
        if gradient or value.requires_grad:
            made = made.detach().requires_grad_(True)
    elif framework == "numpy":
        made = _numpy_layout(made, case.layout)
    return made


def _torch_layout(tensor: Any, layout: Layout) -> Any:
    """The same values in another memory layout (expanded: those of the first row, repeated)."""
    torch = sys.modules["torch"]
    if layout == "own" or tensor.dim() == 0:
        return tensor
    gap = GAP if tensor.is_floating_point() or tensor.is_complex() else 1
    if layout == "strided":
        wide = torch.full((*tensor.shape, 2), gap, dtype=tensor.dtype, device=tensor.device)
        wide[..., 0] = tensor
        return wide[..., 0]
    if layout == "transposed" and tensor.dim() > 1:
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "offset":
        flat = torch.full((tensor.numel() + 3,), gap, dtype=tensor.dtype, device=tensor.device)
        flat[3:] = tensor.reshape(-1)
        return flat[3:].view(tensor.shape)
    if layout == "expanded" and tensor.shape[0] > 1:
        return tensor[:1].clone().expand(tensor.shape)
    return tensor


def _numpy_layout(array: NDArray[Any], layout: Layout) -> NDArray[Any]:
    if layout == "own" or array.ndim == 0 or array.dtype.kind not in "fciub":
        return array
    if layout == "strided":
        wide = np.full((*array.shape, 2), GAP if array.dtype.kind in "fc" else 1, array.dtype)
        wide[..., 0] = array
        return wide[..., 0]
    if layout == "transposed" and array.ndim > 1:
        return np.ascontiguousarray(array.swapaxes(-1, -2)).swapaxes(-1, -2)
    if layout == "offset":
        flat = np.full(array.size + 3, GAP if array.dtype.kind in "fc" else 1, array.dtype)
        flat[3:] = array.reshape(-1)
        return flat[3:].reshape(array.shape)
    if layout == "expanded" and len(array) > 1:
        return np.broadcast_to(array[:1].copy(), array.shape)
    if layout == "negative":
        return np.ascontiguousarray(array[::-1])[::-1]
    return array


def refill(arguments: Arguments, values: Arguments) -> None:
    """Writes the elements of `values` into the arrays of `arguments`, whose shapes are equal."""
    torch = sys.modules.get("torch")
    pairs = zip(
        arrays.array_leaves((arguments.positional, dict(arguments.named))),
        arrays.array_leaves((values.positional, dict(values.named))),
        strict=True,
    )
    for (_, target), (_, source) in pairs:
        if torch is not None and isinstance(target, torch.Tensor):
            with torch.no_grad():
                target.copy_(source)
        else:
            target[...] = source


def floats(
    case: Case,
    old: Floats,
    shape: tuple[int, ...],
    dtype: str,
    generator: np.random.Generator,
) -> Floats:
    """Float values of the case's kind, in float64, within the range of `dtype`."""
    normal = generator.standard_normal(shape)
    narrow, half = dtype in ("float16", "bfloat16"), dtype == "float16"
    make: Mapping[str, Callable[[], Floats]] = {
        "own": lambda: np.resize(old, shape),
        "normal": lambda: normal,
        "uniform": lambda: generator.uniform(-10, 10, shape),
        "offset": lambda: normal + (100.0 if narrow else 1e4),
        "small": lambda: normal * 1e-3,
        "negative": lambda: -np.abs(normal) - 0.01,
        "constant": lambda: np.full(shape, 1.5),
        "ramp": lambda: (
            np.arange(normal.size, dtype=np.float64).reshape(shape) / max(1.0, normal.size / 64)
        ),
        "zeros": lambda: np.zeros(shape),
        "integers": lambda: generator.integers(-2, 3, shape).astype(np.float64),
        "large": lambda: normal * (100.0 if half else 1e6),
        # Products of two stay finite, and so do sums of a thousand of them; but in half
        # precision squares overflow at magnitudes that occur, where wider sums do not.
        "huge": lambda: normal * (np.sqrt(arrays.LARGEST[dtype]) * (2 if half else 1 / 64)),
        "subnormal": lambda: normal * (64 * arrays.SMALLEST[dtype]),
        "nan": lambda: _sprinkled(normal, np.array([np.nan]), generator),
        "inf": lambda: _sprinkled(normal, np.array([np.inf, -np.inf, -0.0]), generator),
    }
    return make[case.values]()


def _sprinkled(values: Floats, specials: Floats, generator: np.random.Generator) -> Floats:
    """About one element in 32, at least one, replaced by a special value."""
    made = values.copy()
    flat = made.reshape(-1)
    if flat.size:
        count = max(1, flat.size // 32)
        places = generator.choice(flat.size, count, replace=False)
        flat[places] = generator.choice(specials, count)
    return made


def _integers(
    old: NDArray[Any], shape: tuple[int, ...], values: Values, generator: np.random.Generator
) -> NDArray[Any]:
    """Integers of the range seen, or where that has gaps (labels, and one for none) of those
    seen. Sorted ones (offsets, permutations) are structure and stay."""
    flat = old.reshape(-1)
    structured = flat.size > 2 and (
        bool(np.all(flat[1:] > flat[:-1])) or len(np.unique(flat)) == flat.size == flat.max() + 1
    )
    if structured or flat.size == 0 or flat.min() == flat.max():
        return np.resize(old, shape)
    seen = np.unique(flat)
    if values == "constant":
        return np.full(shape, seen[0])
    if 2 * len(seen) < int(seen[-1]) - int(seen[0]):
        # Uneven shares: a label that all or none have is where averages divide by zero.
        return generator.choice(seen, shape, p=generator.dirichlet(np.full(len(seen), 0.5)))
    return generator.integers(int(seen[0]), int(seen[-1]), shape, endpoint=True)


def set_state(module: Any, state: Mapping[str, Any], case: Case, salt: int = 0) -> None:
    """Puts the case's parameters and buffers into a torch module, starting from `state`.

    Every process draws the same values: they depend on the case's seed and the name alone.
    Entries that share memory in the module are drawn once, by the name that comes first.
    """
    torch = sys.modules["torch"]
    entries = module.state_dict(keep_vars=True)
    own = commonest_float([arrays.dtype_of(value) for value in state.values()])
    seen: set[int] = set()
    with torch.no_grad():
        for name, target in entries.items():
            if name not in state or not isinstance(target, torch.Tensor):
                continue
            dtype = arrays.dtype_of(state[name])
            if case.dtype and dtype == own:
                dtype = case.dtype
            if arrays.dtype_of(target) != dtype:
                target.data = target.data.to(getattr(torch, dtype))
            key = target.data_ptr()
            if key and key in seen:
                continue
            seen.add(key)
            target.copy_(state[name])
            if case.parameters == "own" or dtype not in arrays.FLOATING:
                continue
            generator = np.random.default_rng([case.seed + salt, zlib.crc32(name.encode())])
            old = arrays.to_numpy(state[name]).astype(np.float64)
            is_buffer = not isinstance(target, torch.nn.Parameter)
            new = _parameter(old, case, generator, is_buffer)
            target.copy_(torch.from_numpy(new).to(target.dtype))


def _parameter(old: Floats, case: Case, generator: np.random.Generator, is_buffer: bool) -> Floats:
    if is_buffer and old.size and bool(np.all(old > 0)):
        # Running variances and the like stay positive.
        if case.parameters == "integers":
            return old
        return np.asarray(old * np.exp(0.3 * generator.standard_normal(old.shape)))
    if case.parameters == "integers":
        return generator.integers(-2, 3, old.shape).astype(np.float64)
    scale = float(np.sqrt(np.mean(old**2))) if old.size else 0.0
    return np.asarray(old + 0.3 * (scale or 1.0) * generator.standard_normal(old.shape))
