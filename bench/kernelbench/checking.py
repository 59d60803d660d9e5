"""Is the rewritten problem right? KernelBench's own check, and a comparison with float64.

KernelBench asks for |difference| ≤ 1e-4 + 1e-4 |original| at every element, on five draws. Its
bound ignores the scale of the numbers that were added up, so sound rewrites of sums that cross
zero fail it, and constant outputs pass. What counts here is float64: a rewrite is wrong where
its error is more than eight times the original's own and above 1e-5 of the result's scale.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch

from bench.kernelbench.subjects import (
    copied,
    doubled,
    inputs_of,
    model_of,
    namespace,
    tensors,
    wider,
)

TRIALS = 5
_ATOL = _RTOL = 1e-4
_MORE_THAN_ORIGINAL = 8.0
_OF_SCALE = 1e-5
# An original that is itself this far from float64 draws random numbers or decides by rounding.
_NO_REFERENCE = 1e-2


@dataclass(frozen=True, slots=True)
class Checked:
    """kernelbench: passed its check. excess: the worst difference as a multiple of its bound.
    original_error, rewritten_error: worst error against the reference, as a part of the largest
    magnitude in the result. reference: "float64", or "original" where float64 cannot serve.
    wrong: more than eight times the original's error, and above 1e-5. where: the worst draw."""

    kernelbench: bool
    excess: float
    original_error: float
    rewritten_error: float
    reference: str
    wrong: bool
    where: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def check(original: str, rewritten: str, seed: int = 0) -> Checked:
    """Both texts on five draws of the problem's own inputs, one of wider inputs, and one with
    other weights. Raises what the original raises; a rewritten one that raises is wrong."""
    spaces = [namespace(original, "original"), namespace(rewritten, "rewritten")]
    models = [model_of(space, seed) for space in spaces]
    double = copy.deepcopy(models[0]).double()
    excess, worst, passes = 0.0, (0.0, 0.0, "", False, "float64"), True
    draws = [(f"seed {seed + n}", False) for n in range(TRIALS)] + [("wider inputs", True)]
    for number, (name, is_wide) in enumerate([*draws, ("other weights", False)]):
        if name == "other weights":
            for model in (*models, double):
                _shake(model, seed)
        inputs = inputs_of(spaces[0], seed + number)
        inputs = [wider(x) for x in inputs] if is_wide else inputs
        outs = []
        for model in models:
            torch.manual_seed(seed + number)
            try:
                outs.append(tensors(model(*(copied(x) for x in inputs))))
            except Exception as error:
                if model is models[0]:
                    raise
                why = f"{name}: {type(error).__name__}: {str(error)[:200]}"
                return Checked(False, float("inf"), 0.0, float("inf"), "original", True, why)
        if number < TRIALS:
            found = _kernelbench_excess(outs[0], outs[1])
            excess = max(excess, found)
            passes &= found <= 1.0
        torch.manual_seed(seed + number)
        reference = _in_double(double, inputs)
        errors = _errors(outs[0], outs[1], reference)
        is_wrong = errors[1] > _OF_SCALE and errors[1] > _MORE_THAN_ORIGINAL * errors[0]
        rank = (is_wrong, errors[1])
        if rank > (worst[3], worst[1]) or not worst[2]:
            worst = (errors[0], errors[1], name, is_wrong, errors[2])
    return Checked(passes, excess, worst[0], worst[1], worst[4], worst[3], worst[2])


def _kernelbench_excess(one: list[Any], other: list[Any]) -> float:
    """The largest difference in units of atol + rtol |original|; infinite for other shapes."""
    if [t.shape for t in one] != [t.shape for t in other]:
        return float("inf")
    largest = 0.0
    for a, b in zip(one, other):
        if not a.numel():
            continue
        a, b = a.double(), b.double()
        same = (a == b) | (a.isnan() & b.isnan())
        ratio = torch.where(same, 0.0, (a - b).abs() / (_ATOL + _RTOL * a.abs()))
        largest = max(largest, float(ratio.nan_to_num(float("inf"), float("inf")).max()))
    return largest


def _in_double(model: Any, inputs: list[Any]) -> list[Any] | None:
    try:
        return tensors(model(*(doubled(x) for x in inputs)))
    except Exception:
        return None


def _errors(
    original: list[Any], rewritten: list[Any], reference: list[Any] | None
) -> tuple[float, float, str]:
    """Errors of both and against what."""
    if reference is not None:
        own = error_of(original, reference)
        if own <= _NO_REFERENCE:
            return own, error_of(rewritten, reference), "float64"
    # Rounding of the original is unknown then: allow it what KernelBench does.
    return _ATOL / _MORE_THAN_ORIGINAL, error_of(rewritten, original), "original"


def error_of(found: list[Any], reference: list[Any]) -> float:
    """The largest difference as a part of the largest finite magnitude in the reference.
    Infinite where shapes, NaNs or infinities differ."""
    if [t.shape for t in found] != [t.shape for t in reference]:
        return float("inf")
    worst = 0.0
    for a, b in zip(found, reference):
        if not a.numel():
            continue
        a, b = a.double(), b.double()
        same = (a == b) | (a.isnan() & b.isnan())
        finite = b[b.isfinite()].abs()
        scale = max(float(finite.max()) if finite.numel() else 0.0, 1e-30)
        off = torch.where(same, 0.0, (a - b).abs() / scale)
        worst = max(worst, float(off.nan_to_num(float("inf"), float("inf")).max()))
    return worst


def _shake(model: Any, seed: int) -> None:
    """Other weights and statistics, the same ones for the same names and shapes."""
    for name, tensor in sorted(model.state_dict(keep_vars=True).items()):
        if tensor.is_floating_point():
            generator = torch.Generator().manual_seed(seed + sum(name.encode()))
            noise = torch.rand(tensor.shape, generator=generator).to(tensor.dtype)
            # Variances stay positive, scales stay of one order.
            tensor.data = tensor.data * (0.75 + 0.5 * noise) + 0.05 * noise
