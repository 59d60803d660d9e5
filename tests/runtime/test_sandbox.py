"""A confined process reaches nothing but its own folder, with whatever the kernel offers."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from semrep.runtime import Done, Failed, Limits, Worker
from semrep.runtime.sandbox import confinement, landlock, seccomp
from semrep.runtime.sandbox.namespaces import Isolation
from semrep.runtime.supervisor import tree

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="no Landlock here")
needs_filter = pytest.mark.skipif(not seccomp.supported(), reason="no filter for this machine")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(environment={"CUDA_VISIBLE_DEVICES": ""}) as warm:
        yield warm


def in_child(action: Callable[[], Any]) -> Any:
    """What the action gives in a forked child, through JSON; its error as text."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = action()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return answer


def attempts(folder: Path, *, gpu: bool = False) -> dict[str, Any]:
    """What `confinement.attempt` finds in a child of this process that is only confined."""
    inside, outside = folder / "inside", folder / "outside"
    inside.mkdir()
    outside.mkdir()
    parent = os.getpid()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def confined() -> dict[str, Any]:
            os.chdir(inside)
            confinement.confine(str(inside), Isolation(), gpu=gpu)
            return confinement.attempt(port, str(outside), parent)

        answer = in_child(confined)
    assert isinstance(answer, dict), answer
    return answer


HELD = ("network", "files", "modes", "signals", "memory")


@needs_landlock
@needs_filter
def test_confinement_holds_without_any_namespace(tmp_path: Path) -> None:
    found = attempts(tmp_path)
    assert {name: found[name] for name in HELD} == dict.fromkeys(HELD, True)


@needs_filter
def test_without_landlock_the_filter_alone_keeps_network_signals_and_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    found = attempts(tmp_path)
    assert found["network"] and found["signals"] and found["modes"]
    assert not found["files"]
    assert "no Landlock in this kernel" in found["why_not"]


@needs_landlock
@pytest.mark.parametrize("abi", range(1, landlock.version() + 1))
def test_every_version_of_landlock_keeps_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abi: int
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: abi)
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    found = attempts(tmp_path)
    assert found["files"] and found["memory"]
    assert found["signals"] == landlock.signals_are_scoped(abi)
    assert found["network"] == (abi >= 4)


def test_with_nothing_the_report_claims_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    found = attempts(tmp_path)
    protection = confinement._judged(found)
    assert not protection.complete and not protection.files
    assert "files outside can be written" in str(protection)


@needs_landlock
@needs_filter
def test_a_gpu_job_is_confined_as_well(tmp_path: Path) -> None:
    found = attempts(tmp_path, gpu=True)
    assert found["network"] and found["files"] and found["memory"]


def test_the_worker_reports_what_held(worker: Worker) -> None:
    protection = worker.protection
    assert worker.protection is protection
    if landlock.version() >= 6 and seccomp.supported():
        assert protection.complete
        assert "\n" not in str(protection) and "missing" not in str(protection)


def test_probe_starts_and_ends_its_own_worker() -> None:
    assert confinement.probe().active


@needs_landlock
@needs_filter
def test_a_machine_without_namespaces_keeps_the_rest() -> None:
    orphan = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        time.sleep(60)\n    os._exit(0)\nos.wait()"
    )

    def inside_a_container() -> list[str]:
        # As containers do, the filter forbids namespaces and mounts to all below.
        seccomp.install(pid=os.getpid(), gpu=True, metadata=False, signals=False)
        with Worker(environment={"CUDA_VISIBLE_DEVICES": ""}) as worker:
            protection = worker.protection
            left = type(worker.run("builtins:exec", orphan)).__name__
            assert worker.pid is not None and worker._link is not None
            processes, folder = len(tree(worker.pid)), worker._link.folder
        return [str(protection), left, str(processes), str(os.path.exists(folder))]

    protection, left, processes, folder = in_child(inside_a_container)
    assert "missing: namespaces refused: Operation not permitted" in protection
    assert "own network" not in protection and "files outside read-only" in protection
    assert (left, processes, folder) == ("Done", "2", "False")


def run(worker: Worker, code: str, **bounds: Any) -> Done | Failed:
    return worker.run("builtins:exec", code, limits=Limits(**{"wall_s": 10.0, **bounds}))


