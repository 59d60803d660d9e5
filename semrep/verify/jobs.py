"""What a worker's child does for the verifier. Every function here runs in a fresh process."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import os
import random
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from semrep.runtime import arrays
from semrep.runtime.capture import Capture
from semrep.runtime.harness import Harness
from semrep.runtime.packing import pack, rebuild, unpack
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import Subject, fresh, prepare, seed_everything
from semrep.runtime.tracing import LineTrace
from semrep.runtime.values import ArrayValue, ContainerValue
from semrep.verify.cases import Case, Effort
from semrep.verify.conditions import against_pages, overrun, under
from semrep.verify.gradients import gradients_of
from semrep.verify.inputs import derived, refill, set_state
from semrep.verify.observation import size_of
from semrep.verify.staging import stage

FEWEST_CASES = 12
MOST_BYTES = 64 << 20
_OUTPUT_BYTES = 65_536
_GLOBAL_KINDS = (bool, int, float, complex, str, bytes, list, dict, set, tuple, type(None))


def describe(source: bytes, harness: Harness, seed: int) -> dict[str, Any]:
    """The harness's examples, constructor arguments and state as data, and one call's time.

    Returns {"error": ...} where the original does not load or its harness does not fit.
    """
    prepare(harness, source)
    launches = _launch_counter(harness)
    try:
        subject = Subject.load(source, harness, "original", seed)
        examples = subject.examples(seed)
        init = subject.init_arguments(seed)
        instance = subject.instance(seed)
        function = subject.bind(instance)
        seconds = []
        for example in examples[:1]:
            arguments = fresh(example)
            seed_everything(seed)
            started = time.perf_counter()
            function(*arguments.positional, **arguments.named)
            seconds.append(time.perf_counter() - started)
    except Exception as error:
        return {"error": raised_record(error)}
    packed = [pack(example) for example in examples]
    leaves = [
        [
            (path, arrays.dtype_of(value), tuple(value.shape))
            for path, value in arrays.array_leaves((example.positional, dict(example.named)))
        ]
        for example in examples
    ]
    state = state_of(instance)
    return {
        "examples": packed,
        "leaves": leaves,
        "init": None if init is None else pack(init),
        "state": {name: arrays.capture_array(value) for name, value in state.items()},
        "stateful": bool(state),
        "module": is_module(instance),
        "seconds": max(seconds, default=0.0),
        "launches": launches(),
    }


def learn_domain(
    source: bytes,
    harness: Harness,
    examples: list[ContainerValue | None],
    state: Mapping[str, ArrayValue],
    seed: int,
    effort: Effort,
    boundaries: tuple[int, ...],
    init: ContainerValue | None = None,
) -> dict[str, Any]:
    """What the original accepts beyond its first example; see `learning`."""
    from semrep.verify.learning import Learner

    prepare(harness, source)
    try:
        subject = Subject.load(source, harness, "original", seed)
        packed = examples[0] if examples else None
        example = subject.examples(seed)[0] if packed is None else unpack(packed, harness.device)
        made_with = None if init is None else unpack(init, harness.device)
        instance = subject.instance(seed, made_with)
        function = subject.bind(instance)
    except Exception as error:
        return {"error": raised_record(error)}
    initial = {name: rebuild(value, harness.device) for name, value in state.items()}
    learner = Learner(function, example, instance, initial, harness, effort, seed, boundaries)
    return learner.learn()


def run_cases(
    source: bytes,
    label: str,
    harness: Harness,
    cases: tuple[Case, ...],
    examples: list[ContainerValue | None],
    state: Mapping[str, ArrayValue],
    seed: int,
    check_state: bool,
    trace: bool,
    init: ContainerValue | None = None,
    stop_after_s: float | None = None,
) -> dict[str, Any]:
    """Runs one source on all cases and returns everything that can be observed about it.

    After stop_after_s seconds it stops between cases (never before a dozen) and returns those
    done; independent draws also stop when their results fill `MOST_BYTES`.
    """
    prepare(harness, source)
    launches = _launch_counter(harness)
    recorder = LineTrace(harness.path, label) if trace else None
    started = time.perf_counter()
    try:
        with recorder.recording() if recorder else _nothing():
            staged = stage(source, label, harness, examples, seed, init)
    except Exception as error:
        return {"error": raised_record(error)}
    subject, instance, function = staged.subject, staged.instance, staged.function
    known = state_of(instance)
    if check_state and set(known) != set(state):
        return {
            "state_keys": {
                "missing": sorted(set(state) - set(known)),
                "extra": sorted(set(known) - set(state)),
            }
        }
    if check_state:
        wrong = [n for n in state if tuple(known[n].shape) != state[n].shape]
        if wrong:
            return {"state_keys": {"missing": [], "extra": [], "shape": sorted(wrong)}}
        initial = {name: rebuild(value, harness.device) for name, value in state.items()}
    else:
        initial = {name: value.detach().clone() for name, value in known.items()}
    results = []
    seen_bases: set[int] = set()
    size = 0
    for number, case in enumerate(cases):
        # Where this process dies or hangs, its supervisor reads here how far it came.
        os.write(2, b"\n\x1ecase %d\n" % number)
        if case.draw and stop_after_s is not None and size > MOST_BYTES:
            break
        base = staged.bases[case.base]
        arguments = derived(fresh(base), case)
        if case.guarded:
            arguments = against_pages(arguments)
        # Inference calls again with the same weights, training with others.
        has_others = case.repeat and case.recorded
        if is_module(instance):
            set_state(instance, initial, case, salt=int(has_others))
        if case.repeat:
            _call_before(function, arguments, base, case, harness, seed)
        if is_module(instance) and has_others:
            set_state(instance, initial, case)
        # Every example of the harness may reach lines of its own: each is traced once.
        is_first = case.base not in seen_bases
        seen_bases.add(case.base)
        traced = recorder is not None and (is_first or recorder.cheap)
        with recorder.recording() if traced and recorder else _nothing():
            results.append(
                observe_call(function, arguments, instance, case, subject.module, seed, harness)
            )
        size += size_of(results[-1])
        if results[-1]["raised"] is not None and device_is_lost(harness):
            # After a fault on the device every later call fails in this process.
            break
        spent = time.perf_counter() - started
        if stop_after_s is not None and spent > stop_after_s and len(results) >= FEWEST_CASES:
            break
    return {
        "cases": results,
        "seconds": time.perf_counter() - started,
        "launches": launches(),
        "executed": sorted(recorder.lines) if recorder else [],
    }


def _call_before(
    function: Callable[..., Any],
    arguments: Arguments,
    base: Arguments,
    case: Case,
    harness: Harness,
    seed: int,
) -> None:
    """Calls once with other values in the very arrays of the case, then puts its values back."""
    values = derived(fresh(base), case)
    other = derived(fresh(base), dataclasses.replace(case, seed=case.seed ^ 1))
    refill(arguments, other)
    seed_everything(seed)
    with redirected(_Bounded()), contextlib.suppress(Exception), under(case, harness):
        function(*arguments.positional, **arguments.named)
    refill(arguments, values)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def observe_call(
    function: Callable[..., Any],
    arguments: Arguments,
    instance: Any,
    case: Case,
    module: types.ModuleType,
    seed: int,
    harness: Harness,
) -> dict[str, Any]:
    """One call and what it did: result or error, changed arguments and state, RNG, output."""
    tree = (arguments.positional, dict(arguments.named))
    leaves = arrays.array_leaves(tree)
    owners = _owners(leaves, instance)
    before = {path: _snapshot(value) for path, value in leaves}
    state_before = {name: _snapshot(value) for name, value in state_of(instance).items()}
    globals_before = _global_snapshots(module)
    plain_before = Capture()(_without_arrays(tree))
    seed_everything(seed ^ case.seed)
    record: dict[str, Any] = {"raised": None, "result": None, "gradients": {}}
    stream = _Bounded()
    started = time.perf_counter()
    value: Any = None
    with redirected(stream), under(case, harness) as seen:
        try:
            value = function(*arguments.positional, **arguments.named)
            capture = Capture(owners)
            record["result"] = capture(value)
        except Exception as error:
            record["raised"] = raised_record(error)
    record["races"] = seen.races
    record["seconds"] = time.perf_counter() - started
    record["printed"] = stream.text
    record["overrun"] = overrun(leaves) if case.guarded else []
    record["rng"] = _rng_digest()
    record["arguments"] = {
        path: arrays.capture_array(changed)
        for path, changed in leaves
        if _snapshot(changed) != before[path]
    }
    plain_after = Capture()(_without_arrays(tree))
    record["plain_arguments"] = plain_after if plain_after != plain_before else None
    record["state"] = {
        name: arrays.capture_array(changed)
        for name, changed in state_of(instance).items()
        if state_before.get(name) != _snapshot(changed)
    }
    after = _global_snapshots(module)
    record["globals"] = sorted(
        name for name in globals_before if globals_before[name] != after.get(name)
    )
    if case.gradient and record["raised"] is None:
        record["gradients"] = gradients_of(function, arguments, value, leaves, instance, case)
    return record


def raised_record(error: BaseException) -> dict[str, Any]:
    from semrep.runtime.values import kind_of

    return {
        "type": kind_of(error),
        "bases": [f"{c.__module__}.{c.__qualname__}" for c in type(error).__mro__],
        "message": str(error)[:2000],
    }


def is_module(instance: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(instance, torch.nn.Module)


def state_of(instance: Any) -> dict[str, Any]:
    if not is_module(instance):
        return {}
    torch = sys.modules["torch"]
    entries = instance.state_dict(keep_vars=True)
    return {name: value for name, value in entries.items() if isinstance(value, torch.Tensor)}


def _owners(leaves: list[tuple[str, Any]], instance: Any) -> dict[int, str]:
    owners: dict[int, str] = {}
    for path, value in leaves:
        key = arrays.storage_key(value)
        if key is not None:
            owners.setdefault(key, f"argument:{path}")
    for name, value in state_of(instance).items():
        key = arrays.storage_key(value)
        if key is not None:
            owners.setdefault(key, f"state:{name}")
    return owners


def _snapshot(value: Any) -> object:
    """What an array holds, to be compared with what it holds later. A copy compares faster
    than any hash of it is computed."""
    record = arrays.capture_array(value)
    return record and (record.dtype, record.shape, record.strides, record.data)


def _without_arrays(tree: Any) -> Any:
    return arrays.map_arrays(tree, lambda value, path: None)


def _global_snapshots(module: types.ModuleType) -> dict[str, object]:
    """Of the module's plain data and arrays, so that a call that changes them shows."""
    found: dict[str, object] = {}
    for name, value in list(vars(module).items()):
        if name.startswith("__"):
            continue
        if arrays.framework_of(value) is not None:
            found[name] = _snapshot(value)
        elif type(value) in _GLOBAL_KINDS:
            text = repr(value)
            if len(text) < 100_000:
                found[name] = text
    return found


