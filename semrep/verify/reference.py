"""The original in float64, and how its results move when its inputs move by one rounding.

Runs inside a worker's child, on the original only.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semrep.runtime import arrays
from semrep.runtime.harness import Harness
from semrep.runtime.packing import rebuild
from semrep.runtime.specs import Arguments
from semrep.runtime.subject import Subject, fresh, prepare
from semrep.runtime.values import ArrayValue, ContainerValue, widened
from semrep.verify import jobs
from semrep.verify.cases import Case
from semrep.verify.inputs import derived, set_state
from semrep.verify.observation import flattened
from semrep.verify.staging import stage

PERTURBATIONS = 3
# Derivatives cancel more: a few draws too often miss how far an element moves.
_PERTURBATIONS_OF_GRADIENTS = 8
# Roundings that a float64 original is taken to be off where that cannot be seen.
BLIND_ERROR = 16.0
_BLOCK = 1 << 16
Floats = NDArray[np.float64]


def run_reference(
    source: bytes,
    harness: Harness,
    cases: tuple[Case, ...],
    examples: list[ContainerValue | None],
    state: Mapping[str, ArrayValue],
    seed: int,
    init: ContainerValue | None = None,
    stop_after_s: float | None = None,
) -> dict[str, Any]:
    """For each case a dict path → (reference, condition, error), or why not.

    reference: the original run in float64. condition: the largest change of it over several
    relative perturbations of all floating inputs and parameters by their unit roundoff, or of
    the original in its own precision, which also shows the rounding of what lies between
    (terms that cancel exactly leave only that; cf. Vignes, stochastic arithmetic, 1993). Both
    are float64 arrays. error: for cases in float64, where the reference is the original once
    more, how many roundings the original is off; otherwise 0.
    """
    prepare(harness, source)
    try:
        staged = stage(source, "reference", harness, examples, seed, init)
        initial = {name: rebuild(value, harness.device) for name, value in state.items()}
        if harness.framework == "jax":
            import jax

            jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    found: list[dict[str, Any]] = []
    started = time.perf_counter()
    for case in cases:
        if stop_after_s is not None and time.perf_counter() - started > stop_after_s:
            found.append({"error": f"the float64 runs took longer than {stop_after_s:.0f} s"})
            continue
        try:
            base = staged.bases[case.base]
            found.append(_case(staged.subject, staged.instance, initial, base, case, seed))
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
        set_state(instance, initial, case)
    own_state = {name: v.detach().clone() for name, v in jobs.state_of(instance).items()}
    run = _Run(subject, instance, own_state, arguments, case, seed)
    condition: dict[str, Floats] = {}
    exact: dict[str, Floats] = {}
    draws = _PERTURBATIONS_OF_GRADIENTS if case.gradient else PERTURBATIONS
    # The narrow runs come first: after them the module stays in float64.
    for precision in ("own", "double"):
        exact = run.call(precision)
        for number in range(draws):
            generator = np.random.default_rng([case.seed, number])
            _widen_condition(condition, exact, run.call(precision, generator))
    # Last, in float64: what lies between is rounded, too. Its size hardly depends on the draw.
    _widen_condition(condition, exact, run.rounded(case.seed))
    errors = run.errors_in_single(exact, condition) if run.is_double else {}
    return {
        path: (_record(values), _record(condition[path]), errors.get(path, 0.0))
        for path, values in exact.items()
        if path in condition
    }


def _widen_condition(
    condition: dict[str, Floats], exact: Mapping[str, Floats], moved: Mapping[str, Floats]
) -> None:
    for path, values in exact.items():
        known = condition.setdefault(path, np.zeros_like(values))
        other = moved.get(path)
        if other is None or other.shape != values.shape or known.shape != values.shape:
            continue
        with np.errstate(all="ignore"):
            change = np.abs(other - values)
        condition[path] = np.maximum(known, np.where(np.isfinite(change), change, 0.0))


def _record(values: Floats) -> ArrayValue:
    return ArrayValue("numpy.ndarray", "float64", tuple(values.shape), values.tobytes())


@dataclass(frozen=True, slots=True)
class _Run:
    """The original on one case, in several precisions."""

    subject: Subject
    instance: Any
    own_state: Mapping[str, Any]
    arguments: Arguments
    case: Case
    seed: int

    @property
    def is_double(self) -> bool:
        """Whether the case computes in float64 already, so that its reference is no better."""
        return any(arrays.dtype_of(v) in ("float64", "complex128") for v in self.floating())

    def rounded(self, seed: int) -> dict[str, Floats]:
        """A torch program in float64 with what lies between inputs and results rounded as the
        finest of its inputs is; {} for others, and where it cannot be run so."""
        if self.subject.harness.framework != "torch":
            return {}
        from semrep.verify.roundings import rounded

        dtypes = (arrays.dtype_of(v) for v in self.floating())
        roundoff = min((arrays.ROUNDOFF[d] for d in dtypes), default=arrays.ROUNDOFF["float32"])
        try:
            with rounded(roundoff, seed), _rounded_kernels(roundoff, seed):
                return self.call("double")
        except Exception:
            return {}

    def floating(self) -> list[Any]:
        """Inputs, parameters and buffers of floating types."""
        tree = (self.arguments.positional, dict(self.arguments.named))
        values = [value for _, value in arrays.array_leaves(tree)] + list(self.own_state.values())
        return [v for v in values if arrays.dtype_of(v) in arrays.ROUNDOFF]

    def errors_in_single(
        self, exact: Mapping[str, Floats], condition: Mapping[str, Floats]
    ) -> dict[str, float]:
        """How many roundings the original is off, by path, seen where it can be seen: in
        float32, against float64 on the same inputs. To first order that number is the same in
        every precision (Higham, Accuracy and Stability of Numerical Algorithms, ch. 3)."""
        try:
            narrow = self.call("single")
            wide = self.call("rounded")
        except Exception:
            return dict.fromkeys(exact, BLIND_ERROR)
        found = {}
        single, double = arrays.ROUNDOFF["float32"], arrays.ROUNDOFF["float64"]
        for path, values in wide.items():
            if path not in narrow or narrow[path].shape != values.shape or path not in condition:
                continue
            with np.errstate(all="ignore"):
                scale = single * np.abs(values) + condition[path] * (single / double)
                off = np.abs(narrow[path] - values) / scale
            found[path] = float(np.max(off[np.isfinite(off)], initial=0.0))
        return found

    def call(
        self, precision: str, generator: np.random.Generator | None = None
    ) -> dict[str, Floats]:
        """Float leaves of one call's result, changed arguments, state and gradients, as float64.

        precision: "own", "double", "single" (computes in float32), or "rounded" (computes in
        float64 on inputs rounded to float32). generator: moves all floating inputs and
        parameters by one rounding, up or down.
        """
        # Twice the roundoff is the least that surely changes a number in its own precision.
        step = 2.0 if precision == "own" else 1.0
        rounds = precision in ("single", "rounded")

        def moved(values: Any, dtype: str, draws: np.random.Generator | None) -> Any:
            if rounds:
                narrow = "complex64" if np.iscomplexobj(values) else "float32"
                values = values.astype(narrow).astype(values.dtype)
            if draws is None:
                return values
            return _moved(values, step * arrays.ROUNDOFF[dtype], arrays.SMALLEST[dtype], draws)

        def prepared(value: Any, path: str) -> Any:
            dtype = arrays.dtype_of(value)
            kind = arrays.framework_of(value)
            assert kind is not None
            if dtype not in arrays.ROUNDOFF:
                return value
            is_complex = dtype.startswith("complex")
            values = arrays.to_numpy(value).astype("complex128" if is_complex else "float64")
            target = {
                "own": dtype,
                "single": "complex64" if is_complex else "float32",
            }.get(precision, "complex128" if is_complex else "float64")
            made = arrays.from_numpy(moved(values, dtype, generator), kind, target, _device(value))
            if kind == "torch" and value.requires_grad:
                made = made.requires_grad_(True)
            return made

        tree = (self.arguments.positional, dict(self.arguments.named))
        args, named = arrays.map_arrays(tree, prepared)
        torch = sys.modules.get("torch")
        if jobs.is_module(self.instance):
            assert torch is not None
            if precision == "single":
                self.instance.float()
            elif precision != "own":
                self.instance.double()
            with torch.no_grad():
                for name, target in jobs.state_of(self.instance).items():
                    source = self.own_state[name]
                    if not source.is_floating_point():
                        target.copy_(source)
                        continue
                    values = arrays.to_numpy(source).astype(np.float64)
                    salt = None
                    if generator is not None:
                        salt = np.random.default_rng(
                            [zlib.crc32(name.encode()), int(generator.integers(2**31))]
                        )
                    values = moved(values, arrays.dtype_of(source), salt)
                    target.copy_(torch.from_numpy(np.array(values)))
        double = precision in ("double", "rounded")
        with _double_default(torch if double else None):
            record = jobs.observe_call(
                self.subject.bind(self.instance),
                Arguments(tuple(args), named),
                self.instance,
                self.case,
                self.subject.module,
                self.seed,
                self.subject.harness,
            )
        if record["raised"] is not None:
            raised = record["raised"]
            raise RuntimeError(f"{raised['type']}: {raised['message']}")
        return {
            path: widened(leaf.numpy())
            for path, leaf in flattened(record)
            if isinstance(leaf, ArrayValue) and leaf.dtype in arrays.ROUNDOFF
        }


def _moved(values: Any, roundoff: float, smallest: float, generator: np.random.Generator) -> Any:
    """The values, each a rounding up or down: relative, and for subnormals the least there is."""
    values = np.ascontiguousarray(values)
    result = np.empty_like(values)
    old, new = values.reshape(-1), result.reshape(-1)
    # Blocks that stay in the cache: weights are millions.
    for start in range(0, old.size, _BLOCK):
        part = old[start : start + _BLOCK]
        down = generator.integers(0, 2, size=part.size, dtype=np.int8)
        with np.errstate(all="ignore"):
            change = part * (1.0 - 2.0 * down) * roundoff
            # In float64 the change of a subnormal is nothing at all.
            tiny = (np.abs(change) < smallest) & (part != 0)
            if tiny.any():
                change = np.where(tiny, np.where(down, -smallest, smallest), change)
            if not np.isfinite(change).all():
                change = np.where(np.isfinite(part), change, 0)
            np.add(part, change, out=new[start : start + _BLOCK])
    return result


def _device(value: Any) -> str:
    return str(value.device) if arrays.framework_of(value) == "torch" else "cpu"


def _rounded_kernels(roundoff: float, seed: int) -> AbstractContextManager[None]:
    """Kernels too, where Triton's interpreter runs them."""
    rounding = sys.modules.get("semrep.runtime.triton.rounding")
    return nullcontext() if rounding is None else rounding.rounded(roundoff, seed)


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
