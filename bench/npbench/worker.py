"""One kernel in a process of its own: optimise, check, time; one JSON object on stdout.

python -m bench.npbench.worker ROOT NAME SECONDS SEED
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import io
import json
import math
import random
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.npbench.kernels import SIZES, Kernel, halved, kernels
from bench.statistics import ratio_of_sums

Arguments = tuple[Any, ...]
_LONGEST_CALL_S, _SHORTEST_CALL_S = 0.3, 1e-3
_LARGEST_BYTES = 4 << 20  # a verifier runs each kernel on dozens of inputs
_ROUNDS, _TIMING_S = 25, 6.0


def main(root: str, name: str, seconds: str, seed: str) -> int:
    kernel = next(k for k in kernels(Path(root)) if k.name == name)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            row = {"name": name, **examined(kernel, float(seconds), int(seed))}
    print(json.dumps(row))
    return 0


def examined(kernel: Kernel, seconds: float, seed: int) -> dict[str, Any]:
    from semrep.api import optimize
    from semrep.verify import Equivalent

    parameters, call_s = sized(kernel)
    source = kernel.source(parameters)
    started = time.monotonic()
    result = optimize(source, entry=kernel.function, budget=f"{seconds:.0f}s", seed=seed)
    row: dict[str, Any] = {
        "parameters": parameters,
        "call_ms": 1000 * call_s,
        "status": str(result.status),
        "note": result.note,
        "passes": [s.site.pass_spec for s in result.trace.steps],
        "verified": isinstance(result.verdict, Equivalent),
        "search_s": time.monotonic() - started,
    }
    original = _function(kernel, source)
    rewritten = _function(kernel, result.src) if result.changed else original
    make = _maker(kernel, source)
    if result.changed:
        row["source"] = result.src
        row["wrong"] = disagreement(original, rewritten, make, seed)
    calls: dict[str, Callable[[Arguments], Any]] = {"numpy": lambda a: original(*a)}
    if result.changed:
        calls["semrep"] = lambda a: rewritten(*a)
    for peer, call in _peers(kernel).items():
        try:
            call(_fit(peer, make()))  # compiles
            calls[peer] = call
        except Exception as error:
            row[f"{peer}_error"] = f"{type(error).__name__}: {error}"[:200]
    row["seconds"] = timed(calls, make, seed)
    for other in row["seconds"]:
        if other != "numpy":
            pairs = list(zip(row["seconds"]["numpy"], row["seconds"][other], strict=True))
            row[f"{other}_over_numpy"] = list(ratio_of_sums(pairs, seed))
    return row


def sized(kernel: Kernel) -> tuple[dict[str, Any], float]:
    """Parameters with which a call takes about 1 to 300 ms, and what it takes."""
    best: tuple[dict[str, Any], float] | None = None
    for size in SIZES:
        parameters = dict(kernel.sizes[size])
        spent = _once(kernel, parameters)
        if best is not None and spent > _LONGEST_CALL_S:
            break
        best = parameters, spent
        if spent >= _SHORTEST_CALL_S:
            break
    assert best is not None
    for _ in range(6):
        if best[1] <= _LONGEST_CALL_S and _bytes(kernel, best[0]) <= _LARGEST_BYTES:
            break
        try:
            smaller = halved(best[0])
            spent = _once(kernel, smaller)
        except Exception:
            break  # this kernel's parameters depend on each other
        if spent < _SHORTEST_CALL_S:
            break
        best = smaller, spent
    return best


def _bytes(kernel: Kernel, parameters: dict[str, Any]) -> int:
    arguments = _maker(kernel, kernel.source(parameters))()
    return sum(a.nbytes for a in arguments if isinstance(a, np.ndarray))


def _once(kernel: Kernel, parameters: dict[str, Any]) -> float:
    source = kernel.source(parameters)
    function, arguments = _function(kernel, source), _maker(kernel, source)()
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def _namespace(source: str) -> dict[str, Any]:
    module = types.ModuleType("kernel")
    exec(compile(source, "<kernel>", "exec"), module.__dict__)
    return module.__dict__


def _function(kernel: Kernel, source: str) -> Callable[..., Any]:
    found = _namespace(source)[kernel.function]
    assert callable(found)
    return found


def _maker(kernel: Kernel, source: str) -> Callable[[], Arguments]:
    values = _namespace(source)["semrep_inputs"]()
    return lambda: copy.deepcopy(values)


def disagreement(
    original: Callable[..., Any],
    rewritten: Callable[..., Any],
    make: Callable[[], Arguments],
    seed: int,
) -> str:
    """How results or what is left in the arguments differ on inputs that nobody has seen; ""
    where they do not."""
    for trial in range(3):
        rng = np.random.default_rng(seed + trial)
        arguments = tuple(_spoilt(a, rng) for a in make())
        one, other = copy.deepcopy(arguments), copy.deepcopy(arguments)
        try:
            expected: Any = original(*one)
        except Exception as error:
            expected = error
        try:
            found: Any = rewritten(*other)
        except Exception as error:
            found = error
        if isinstance(expected, Exception) or isinstance(found, Exception):
            if type(expected) is not type(found):
                return f"trial {trial}: {expected!r:.80} against {found!r:.80}"
            continue
        for a, b in zip([expected, *one], [found, *other], strict=True):
            if (apart := _apart(a, b)) > 0:
                return f"trial {trial}: differs by {apart:.3g} of the scale"
    return ""


def _spoilt(value: Any, rng: np.random.Generator) -> Any:
    """An array with each number of floating point changed by up to a tenth."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        return (value * (1 + 0.1 * rng.uniform(-1, 1, value.shape))).astype(value.dtype)
    return value