def _rng_digest() -> str:
    hasher = hashlib.blake2b(digest_size=16)
    hasher.update(str(hash(random.getstate())).encode())
    kind, keys, position, *rest = np.random.get_state()
    hasher.update(repr((kind, position, rest)).encode() + np.asarray(keys).tobytes())
    torch = sys.modules.get("torch")
    if torch is not None:
        hasher.update(torch.get_rng_state().numpy().tobytes())
        if torch.cuda.is_initialized():
            hasher.update(torch.cuda.get_rng_state().numpy().tobytes())
    return hasher.hexdigest()


class _Bounded(io.TextIOBase):
    """Text written by the subject, up to a limit; the rest is dropped."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        room = _OUTPUT_BYTES - len(self.text)
        if room > 0:
            self.text += text[:room]
        return len(text)

    def writable(self) -> bool:
        return True


@contextmanager
def redirected(stream: _Bounded) -> Iterator[None]:
    before = sys.stdout
    sys.stdout = stream
    try:
        yield
    finally:
        sys.stdout = before


def device_is_lost(harness: Harness) -> bool:
    """Whether the device no longer works for this process, after an illegal access, say."""
    if harness.device == "cpu" or harness.framework != "torch":
        return False
    try:
        sys.modules["torch"].cuda.synchronize()
    except RuntimeError:
        return True
    return False


def _launch_counter(harness: Harness) -> Callable[[], int]:
    if not (harness.triton and harness.device == "cpu"):
        return lambda: 0
    from semrep.runtime.triton.bridge import launch_count

    return launch_count
