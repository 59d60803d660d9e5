"""Whether two versions of a function differ, by a fuzzer that knows nothing of semrep.

Each round of `bench.trust.arbiter` is about a hundred draws: magnitudes, other sizes, NaN and
infinities, strides. There is a round as the search was given the arguments, one with another
precision, and one with whole numbers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any

from bench.trust.arbiter import Arbiter
from bench.trust.program import JAX, Program

GIVEN = "as given"
_FLOATS = re.compile(r"\bf(?:32|64)\(")


def difference(program: Program, original: ModuleType, rewritten: ModuleType, seed: int) -> str:
    """Where they differ and how, on the first round that shows it; "" where none does."""
    for name, inputs, precision in _rounds(program):
        asked = dataclasses.replace(program, inputs=inputs)
        with precision:
            finding = Arbiter(asked, original, seed).judge(rewritten)
        if finding is not None:
            return f"{name}, {finding.where}: {finding.what}"
    return ""


def _rounds(program: Program) -> Iterator[tuple[str, str, AbstractContextManager[Any]]]:
    inputs = str(program.inputs)
    yield GIVEN, inputs, nullcontext()
    if program.kind == JAX:
        import jax

        yield "float64", _FLOATS.sub("f64(", inputs), jax.enable_x64(True)
    else:
        yield "float32", _FLOATS.sub("f32(", inputs), nullcontext()
    yield "whole numbers", _FLOATS.sub("ints(-3, 4, ", inputs), nullcontext()
