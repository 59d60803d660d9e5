"""Races are found with the kernel, the argument and the programs; clean kernels have none."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from semrep.runtime.triton.counters import counting
from semrep.runtime.triton.spin import WaitsForever
from semrep.runtime.triton.watch import Report, Reversed, Shuffled, watching
from tests.runtime.triton.interpreted import interpreted


@triton.jit
def scale(x, y, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(y + i, tl.load(x + i, mask=i < n) * 2, mask=i < n)


@triton.jit
def overlapping(x, y, n, step, B: tl.constexpr):
    i = tl.program_id(0) * step + tl.arange(0, B)
    tl.store(y + i, tl.load(x + i, mask=i < n) + tl.program_id(0), mask=i < n)


@triton.jit
def histogram(x, counts, n, ATOMIC: tl.constexpr, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    bins = tl.load(x + i, mask=i < n, other=0)
    if ATOMIC:
        tl.atomic_add(counts + bins, 1, mask=i < n)
    else:
        tl.store(counts + bins, tl.load(counts + bins) + 1, mask=i < n)


@triton.jit
def running_sum(x, n, B: tl.constexpr):
    program = tl.program_id(0)
    if program > 0:
        tl.store(x + program, tl.load(x + program) + tl.load(x + program - 1))


@triton.jit
def last_one_sums(x, parts, total, counter, n, B: tl.constexpr, P: tl.constexpr):
    program = tl.program_id(0)
    i = program * B + tl.arange(0, B)
    tl.store(parts + program, tl.sum(tl.load(x + i, mask=i < n, other=0.0)))
    if tl.atomic_add(counter, 1) == P - 1:
        tl.store(total, tl.sum(tl.load(parts + tl.arange(0, P))))


@triton.jit
def constant(y):
    tl.store(y, 7.0)


@triton.jit
def one_slot(x, y, B: tl.constexpr):
    i = tl.arange(0, B)
    tl.store(y + i // 2, tl.load(x + i))


def kinds(report: Report) -> set[str]:
    return {race.kind for race in report.races}


@interpreted
def test_a_clean_kernel_has_no_races() -> None:
    x, y = torch.randn(1000), torch.zeros(1000)
    with watching() as report:
        scale[(8,)](x, y, 1000, B=128)
        scale[(8,)](y, y, 1000, B=128)
    assert report.races == () and (report.launches, report.programs) == (2, 16)
    assert report.kernels == {"scale": 2} and not report.atomics


@interpreted
def test_a_wrong_grid_step_writes_twice() -> None:
    x, y = torch.randn(100), torch.zeros(100)
    with watching() as report:
        overlapping[(4,)](x, y, 100, 24, B=32)
    assert kinds(report) == {"write-write"}
    (race,) = report.harmful
    assert (race.kernel, race.argument, race.offset) == ("overlapping", "y", 24)
    assert (race.program, race.other) == ((1, 0, 0), (0, 0, 0))
    # Programs 1 to 3 start at 24, 48 and 72, and each runs 8 into the next.
    assert race.places == 24 and "element 24 of argument y" in str(race)
    with watching(races=False) as report:
        overlapping[(4,)](x, y, 100, 24, B=32)
    assert report.races == ()


@interpreted
def test_a_missing_atomic() -> None:
    x = torch.randint(0, 8, (256,))
    counts = torch.zeros(8, dtype=torch.int32)
    with watching() as report:
        histogram[(4,)](x, counts, 256, True, B=64)
    assert report.races == () and report.atomics and counts.sum() == 256
    with watching() as report:
        histogram[(4,)](x, counts, 256, False, B=64)
    assert {"read-write", "write-write"} <= kinds(report)
    assert {race.argument for race in report.harmful} == {"counts"}


@interpreted
def test_atomics_beside_plain_accesses() -> None:
    counts = torch.zeros(8, dtype=torch.int32)
    x = torch.zeros(4, dtype=torch.int64)

    with watching() as report:
        mixed[(4,)](x, counts)
    assert kinds(report) == {"atomic-mixed"} and report.harmful


@triton.jit
def mixed(x, counts):
    i = tl.program_id(0) + tl.arange(0, 2)
    tl.atomic_add(counts + i, 1)
    tl.store(x + tl.program_id(0), tl.load(counts + tl.program_id(0)))


@interpreted
def test_reading_what_another_program_writes() -> None:
    natural, backwards = torch.ones(16), torch.ones(16)
    with watching() as report:
        running_sum[(16,)](natural, 16, B=1)
    assert kinds(report) == {"read-write"}
    with watching(order=Reversed()) as report:
        running_sum[(16,)](backwards, 16, B=1)
    # Whichever of the two runs first, it is the same race.
    assert kinds(report) == {"read-write"} and not natural.equal(backwards)


@interpreted
def test_a_counter_orders_the_last_program_after_the_others() -> None:
    for order in (None, Shuffled(3), Reversed()):
        x, parts, total = torch.randn(64), torch.zeros(4), torch.zeros(1)
        counter = torch.zeros(1, dtype=torch.int32)
        with watching(order=order) as report:
            last_one_sums[(4,)](x, parts, total, counter, 64, B=16, P=4)
        assert torch.allclose(total, x.sum(), atol=1e-5)
        assert report.harmful == () and all(race.ordered for race in report.races)
        assert kinds(report) == {"read-write"}


@interpreted
def test_the_same_value_written_twice_is_reported_apart() -> None:
    y = torch.zeros(1)
    with watching() as report:
        constant[(4,)](y)
    (race,) = report.races
    assert race.kind == "same-value" and race.benign and report.harmful == ()


@interpreted
def test_lanes_of_one_store_may_not_disagree() -> None:
    y = torch.zeros(4)
    with watching() as report:
        one_slot[(1,)](torch.randn(8), y, B=8)
    assert kinds(report) == {"lanes"} and "another of its lanes" in str(report.races[0])
    with watching() as report:
        one_slot[(1,)](torch.ones(8), y, B=8)
    assert report.races == ()


@interpreted
def test_views_of_one_storage_are_one_place() -> None:
    whole = torch.zeros(40)
    with watching() as report:
        scale[(2,)](whole[:32], whole[8:], 32, B=16)
    (race,) = report.races
    assert race.kind == "read-write" and race.argument == "y"


@interpreted
def test_elements_of_different_widths_meet() -> None:
    wide = torch.zeros(8, dtype=torch.float32)
    with watching() as report:
        two_widths[(2,)](wide, wide.view(torch.int8))
    assert kinds(report) == {"write-write"}


@triton.jit
def two_widths(wide, narrow):
    if tl.program_id(0) == 0:
        tl.store(wide + tl.arange(0, 4), 1.0)
    else:
        tl.store(narrow + 15, 3)


@pytest.mark.parametrize("seed", [1, 2])
@interpreted
def test_a_shuffled_order_runs_every_program_once(seed: int) -> None:
    x = torch.randn(1000)
    plain, shuffled = torch.zeros(1000), torch.zeros(1000)
    scale[(8,)](x, plain, 1000, B=128)
    with watching(order=Shuffled(seed)) as report:
        scale[(8,)](x, shuffled, 1000, B=128)
    assert plain.equal(shuffled) and report.programs == 8


@triton.jit
def write_place(y):
    x, z = tl.program_id(0), tl.program_id(2)
    at = (x * tl.num_programs(1) + tl.program_id(1)) * tl.num_programs(2) + z
    tl.store(y + at, at)


@interpreted
def test_grids_of_three_dimensions_are_shuffled_whole() -> None:
    y = torch.zeros(30, dtype=torch.int32)
    with watching(order=Shuffled(5)) as report:
        write_place[(2, 3, 5)](y)
    assert y.tolist() == list(range(30)) and report.races == ()


@triton.jit
def take_turns(turn, total):
    program = tl.program_id(0)
    while tl.atomic_add(turn, 0) != program:
        pass
    tl.store(total, tl.load(total) + program)
    tl.atomic_add(turn, 1)


@interpreted
def test_waiting_kernels_end_in_an_order_that_cannot_work() -> None:
    turn, total = torch.zeros(1, dtype=torch.int32), torch.zeros(1)
    with watching() as report:
        take_turns[(4,)](turn, total)
    assert total.item() == 6 and report.harmful == ()
    turn.zero_()
    with pytest.raises(WaitsForever), watching(order=Reversed()):
        take_turns[(4,)](turn, total)


@interpreted
def test_watching_and_counting_together() -> None:
    x, y = torch.randn(64), torch.zeros(64)
    with counting() as counts, watching() as report:
        scale[(2,)](x, y, 64, B=32)
    assert counts["bytes_loaded"] == 256 and report.launches == 1