def _apart(a: Any, b: Any) -> float:
    """The largest difference beyond what rounding explains, by the scale of the values."""
    if isinstance(a, (tuple, list)):
        if type(a) is not type(b) or len(a) != len(b):
            return math.inf
        return max((_apart(x, y) for x, y in zip(a, b, strict=True)), default=0.0)
    if not isinstance(a, (np.ndarray, np.generic, float, int, complex)):
        return 0.0 if type(a) is type(b) else math.inf
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape or x.dtype != y.dtype:
        return math.inf
    if x.dtype.kind not in "fc":
        return 0.0 if bool((x == y).all()) else math.inf
    if not bool((np.isfinite(x) == np.isfinite(y)).all()):
        return math.inf
    finite = np.isfinite(x)
    scale = float(np.max(np.abs(x[finite]), initial=0.0)) or 1.0
    worst = float(np.max(np.abs(x[finite] - y[finite]), initial=0.0)) / scale
    is_double = x.dtype in (np.float64, np.complex128)
    return worst if worst > (1e-7 if is_double else 1e-3) else 0.0


def _peers(kernel: Kernel) -> dict[str, Callable[[Arguments], Any]]:
    found: dict[str, Callable[[Arguments], Any]] = {}
    if importlib.util.find_spec("numba") and (path := kernel.variant("numba_n")):
        with contextlib.suppress(Exception):
            compiled = _loaded(path, kernel.function)
            found["numba"] = lambda a: compiled(*a)
    if importlib.util.find_spec("jax") and (path := kernel.variant("jax")):
        import jax

        jax.config.update("jax_enable_x64", True)
        with contextlib.suppress(Exception):
            jitted = _loaded(path, kernel.function)
            found["jax"] = lambda a: jax.block_until_ready(jitted(*a))
    return found


def _loaded(path: Path, function: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, function)
    assert callable(found)
    return found


def timed(
    calls: dict[str, Callable[[Arguments], Any]], make: Callable[[], Arguments], seed: int
) -> dict[str, list[float]]:
    """Seconds of each call in rounds, each round in an order of its own."""
    rng = random.Random(seed)
    found: dict[str, list[float]] = {name: [] for name in calls}
    for name, call in calls.items():
        call(_fit(name, make()))
    started = time.monotonic()
    for number in range(_ROUNDS):
        order = list(calls)
        rng.shuffle(order)
        for name in order:
            arguments = _fit(name, make())
            before = time.perf_counter()
            calls[name](arguments)
            found[name].append(time.perf_counter() - before)
        if number >= 4 and time.monotonic() - started > _TIMING_S:
            break
    return found


def _fit(name: str, arguments: Arguments) -> Arguments:
    """Arguments as a peer has them before the clock starts."""
    if name != "jax":
        return arguments
    import jax.numpy as jnp

    return tuple(jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
