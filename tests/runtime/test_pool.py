"""Warm workers are shared, bounded in number, and never across what would tell them apart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from semrep.runtime import Done, pool


@pytest.fixture(autouse=True)
def no_workers_left() -> Iterator[None]:
    pool.close_workers()
    yield
    pool.close_workers()


def parent_of(worker: pool.SharedWorker) -> object:
    # Distinct warm processes have distinct folders.
    outcome = worker.run("os:getcwd")
    assert isinstance(outcome, Done)
    return os.path.dirname(outcome.value)


def test_one_environment_has_one_worker() -> None:
    with pool.shared_worker({"A": "1"}) as one, pool.shared_worker({"A": "1"}, ["colorsys"]) as two:
        assert parent_of(one) == parent_of(two)
        there = one.run("builtins:eval", "'colorsys' in __import__('sys').modules")
        assert isinstance(there, Done) and there.value is True
    with pool.shared_worker({"A": "1"}) as three:
        assert isinstance(three.run("os:getpid"), Done)
        assert len(pool.shared_workers()) == 1


def test_another_environment_has_another_worker() -> None:
    with pool.shared_worker({"A": "1"}) as one, pool.shared_worker({"A": "2"}) as two:
        assert parent_of(one) != parent_of(two)
        value = two.run("os:getenv", "A")
        assert isinstance(value, Done) and value.value == "2"


def test_modules_beside_the_file_are_not_shared(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "neighbour_of_tests.py").write_text(f"value = {value}\n")
        warm = [f"path:{folder}", "neighbour_of_tests"]
        with pool.shared_worker({}, warm) as worker:
            found = worker.run("builtins:eval", "__import__('neighbour_of_tests').value")
            assert isinstance(found, Done) and found.value == value
    assert pool.shared_workers() == []


def test_the_longest_unused_is_ended_beyond_the_bound() -> None:
    for n in range(pool.MOST_WORKERS + 2):
        with pool.shared_worker({"A": str(n)}) as worker:
            worker.run("os:getpid")
    assert len(pool.shared_workers()) == pool.MOST_WORKERS
    assert all(w.pid is not None for w in pool.shared_workers())


def test_workers_in_use_are_not_ended() -> None:
    lent = [pool.shared_worker({"A": str(n)}) for n in range(pool.MOST_WORKERS + 1)]
    assert all(isinstance(worker.run("os:getpid"), Done) for worker in lent)
    for worker in lent:
        worker.close()
        worker.close()
    assert len(pool.shared_workers()) == pool.MOST_WORKERS


def test_a_worker_given_back_is_of_no_use() -> None:
    worker = pool.shared_worker({})
    worker.close()
    with pytest.raises(ValueError, match="given back"):
        worker.run("os:getpid")


def test_a_fork_of_the_parent_shares_nothing() -> None:
    with pool.shared_worker({}) as worker:
        worker.run("os:getpid")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with pool.shared_worker({}) as own:
                    code = 0 if isinstance(own.run("os:getpid"), Done) else 2
                pool.close_workers()
            finally:
                os._exit(code)
        assert os.waitpid(pid, 0)[1] == 0
        assert isinstance(worker.run("os:getpid"), Done)


def test_nothing_is_left_at_exit() -> None:
    code = (
        "from semrep.runtime import pool\nw = pool.shared_worker({})\nw.run('os:getpid')\n"
        "print(pool.shared_workers()[0].pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(f"/proc/{done.stdout.strip()}")
