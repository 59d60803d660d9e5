"""Makes the arguments of a case. Runs inside a worker's child, before any subject's code."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semrep.runtime import arrays
from semrep.runtime.specs import Arguments
from semrep.verify.cases import Case

Floats = NDArray[np.float64]


def derived(base: Arguments, case: Case) -> Arguments:
    """The arguments of `case`, made from a harness example. Deterministic in the case's seed."""
    shapes = dict(case.shapes)

    def changed(value: Any, path: str) -> Any:
        generator = np.random.default_rng([case.seed, zlib.crc32(path.encode())])
        return _derived_array(value, case, shapes.get(path), generator)

    positional, named = arrays.map_arrays((base.positional, dict(base.named)), changed)
    if not arrays.array_leaves((base.positional, dict(base.named))):
        return base
    return Arguments(positional, named)


def _derived_array(
    value: Any, case: Case, shape: tuple[int, ...] | None, generator: np.random.Generator
) -> Any:
    framework = arrays.framework_of(value)
    assert framework is not None
    dtype = arrays.dtype_of(value)
    old = arrays.to_numpy(value)
    new_shape = tuple(old.shape) if shape is None else shape
    if case.values == "own" and shape is None:
        made = value
    elif dtype in arrays.FLOATING:
        drawn = floats(case, old.astype(np.float64), new_shape, dtype, generator)
        made = arrays.from_numpy(drawn, framework, dtype, _device(value))
    elif dtype in ("complex64", "complex128"):
        real = floats(case, old.real.astype(np.float64), new_shape, dtype, generator)
        imaginary = floats(case, old.imag.astype(np.float64), new_shape, dtype, generator)
        made = arrays.from_numpy(real + 1j * imaginary, framework, dtype, _device(value))
    elif dtype == "bool":
        made = arrays.from_numpy(
            generator.integers(0, 2, new_shape).astype(bool), framework, dtype, _device(value)
        )
    elif old.dtype.kind in "iu":
        made = arrays.from_numpy(
            _integers(old, new_shape, generator), framework, dtype, _device(value)
        )
    else:
        made = value
    if framework == "torch":
        if case.strided:
            made = _with_gaps(made)
        gradient = case.gradient and dtype in arrays.FLOATING
        if gradient or value.requires_grad:
            made = made.detach().requires_grad_(True)
    elif framework == "numpy" and case.strided and made.ndim:
        wide = np.repeat(made, 2, axis=-1)
        made = wide[..., ::2]
    return made


def _device(value: Any) -> str:
    return str(value.device) if arrays.framework_of(value) == "torch" else "cpu"


def _with_gaps(tensor: Any) -> Any:
    """The same values, every second element of a larger storage."""
    torch = sys.modules["torch"]
    if tensor.dim() == 0:
        return tensor
    wide = torch.empty((*tensor.shape, 2), dtype=tensor.dtype, device=tensor.device)
    wide.zero_()
    wide[..., 0] = tensor
    return wide[..., 0]


def floats(
    case: Case,
    old: Floats,
    shape: tuple[int, ...],
    dtype: str,
    generator: np.random.Generator,
) -> Floats:
    """Float values of the case's kind, in float64, within the range of `dtype`."""
    normal = generator.standard_normal(shape)
    make: Mapping[str, Callable[[], Floats]] = {
        "own": lambda: np.resize(old, shape),
        "normal": lambda: normal,
        "uniform": lambda: generator.uniform(-10, 10, shape),
        "offset": lambda: normal + (100.0 if dtype in ("float16", "bfloat16") else 1e4),
        "small": lambda: normal * 1e-3,
        "negative": lambda: -np.abs(normal) - 0.01,
        "constant": lambda: np.full(shape, 1.5),
        "ramp": lambda: (
            np.arange(normal.size, dtype=np.float64).reshape(shape) / max(1.0, normal.size / 64)
        ),
        "zeros": lambda: np.zeros(shape),
        "integers": lambda: generator.integers(-2, 3, shape).astype(np.float64),
        "large": lambda: normal * (100.0 if dtype == "float16" else 1e6),
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
    old: NDArray[Any], shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[Any]:
    """Integers of the range seen. Sorted ones (offsets, permutations) are structure and stay."""
    flat = old.reshape(-1)
    structured = flat.size > 2 and (
        bool(np.all(flat[1:] > flat[:-1])) or len(np.unique(flat)) == flat.size == flat.max() + 1
    )
    if structured or flat.size == 0 or flat.min() == flat.max():
        return np.resize(old, shape)
    return generator.integers(int(flat.min()), int(flat.max()), shape, endpoint=True)


def set_state(module: Any, state: Mapping[str, Any], case: Case) -> None:
    """Puts the case's parameters and buffers into a torch module, starting from `state`.

    Every process draws the same values: they depend on the case's seed and the name alone.
    Entries that share memory in the module are drawn once, by the name that comes first.
    """
    torch = sys.modules["torch"]
    entries = module.state_dict(keep_vars=True)
    seen: set[int] = set()
    with torch.no_grad():
        for name, target in entries.items():
            if name not in state or not isinstance(target, torch.Tensor):
                continue
            key = target.data_ptr()
            if key and key in seen:
                continue
            seen.add(key)
            target.copy_(state[name])
            dtype = arrays.dtype_of(target)
            if case.parameters == "own" or dtype not in arrays.FLOATING:
                continue
            generator = np.random.default_rng([case.seed, zlib.crc32(name.encode())])
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
