"""The firing cases of the family are run: both versions must agree on random arrays of the types
that their signatures tell, in results and in what is left in the arguments."""

from __future__ import annotations

import copy
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semrep.ir.signature import ScalarType, TensorType
from tests.passes import cases, differential
from tests.passes.signature_text import parse_signature

_OURS = (
    "vectorize-elementwise-loop", "vectorize-function-loop", "reduce-accumulation-loop",
    "matrix-product-loop", "batch-loop", "reuse-buffers", "contract-window-loop",
    "scale-after-product", "sum-segments-loop", "interchange-triangular-loop",
    "unbox-loop", "merge-product-batch", "triangular-product-loop",
    "map-batch-loop", "scan-time-loop",
)  # fmt: skip
CASES = [
    case
    for path in sorted(Path(__file__).parent.glob("*.md"))
    for case in cases.read(path)
    if "python before" in case.blocks and case.spec in _OURS
]


def _value(fact: Any, rng: np.random.Generator) -> Any:
    if isinstance(fact, ScalarType):
        return {"int": int, "float": float}[fact.name](fact.value)
    assert isinstance(fact, TensorType)
    if fact.dtype.startswith("int"):
        array = rng.integers(-3, 4, fact.shape).astype(fact.dtype)
    else:
        array = rng.normal(size=fact.shape).astype(fact.dtype)
        array.reshape(-1)[::5] = rng.choice([0.0, -0.0, 1.0, np.nan], len(array.reshape(-1)[::5]))
    if fact.framework == "torch":
        import torch

        return torch.from_numpy(array)
    if fact.framework == "jax":
        import jax.numpy as jnp

        return jnp.asarray(array)
    return array


def _plain(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value


def _parts(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_both_versions_agree(case: cases.Case) -> None:
    signature = parse_signature(case.blocks["signature"])
    before = differential.load(case.blocks["python before"])
    after = differential.load(case.blocks["python after"])
    for seed in range(4):
        rng = np.random.default_rng(zlib.crc32(case.id.encode()) + seed)
        one = [_value(fact, rng) for _, fact in signature.arguments]
        other = copy.deepcopy(one)
        with np.errstate(all="ignore"):
            expected, found = before(*one), after(*other)
        assert type(expected) is type(found)
        for a, b in zip([*_parts(expected), *one], [*_parts(found), *other], strict=True):
            x, y = np.asarray(_plain(a)), np.asarray(_plain(b))
            if x.dtype.kind == "O":
                continue  # no result
            assert x.dtype == y.dtype and x.shape == y.shape
            tolerance = 1e-4 if x.dtype == np.float32 else 1e-10
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
