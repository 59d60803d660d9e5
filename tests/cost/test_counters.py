"""Counted traffic of Triton kernels, against numbers known beforehand."""

from __future__ import annotations

import pytest

from semrep.cost import Counters, Estimate, NotCounted, count, estimate
from semrep.runtime import Harness, discover
from semrep.runtime.session import Session

SOURCE = """
import torch, triton
import triton.language as tl

@triton.jit
def copy(x, y, rows, columns, B: tl.constexpr):
    row = tl.program_id(0)
    i = tl.arange(0, B)
    v = tl.load(x + row * columns + i, mask=i < columns)
    tl.store(y + row * columns + i, tl.exp(v), mask=i < columns)

def f(x):
    y = torch.empty_like(x)
    rows, columns = x.shape
    copy[(rows,)](x, y, rows, columns, triton.next_power_of_2(columns))
    return y
"""
BY_COLUMNS = SOURCE.replace("copy[(rows,)]", "copy[(columns,)]").replace(
    "row * columns + i, mask=i < columns", "row + i * columns, mask=i < rows"
).replace("triton.next_power_of_2(columns)", "triton.next_power_of_2(rows)").replace(
    "row * columns + i, tl.exp(v), mask=i < columns", "row + i * columns, tl.exp(v), mask=i < rows"
)  # fmt: skip


@pytest.fixture(scope="module")
def harness() -> Harness:
    found = discover(SOURCE.encode(), None, "f", "(randn(16, 40),)")
    assert isinstance(found, Harness)
    return found


@pytest.fixture(scope="module")
def session(harness: Harness):  # type: ignore[no-untyped-def]
    with Session(SOURCE.encode(), harness) as warm:
        yield warm


def test_masked_lanes_do_not_count(harness: Harness, session: Session) -> None:
    found = count(SOURCE.encode(), harness, session=session)
    assert found.bytes_loaded == found.bytes_stored == 16 * 40 * 4
    assert found.unique_bytes == 2 * 16 * 40 * 4
    assert (found.programs, found.launches, found.special) == (16, 1, 16 * 64)
    # Rows of 160 bytes: 5 sectors each where aligned, whichever way warps cut them.
    assert found.sectors == 2 * 16 * 5


def test_walking_columns_pays_a_sector_an_element(harness: Harness, session: Session) -> None:
    found = estimate(SOURCE.encode(), BY_COLUMNS.encode(), harness, session=session)
    assert found.candidate.bytes_asked == found.original.bytes_asked
    assert found.candidate.sectors == 2 * 16 * 40
    assert found.slower and "modelled" in found.describe()


def test_differences_below_a_tenth_are_ties() -> None:
    base = Counters(sectors=1000, unique_bytes=32_000, launches=1)
    near = Counters(sectors=1050, unique_bytes=33_600, launches=1)
    far = Counters(sectors=3000, unique_bytes=96_000, launches=1)
    assert not Estimate(base, near).slower and not Estimate(near, base).faster
    assert Estimate(far, base).faster and Estimate(base, far).slower


def test_what_launches_nothing_is_not_counted() -> None:
    source = b"def f(x):\n    return x\n"
    harness = discover(source, None, "f", "(1,)")
    assert isinstance(harness, Harness)
    with pytest.raises(NotCounted):
        count(source, harness)
