"""Frames carry a closed set of values and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semrep.runtime.frames import FrameError, decode, encode
from semrep.runtime.triton.bfloat16 import round_to_bfloat16, widen
from semrep.runtime.values import ArrayValue, ContainerValue

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(PLAIN)
def test_round_trip(value: object) -> None:
    assert decode(encode(value, b"n"), b"n") == value


def test_records_round_trip() -> None:
    array = ArrayValue("numpy.ndarray", "float32", (2,), np.float32([1, 2]).tobytes())
    tree = ContainerValue("tuple", (0, 1), (array, float("nan")))
    again = decode(encode(tree))
    assert again.items[0] == array and np.isnan(again.items[1])


@pytest.mark.parametrize("cut", [0, 5, 20, -1])
def test_a_cut_or_foreign_frame_is_refused(cut: int) -> None:
    frame = encode([1, b"abc"], b"nonce")
    with pytest.raises(FrameError):
        decode(frame[:cut] if cut else b"", b"nonce")
    with pytest.raises(FrameError):
        decode(frame, b"other")


def test_objects_have_no_place() -> None:
    with pytest.raises(TypeError):
        encode(object())


def test_bfloat16_rounds_to_nearest_even() -> None:
    import torch

    values = np.random.default_rng(0).standard_normal(4096).astype(np.float32)
    values[:4] = [np.inf, -np.inf, 0.0, 3.3e38]
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    assert np.array_equal(widen(round_to_bfloat16(values)), expected)
