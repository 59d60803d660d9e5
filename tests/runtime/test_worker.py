"""The worker contains whatever a job does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from semrep.runtime import Done, Failed, Limits, Worker
from semrep.runtime.supervisor import tree
from semrep.runtime.worker import Call

SHORT = Limits(wall_s=1.0, memory_bytes=1 << 30, file_bytes=1 << 20)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as warm:
        yield warm


def failed(outcome: Done | Failed) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def gone(processes: list[int]) -> bool:
    return wait_until(lambda: not any(command(pid) for pid in processes))


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
    # The warm process alone is left, and the one or two that guard it.
    assert worker.pid is not None
    assert len(tree(worker.pid)) <= 3


def test_a_lost_worker_is_replaced(worker: Worker) -> None:
    worker.run("os:getpid")
    assert worker.pid is not None
    processes = tree(worker.pid)
    os.kill(worker.pid, signal.SIGKILL)
    assert gone(processes)
    assert isinstance(worker.run("os:getpid"), Done)


def test_losing_the_worker_in_the_middle_of_a_job_is_a_failure(worker: Worker) -> None:
    worker.run("os:getpid")
    assert worker.pid is not None
    victim = worker.pid
    threading.Timer(0.3, lambda: os.kill(victim, signal.SIGKILL)).start()
    assert failed(worker.run("time:sleep", 20)).cause == "worker"
    assert isinstance(worker.run("os:getpid"), Done)


def test_closing_leaves_nothing() -> None:
    worker = Worker()
    worker.run("os:getpid")
    assert worker.pid is not None and worker._link is not None
    processes, folder = tree(worker.pid), worker._link.folder
    assert len(processes) >= 2
    worker.close()
    assert not os.path.exists(folder)
    assert gone(processes)


def test_killing_the_parent_leaves_nothing() -> None:
    code = (
        "import os, sys, threading\nfrom semrep.runtime import Worker\nworker = Worker()\n"
        "worker.run('os:getpid')\nprint(worker.pid, worker._link.folder, flush=True)\n"
        "worker.run('time:sleep', 60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        wait_until(lambda: len(tree(int(pid))) >= 3)
        processes = tree(int(pid))
        parent.kill()
    assert gone(processes)
    assert wait_until(lambda: not os.path.exists(folder))


def test_a_worker_outlives_the_thread_that_started_it() -> None:
    with Worker() as worker:
        thread = threading.Thread(target=lambda: worker.run("os:getpid"))
        thread.start()
        thread.join()
        pid = worker.pid
        time.sleep(0.2)
        assert isinstance(worker.run("os:getpid"), Done)
        assert worker.pid == pid


def test_a_forked_parent_gets_a_worker_of_its_own(worker: Worker) -> None:
    worker.run("os:getpid")
    ours = worker.pid
    child = os.fork()
    if child == 0:
        code = 1
        try:
            outcome = worker.run("builtins:eval", "6 * 7")
            code = 0 if isinstance(outcome, Done) and worker.pid != ours else 2
            worker.close()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert isinstance(worker.run("os:getpid"), Done)
    assert worker.pid == ours


def test_several_jobs_run_at_once_and_come_back_in_order(worker: Worker) -> None:
    worker.run("os:getpid")
    calls = [Call("builtins:eval", (f"__import__('time').sleep({s}) or {s}",)) for s in (0.3, 0.2)]
    calls.append(Call("builtins:eval", ("1/0",)))
    started = time.monotonic()
    first, second, third = worker.run_all(calls)
    assert isinstance(first, Done) and first.value == 0.3
    assert isinstance(second, Done) and second.value == 0.2
    assert failed(third).cause == "error"
    if len(os.sched_getaffinity(0)) > 1:
        assert time.monotonic() - started < 0.5


def test_threads_may_share_a_worker(worker: Worker) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: worker.run("builtins:eval", f"{n} * 2"), range(24)))
    assert [getattr(o, "value", o) for o in outcomes] == [n * 2 for n in range(24)]


def test_an_interrupt_ends_the_job_and_the_worker_goes_on(worker: Worker) -> None:
    # A shell without job control starts background commands with interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupted(worker)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted(worker: Worker) -> None:
    worker.run("os:getpid")
    pid, main = worker.pid, threading.get_ident()
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        worker.run("time:sleep", 30)
    started = time.monotonic()
    assert isinstance(worker.run("os:getpid"), Done) and worker.pid == pid
    assert time.monotonic() - started < 5


def test_further_modules_are_warmed_into_the_running_process(worker: Worker) -> None:
    worker.run("os:getpid")
    pid = worker.pid
    worker.warm(["colorsys", "there.is.no.such.module"])
    outcome = worker.run("builtins:eval", "'colorsys' in __import__('sys').modules")
    assert isinstance(outcome, Done) and outcome.value is True
    assert worker.pid == pid and worker.missing == ("there.is.no.such.module",)


def test_a_result_as_large_as_a_file_may_be_comes_back(worker: Worker) -> None:
    outcome = worker.run("builtins:bytes", 50_000_000)
    assert isinstance(outcome, Done) and len(outcome.value) == 50_000_000
    assert failed(worker.run("builtins:bytes", 2_000_000, limits=SHORT)).cause == "error"
