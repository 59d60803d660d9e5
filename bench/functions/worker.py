"""One function in a process of its own: arguments, search, check, times.

A job: kind, module, function, parameters, budget_s, timing_s, seed.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from bench.child import Row, answer
from bench.trust.program import JAX, NUMPY, Program

_HEADERS = {JAX: "import jax\nimport jax.numpy as jnp", NUMPY: "import numpy as np"}
# Packages name their own parts by private modules; who wrote the same outside would not.
_PUBLIC = {JAX: ("jax.numpy", "jax", "jax.lax", "jax.nn"), NUMPY: ("numpy",)}


def main() -> int:
    os.environ["JAX_PLATFORMS"] = "cpu"
    return answer(stages)


def stages(job: Row) -> Iterator[Row]:
    """Parts of a row as they become known. `skipped`: why this is no function to optimise."""
    from bench.functions import arguments
    from bench.trust.calling import call, load
    from bench.trust.drawing import NORMAL, draw
    from bench.trust.installed import standalone

    kind, name = job["kind"], job["function"]
    try:
        source = standalone(job["module"], name, _HEADERS[kind], _PUBLIC[kind])
        original = load(source)
    except Exception as error:
        yield {"skipped": f"no text of its own: {_described(error)}"}
        return
    program = Program(name, kind, source, name, None, job["module"], (name,))
    draws = 0

    def once(inputs: str) -> Any:
        nonlocal draws
        draws += 1
        args, kwargs = draw(_with(program, inputs), original, NORMAL, draws)
        return call(getattr(original, name), args, kwargs, draws)

    inputs = arguments.found(job["parameters"], kind, once)
    if inputs is None:
        yield {"skipped": "no arguments found by trying"}
        return
    yield {"inputs": inputs}
    yield from _optimised(_with(program, inputs), original, job)


def _with(program: Program, inputs: str) -> Program:
    return dataclasses.replace(program, inputs=inputs)


def _optimised(program: Program, original: ModuleType, job: Row) -> Iterator[Row]:
    import semrep
    from bench.kernelbench.job import refusals, rules
    from semrep.verify import Equivalent

    started = time.monotonic()
    try:
        result = semrep.optimize(
            program.source, entry=program.entry, inputs=program.inputs,
            budget=f"{job['budget_s']:g}s", seed=job["seed"],
        )  # fmt: skip
    except Exception as error:
        yield {"status": "crashed", "changed": False, "crash": _described(error)}
        return
    if result.stopped == "budget" and not result.attempts:
        yield {"skipped": "the budget ended before the search began"}
    yield {
        "optimise_s": time.monotonic() - started,
        "status": str(result.status),
        "reason": "; ".join(part for part in (result.note, *refusals(result)) if part),
        "attempts": len(result.attempts),
        "stopped": result.stopped,
        "passes": rules(result),
        "changed": result.changed,
        "verified": isinstance(result.verdict, Equivalent),
        "assumes": sorted(map(str, result.contract.assumes)) if result.changed else [],
    }
    if not result.changed:
        return
    yield {"original": program.source, "source": result.src}
    from bench.functions.check import difference
    from bench.trust.calling import load

    rewritten = load(result.src)
    yield {"speedup": _speedup(program, original, rewritten, job["timing_s"], job["seed"])}
    yield {"difference": difference(program, original, rewritten, job["seed"])}


def _speedup(
    program: Program, original: ModuleType, rewritten: ModuleType, seconds: float, seed: int
) -> list[float]:
    """Original over rewritten, with the interval: calls in turns, in random order."""
    from bench.kernelbench.timing import ORIGINAL, REWRITTEN, Timed, interleaved
    from bench.trust.drawing import NORMAL, draw

    args, kwargs = draw(program, original, NORMAL, seed)

    def bound(module: ModuleType) -> Callable[[], Any]:
        function = getattr(module, str(program.entry))
        if program.kind != JAX:
            return lambda: function(*args, **kwargs)
        import jax

        finished: Callable[[Any], Any] = jax.block_until_ready
        return lambda: finished(function(*args, **kwargs))

    import numpy as np

    with np.errstate(all="ignore"):
        calls = {ORIGINAL: bound(original), REWRITTEN: bound(rewritten)}
        return list(Timed(interleaved(calls, seconds, seed)).speedup(seed=seed))


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:160]}"


if __name__ == "__main__":
    raise SystemExit(main())
