"""The comparison itself, on records made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from semrep.passes.contract import BITWISE, REASSOCIATES, WITHIN_TOLERANCE, Numerics
from semrep.runtime.values import ArrayValue
from semrep.verify.cases import Case
from semrep.verify.control import known_wrong
from semrep.verify.oracle import Comparison, needs_reference
from semrep.verify.tolerance import read_floats


def array(values: Any, dtype: str = "float32") -> ArrayValue:
    made = np.asarray(values, dtype=dtype)
    return ArrayValue("numpy.ndarray", dtype, made.shape, made.tobytes(), made.strides)


def record(result: Any, **changed: Any) -> dict[str, Any]:
    base = {
        "raised": None, "result": result, "gradients": {}, "races": [], "overrun": [],
        "printed": "", "rng": "", "arguments": {}, "plain_arguments": None, "state": {},
        "globals": [],
    }  # fmt: skip
    return {**base, **changed}


CASE = Case("normal", 0, values="normal")


def compare(old: Any, new: Any, contract: Any = WITHIN_TOLERANCE, **options: Any) -> Any:
    comparison = Comparison(contract)
    found = comparison.compare(
        options.pop("case", CASE), record(old), record(new), options.pop("reference", None)
    )
    return found, comparison


def test_one_wrong_element_in_a_million() -> None:
    right = np.ones(1_000_000, np.float32)
    wrong = right.copy()
    wrong[123_456] += 1e-3
    found, _ = compare(array(right), array(wrong))
    assert found is not None and found.index == (123_456,) and found.wrong == 1


def test_zeros_where_the_result_is_tiny() -> None:
    found, _ = compare(array([2.5e-6] * 64), array([0.0] * 64))
    assert found is not None


def test_a_result_of_noise_alone_is_undecided() -> None:
    noise = np.array([1e-9, -2e-9], np.float32)
    reference = {"result": (array([0.0, 0.0], "float64"), array([1e-8, 1e-8], "float64"), 0.0)}
    found, comparison = compare(array(noise), array(-noise), reference=reference)
    assert found is None and comparison.drowned == "result"
    reference = {"result": (array([0.0, 1.0], "float64"), array([1e-8, 1e-8], "float64"), 0.0)}
    same = array([1e-9, 1.0])
    found, comparison = compare(same, array([-1e-9, 1.0]), reference=reference)
    assert found is None and comparison.drowned is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_values_follow_the_original(value: float) -> None:
    assert compare(array([1.0, value]), array([1.0, value]))[0] is None
    assert compare(array([1.0, value]), array([1.0, 0.0]))[0] is not None
    assert compare(array([1.0, 0.0]), array([1.0, value]))[0] is not None


def test_overflow_is_excused_only_near_the_largest_number() -> None:
    near = {"result": (array([3.3e38], "float64"), array([1e31], "float64"), 0.0)}
    assert compare(array([3.3e38]), array([np.inf]), reference=near)[0] is None
    assert compare(array([3.3e38]), array([-np.inf]), reference=near)[0] is not None
    beyond = {"result": (array([np.inf], "float64"), array([0.0], "float64"), 0.0)}
    assert compare(array([np.inf]), array([3e38]), reference=beyond)[0] is not None


def test_integers_must_agree_exactly_where_the_original_is_exact() -> None:
    case = Case("integers", 0, values="integers")
    exact = {"result": (array([1000.0], "float64"), array([1.0], "float64"), 0.0)}
    close = array([1000.0 + 2**-13])
    reference = {"case": case, "reference": exact}
    assert compare(array([1000.0]), close, REASSOCIATES, **dict(reference))[0] is not None
    assert compare(array([1000.0]), close, WITHIN_TOLERANCE, **dict(reference))[0] is None


def test_bitwise_tells_signed_zeros_apart() -> None:
    assert compare(array([0.0]), array([-0.0]), BITWISE)[0] is not None
    assert compare(array([0.0]), array([-0.0]), WITHIN_TOLERANCE)[0] is None


def test_races_of_the_candidate_alone() -> None:
    raced = record(array([1.0]), races=["write-write race in kernel k"])
    clean = record(array([1.0]))
    assert Comparison(WITHIN_TOLERANCE).compare(CASE, clean, raced, None) is not None
    assert Comparison(WITHIN_TOLERANCE).compare(CASE, raced, raced, None) is None


def test_a_reference_is_asked_for_only_where_it_can_matter() -> None:
    one, near = np.float32(1.0), np.nextafter(np.float32(1.0), np.float32(2))
    far = np.float32(1.001)
    assert not needs_reference(CASE, record(array([one])), record(array([near])))
    assert needs_reference(CASE, record(array([one])), record(array([far])))
    integers = Case("integers", 0, values="integers")
    assert needs_reference(integers, record(array([one])), record(array([near])))


@pytest.mark.parametrize(
    "result", [array([0.0, 0.0]), array([1e30, 1.0]), array([3], "int64"), 2.5, 7, True]
)
def test_the_control_is_wrong_and_found(result: Any) -> None:
    right = record(result)
    wrong = known_wrong(right)
    assert wrong is not None
    assert Comparison(WITHIN_TOLERANCE).compare(CASE, right, wrong, None) is not None


@pytest.mark.parametrize("number", [-1, 0, 1, -3, 2**70, -1.0, 0.0, 1e308, -1e308, float("nan")])
def test_a_number_is_spoilt_into_another(number: float) -> None:
    wrong = known_wrong({"result": number})
    assert wrong is not None and wrong["result"] != number


def test_a_reference_that_is_nan_where_the_original_is_not_is_no_measure() -> None:
    original, reference = np.array([0.5, 1.0]), np.array([np.nan, 1.0])
    condition = np.full(2, 1e-7)

    def bad(candidate: float) -> bool:
        reading = read_floats(
            original, np.array([candidate, 1.0]), "float32", reference, condition, 1.0,
            Numerics.REASSOCIATES, exact=False, infinities_fed=True,
        )  # fmt: skip
        return bool(reading.bad.any())

    assert not bad(0.5 + 3e-7)
    assert bad(0.5 + 1e-4) and bad(float("nan")) and bad(0.0)
