"""Do a source's kernels compile? Runs in a fresh process that does not interpret them."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from semrep.runtime import arrays
from semrep.runtime.harness import Harness
from semrep.runtime.packing import rebuild
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import fresh, prepare, seed_everything
from semrep.runtime.values import ArrayValue, ContainerValue
from semrep.verify.cases import Case
from semrep.verify.gradients import gradients_of
from semrep.verify.inputs import derived, set_state
from semrep.verify.jobs import is_module, raised_record
from semrep.verify.staging import stage

_SECONDS = 20.0


def compile_cases(
    source: bytes,
    label: str,
    harness: Harness,
    cases: tuple[Case, ...],
    examples: list[ContainerValue | None],
    state: Mapping[str, ArrayValue],
    seed: int,
    init: ContainerValue | None = None,
) -> dict[str, Any]:
    """How many launches there are that differ, and the first that the compiler refuses, with the
    number of its case; as far as the time goes. {"error": ...} where the source does not load."""
    from semrep.runtime.triton import frontend

    frontend.install()
    prepare(replace(harness, triton=False), source)
    started = time.perf_counter()
    try:
        staged = stage(source, label, harness, examples, seed, init)
    except Exception as error:
        return {"error": raised_record(error)}
    initial = {name: rebuild(value, harness.device) for name, value in state.items()}
    launches = 0
    for number, case in enumerate(cases):
        arguments = derived(fresh(staged.bases[case.base]), case)
        if is_module(staged.instance):
            set_state(staged.instance, initial, case)
        seed_everything(seed ^ case.seed)
        with frontend.compiling() as compiled, contextlib.redirect_stdout(io.StringIO()):
            _call(staged.function, arguments, staged.instance, case)
        launches += len(compiled.launches)
        for kernel, message in compiled.refused.items():
            return {"launches": launches, "refused": (kernel, message, number)}
        if time.perf_counter() - started > _SECONDS:
            break
    return {"launches": launches, "refused": None}


def _call(function: Any, arguments: Arguments, instance: Any, case: Case) -> None:
    # Nothing was computed: what a launcher makes of its results may raise, and says nothing.
    with contextlib.suppress(Exception):
        value = function(*arguments.positional, **arguments.named)
        if case.gradient:
            leaves = arrays.array_leaves((arguments.positional, dict(arguments.named)))
            gradients_of(function, arguments, value, leaves, instance, case)
