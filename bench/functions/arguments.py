"""Arguments for a function of which only the parameters' names are known, found by trying."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.outcomes import Timeout, deadline
from bench.trust.program import JAX

_MOST_TRIES = 60
_CALL_S = 10.0  # JAX compiles first
# Shapes that the arrays of one call may have: the first array's, and all others'. Lengths
# differ from each other, so that a check can change one of them alone.
_SHAPES = (
    ("48, 40", "48, 40"), ("64", "64"), ("40, 40", "40, 40"), ("40, 40", "40"), ("40", "40, 40"),
    ("48, 40", "40"), ("48, 40", "40, 24"), ("12, 3", "12, 3"), ("12, 4", "12, 4"),
    ("6, 20, 24", "6, 20, 24"), ("3, 3", "3"), ("", ""),
)  # fmt: skip
_COUNTS = """
n m k num order deg degree size length count nx ny npts n_points numtaps n_bins bins nfft pad width
radius N M K L repeats offset shift
"""
_AXES = "axis axes dim dimension axis1 axis2 source destination"
_SHAPE_NAMES = "shape dims reps newshape output_shape sizes"
_SEQUENCES = "arrays arys seq tup sequence list xs args samples"
_SHARES = "p q prob probability alpha beta quantile weights pk qk"

# By name: what an argument may be, the likeliest first.
_KINDS = {
    **dict.fromkeys(_COUNTS.split(), ("3", "array", "0.7")),
    **dict.fromkeys(_AXES.split(), ("0", "1")),
    **dict.fromkeys(_SHAPE_NAMES.split(), ("(6, 5)", "array", "3")),
    **dict.fromkeys(_SEQUENCES.split(), ("arrays", "array")),
    **dict.fromkeys(_SHARES.split(), ("share", "array", "0.7", "3")),
}
_OTHERWISE = ("array", "0.7", "3", "share", "arrays")

Call = Callable[[str], Any]


def found(parameters: Sequence[str], kind: str, call: Call) -> str | None:
    """An expression of a tuple of arguments with which a call gives numbers that depend on the
    arguments. call: the result for arguments from an expression, drawn anew each time."""
    for text in itertools.islice(_expressions(parameters, kind), _MOST_TRIES):
        try:
            with deadline(_CALL_S):
                results = [_numbers(call(text)) for _ in range(2)]
        except (Exception, Timeout):
            continue
        if results[0] and results[0] != results[1] and any(map(math.isfinite, results[0])):
            return text
    return None


def _expressions(parameters: Sequence[str], kind: str) -> Iterator[str]:
    """Likely ones first: each argument is an array unless its name says otherwise; then one or
    more of them are numbers."""
    dtype = "f32" if kind == JAX else "f64"
    choices = [_KINDS.get(name.strip("_"), _OTHERWISE) for name in parameters]
    combined = sorted(
        itertools.product(*(range(len(c)) for c in choices)), key=lambda picks: (sum(picks), picks)
    )
    for picks in combined:
        kinds = [c[i] for c, i in zip(choices, picks, strict=True)]
        seen = set()
        for first, others in _SHAPES:
            arrays = iter([first])
            parts = [_written(one, dtype, arrays, others) for one in kinds]
            text = f"({', '.join(parts)},)"
            if text not in seen:
                seen.add(text)
                yield text


def _written(kind: str, dtype: str, first: Iterator[str], others: str) -> str:
    if kind not in ("array", "arrays", "share"):
        return kind
    shape = next(first, others)
    one = f"rand({shape})" if kind == "share" else f"{dtype}({shape})"
    return f"[{one}, {one}]" if kind == "arrays" else one


def _numbers(value: Any) -> list[float]:
    """All numbers in a result, in order; none where something else is in it."""
    import numpy as np

    if isinstance(value, (list, tuple)):
        parts = [_numbers(v) for v in value]
        return [n for part in parts for n in part] if all(parts) else []
    array = np.asarray(value)
    if array.dtype.kind not in "fiubc" or isinstance(value, (str, bytes)):
        return []
    return [float(x) for x in np.abs(array).ravel().astype(np.float64)]
