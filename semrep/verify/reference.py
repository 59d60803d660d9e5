"""The original in float64, and how its results move when its inputs move by one rounding.

Runs inside a worker's child, on the original only.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.harness import Harness
from semrep.runtime.packing import rebuild, unpack
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import Subject, fresh, prepare
from semrep.runtime.values import ArrayValue, ContainerValue, widened
from semrep.verify import jobs
from semrep.verify.cases import Case
from semrep.verify.inputs import derived, set_state
from semrep.verify.observation import flattened

PERTURBATIONS = 3


def run_reference(
    source: bytes,
    harness: Harness,
    cases: tuple[Case, ...],
    examples: list[ContainerValue | None],
    state: Mapping[str, ArrayValue],
    seed: int,
) -> dict[str, Any]:
    """For each case a dict path → (reference, condition) of float64 arrays, or why not.

    reference: the original run in float64. condition: the largest change of it over three
    relative perturbations of all floating inputs and parameters by their unit roundoff.
    """
    prepare(harness, source)
    bases = [None if packed is None else unpack(packed, harness.device) for packed in examples]
    try:
        subject = Subject.load(source, harness, "reference", seed)
        if None in bases:
            own = subject.examples(seed)
            bases = [given or own[i] for i, given in enumerate(bases)]
        instance = subject.instance(seed)
        initial = {name: rebuild(value, harness.device) for name, value in state.items()}
        if harness.framework == "jax":
            import jax

            jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    found = []
    for case in cases:
        base = bases[case.base]
        assert base is not None
        try:
            found.append(_case(subject, instance, initial, base, case, seed))
        except Exception as error:
            found.append({"error": f"{type(error).__name__}: {str(error)[:300]}"})
    return {"cases": found}


def _case(
    subject: Subject,
    instance: Any,
    initial: Mapping[str, Any],
    base: Arguments,
    case: Case,
    seed: int,
) -> dict[str, Any]:
    arguments = derived(fresh(base), case)
    if jobs.is_module(instance):
        instance.float()
        set_state(instance, initial, case)
    own_state = {name: v.detach().clone() for name, v in jobs.state_of(instance).items()}
    exact = _call(subject, instance, own_state, arguments, case, seed, None)
    condition = {path: np.zeros_like(values) for path, values in exact.items()}
    for number in range(PERTURBATIONS):
        generator = np.random.default_rng([case.seed, number])
        moved = _call(subject, instance, own_state, arguments, case, seed, generator)
        for path, values in exact.items():
            other = moved.get(path)
            if other is None or other.shape != values.shape:
                continue
            with np.errstate(all="ignore"):
                change = np.abs(other - values)
            change[~np.isfinite(change)] = 0.0
            np.maximum(condition[path], change, out=condition[path])
    return {path: (_record(values), _record(condition[path])) for path, values in exact.items()}


def _record(values: np.ndarray[Any, np.dtype[np.float64]]) -> ArrayValue:
    return ArrayValue("numpy.ndarray", "float64", tuple(values.shape), values.tobytes())


def _call(
    subject: Subject,
    instance: Any,
    own_state: Mapping[str, Any],
    arguments: Arguments,
    case: Case,
    seed: int,
    generator: np.random.Generator | None,
) -> dict[str, Any]:
    """One call in float64; float leaves of its result, changed arguments, state, gradients."""

    def wide(value: Any, path: str) -> Any:
        dtype = arrays.dtype_of(value)
        kind = arrays.framework_of(value)
        assert kind is not None
        target = {"complex64": "complex128", "complex128": "complex128"}.get(dtype, "float64")
        if dtype not in arrays.ROUNDOFF:
            return value
        values = arrays.to_numpy(value).astype(target)
        if generator is not None:
            values = _moved(values, arrays.ROUNDOFF[dtype], generator)
        made = arrays.from_numpy(values, kind, target, _device(value))
        if kind == "torch" and value.requires_grad:
            made = made.requires_grad_(True)
        return made

    args, named = arrays.map_arrays((arguments.positional, dict(arguments.named)), wide)
    torch = sys.modules.get("torch")
    if jobs.is_module(instance):
        assert torch is not None
        instance.double()
        with torch.no_grad():
            for name, target in jobs.state_of(instance).items():
                source = own_state[name]
                if not source.is_floating_point():
                    target.copy_(source)
                    continue
                values = arrays.to_numpy(source).astype(np.float64)
                if generator is not None:
                    salt = np.random.default_rng(
                        [zlib.crc32(name.encode()), int(generator.integers(2**31))]
                    )
                    values = _moved(values, arrays.ROUNDOFF[arrays.dtype_of(source)], salt)
                target.copy_(torch.from_numpy(np.array(values)))
    with _double_default(torch):
        moved = Arguments(tuple(args), named)
        record = jobs.observe_call(
            subject.bind(instance), moved, instance, case, subject.module, seed
        )
    if record["raised"] is not None:
        raised = record["raised"]
        raise RuntimeError(f"{raised['type']}: {raised['message']}")
    return {
        path: widened(leaf.numpy()) if isinstance(leaf, ArrayValue) else np.float64(leaf)
        for path, leaf in flattened(record)
        if _is_float(leaf)
    }


def _is_float(leaf: Any) -> bool:
    if isinstance(leaf, ArrayValue):
        return leaf.dtype in arrays.ROUNDOFF
    return False


def _moved(values: Any, roundoff: float, generator: np.random.Generator) -> Any:
    signs = generator.choice(np.array([-1.0, 1.0]), size=values.shape)
    with np.errstate(all="ignore"):
        return values + np.where(np.isfinite(values), values, 0) * roundoff * signs


def _device(value: Any) -> str:
    return str(value.device) if arrays.framework_of(value) == "torch" else "cpu"


@contextmanager
def _double_default(torch: Any) -> Iterator[None]:
    """Tensors that the original makes by itself are float64 too."""
    if torch is None:
        yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