@needs_filter
@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket(socket.AF_UNIX)",
        "import ctypes, os; l = ctypes.CDLL(None, use_errno=True)\n"
        "assert l.unshare(0x10000000) == 0, os.strerror(ctypes.get_errno())",
        "import ctypes, os; l = ctypes.CDLL(None, use_errno=True)\n"
        "assert l.ptrace(16, os.getppid(), 0, 0) == 0",
        "import resource, os; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (1, 1))",
        "import os; os.memfd_create('x')",
        "import os; os.mknod('/dev/null2', 0o666)",
        "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
    ],
)
def test_what_no_job_needs_is_refused(worker: Worker, code: str) -> None:
    outcome = run(worker, code)
    assert isinstance(outcome, Failed) and outcome.cause == "error", outcome


@pytest.mark.parametrize(
    "code",
    [
        "import tempfile; tempfile.TemporaryFile().write(b'x')",
        "import socket; a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1)",
        "import subprocess; assert subprocess.check_output(['echo', 'a']) == b'a\\n'",
        "import subprocess\nwith subprocess.Popen(['sleep', '60']) as p: p.kill()",
        "import threading; t = threading.Thread(target=print); t.start(); t.join()",
        "import asyncio; asyncio.run(asyncio.sleep(0))",
        "import shutil, os; open('a', 'w').close(); shutil.copyfile('a', 'b'); os.rename('b', 'c')",
        "open('/dev/null', 'w').write('x')",
        "import os; assert os.listdir('/proc/self/fd')",
    ],
)
def test_what_libraries_need_works(worker: Worker, code: str) -> None:
    outcome = run(worker, code)
    assert isinstance(outcome, Done), (outcome.reason, outcome.output)


def test_a_job_finds_nothing_of_the_one_before(worker: Worker) -> None:
    assert isinstance(run(worker, "open('left', 'w').write('x')"), Done)
    outcome = worker.run("os:listdir", ".")
    assert isinstance(outcome, Done) and outcome.value == []


@pytest.mark.parametrize(
    ("code", "cause", "reason"),
    [
        (
            "import os\nfor n in range(100):\n"
            "    f = open(str(n), 'wb'); f.write(b'x' * (1 << 20)); f.flush()\n"
            "import time; time.sleep(9)",
            "limit",
            "wrote more than",
        ),
        (
            "import time\nfor n in range(5000): open(str(n), 'w').close()\ntime.sleep(9)",
            "limit",
            "files",
        ),
        (
            "import os, time\nfor n in range(30):\n    if os.fork() == 0: time.sleep(9)\n"
            "time.sleep(9)",
            "limit",
            "processes",
        ),
        (
            "import os, time\nfor n in range(4):\n    if os.fork() == 0:\n"
            "        x = b'x' * (90 << 20); time.sleep(9)\ntime.sleep(9)",
            "memory",
            "memory limit",
        ),
        ("while True: print('x' * 100000)", "limit", "printed"),
    ],
    ids=["disk", "files", "processes", "memory", "output"],
)
def test_what_a_job_uses_in_all_is_bounded(
    worker: Worker, code: str, cause: str, reason: str
) -> None:
    outcome = run(
        worker, code, folder_bytes=32 << 20, folder_files=1000, processes=10,
        memory_bytes=256 << 20, output_bytes=4 << 20,
    )  # fmt: skip
    assert isinstance(outcome, Failed), outcome
    assert outcome.cause == cause and reason in outcome.reason
    assert outcome.seconds < 5


def test_a_stopped_job_dies_at_its_limit(worker: Worker) -> None:
    outcome = run(worker, "import os, signal; os.kill(0, signal.SIGSTOP)", wall_s=0.5)
    assert isinstance(outcome, Failed) and outcome.cause == "timeout"


@needs_landlock
def test_the_warm_process_survives_what_a_job_sends_it(worker: Worker) -> None:
    if not worker.protection.signals:
        pytest.skip("nothing keeps a signal to all processes from reaching them")
    before = worker.pid
    for target in ("os.getppid()", "-1"):
        code = f"import os, signal\nfor s in (9, 15, 19): os.kill({target}, s)"
        assert isinstance(run(worker, code), Failed)
    assert isinstance(worker.run("os:getpid"), Done) and worker.pid == before


def test_a_forged_result_is_no_result(worker: Worker) -> None:
    code = (
        "import os\nfrom semrep.runtime import frames\n"
        "forged = frames.encode({'cases': []}, b'0' * 16)\n"
        "for d in range(3, 64):\n    try: os.write(d, forged)\n    except OSError: pass\n"
        "os._exit(0)"
    )
    outcome = run(worker, code)
    assert isinstance(outcome, Failed) and outcome.cause == "exit"


def test_signals_of_every_number_are_named() -> None:
    from semrep.runtime.worker import _signal_name

    assert _signal_name(signal.SIGKILL) == "SIGKILL" and _signal_name(40) == "signal 40"
    assert sys.platform == "linux"
