"""The worker contains whatever a job does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from semrep.runtime import Done, Failed, Limits, Worker

SHORT = Limits(wall_s=1.0, memory_bytes=1 << 30, file_bytes=1 << 20)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as warm:
        yield warm


def failed(outcome: Done | Failed) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def test_values_come_back(worker: Worker) -> None:
    outcome = worker.run("builtins:eval", "[0.5, (1, 2), {'a': None}, 2**70, b'x', 1j, 'é']")
    assert isinstance(outcome, Done)
    assert outcome.value == [0.5, (1, 2), {"a": None}, 2**70, b"x", 1j, "é"]


def test_every_job_has_a_process_of_its_own(worker: Worker) -> None:
    pids = {getattr(worker.run("os:getpid"), "value", None) for _ in range(3)}
    assert len(pids) == 3 and os.getpid() not in pids


def test_a_hanging_job_that_ignores_signals_dies(worker: Worker) -> None:
    code = (
        "import signal\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\nwhile True: pass"
    )
    started = time.monotonic()
    assert failed(worker.run("builtins:exec", code, limits=SHORT)).cause == "timeout"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("function", "argument", "cause"),
    [
        ("os:_exit", 0, "exit"),
        ("os:_exit", 3, "exit"),
        ("sys:exit", 0, "error"),
        ("ctypes:string_at", 0, "crash"),
        ("builtins:bytearray", 1 << 40, "memory"),
        ("builtins:exec", "1/0", "error"),
        ("builtins:eval", "lambda: 0", "error"),
        ("builtins:exec", "open('big', 'wb').write(b'x' * (1 << 22))", "error"),
    ],
)
def test_failures_have_causes(worker: Worker, function: str, argument: object, cause: str) -> None:
    assert failed(worker.run(function, argument, limits=SHORT)).cause == cause


def test_output_is_bounded(worker: Worker) -> None:
    outcome = worker.run("builtins:exec", "while True: print('x' * 10000)", limits=SHORT)
    assert len(failed(outcome).output) < 100_000


def test_orphans_are_killed(worker: Worker) -> None:
    code = (
        "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        import time; time.sleep(600)\n    os._exit(0)\nos.wait()\n"
        "result = 1"
    )
    assert isinstance(worker.run("builtins:exec", code, limits=Limits(wall_s=5)), Done)
    time.sleep(0.2)
    assert worker._process is not None
    children = f"/proc/{worker._process.pid}/task/{worker._process.pid}/children"
    with open(children) as names:
        assert names.read().split() == []


def test_a_lost_worker_is_replaced(worker: Worker) -> None:
    worker.run("os:getpid")
    assert worker._process is not None
    worker._process.kill()
    worker._process.wait()
    assert isinstance(worker.run("os:getpid"), Done)


def test_closing_leaves_nothing() -> None:
    worker = Worker()
    worker.run("os:getpid")
    process, folder = worker._process, worker._folder
    assert process is not None and folder is not None
    worker.close()
    assert process.poll() is not None and not os.path.exists(folder)
