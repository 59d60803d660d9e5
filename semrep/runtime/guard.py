"""The process between the parent and the warm one: it outlives neither, and cleans up after.

Light, because it starts before anything is imported. It finds the strictest namespaces that
this machine allows, starts the warm process in them, and ends it when the parent dies however
that happens.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import stat
from collections.abc import Callable

from semrep.runtime import supervisor
from semrep.runtime.sandbox import kernel
from semrep.runtime.sandbox.namespaces import Isolation, enter, plans


def guard(
    parent: int,
    control: int,
    folder: str,
    *,
    gpu: bool,
    serve: Callable[[Isolation], None],
) -> None:
    """Runs `serve` in a child of this process; returns when it has ended or the parent has.

    parent: its process id; control: the descriptor that only the child keeps, so that its end
    is seen at once; folder: what the warm process and its jobs write in, removed at the end.
    """
    watched = os.pidfd_open(parent)
    if os.getppid() != parent:
        return
    _quietly(kernel.PR_SET_CHILD_SUBREAPER)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = _start(folder, gpu=gpu, serve=serve)
    os.close(control)
    served = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.register(served, select.POLLIN)
    poll.poll()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    supervisor.kill_strays(set(), own_processes=False)
    remove(folder)


def _start(folder: str, *, gpu: bool, serve: Callable[[Isolation], None]) -> int:
    reasons: list[str] = []
    for plan in plans(gpu=gpu):
        found = _try(plan, reasons, folder, serve)
        if found is not None:
            return found
    found = _try(None, reasons, folder, serve)
    assert found is not None
    return found


def _try(
    plan: Isolation | None, reasons: list[str], folder: str, serve: Callable[[Isolation], None]
) -> int | None:
    """The child that serves under this plan, or None where the machine forbids it."""
    answer, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(answer)
            kernel_dies_with_parent()
            entered = _entered(plan, reasons, folder, write)
            if entered is not None:
                serve(entered)
                code = 0
        finally:
            os._exit(code)
    os.close(write)
    # One read: what waits for the warm process keeps the other end open as long as it lives.
    reply = os.read(answer, 4096)
    os.close(answer)
    if reply == b"ok":
        return pid
    os.waitpid(pid, 0)
    reasons.append(reply.decode("utf-8", "replace") or "it ended")
    return None


def _entered(
    plan: Isolation | None, reasons: list[str], folder: str, write: int
) -> Isolation | None:
    why_not = reasons[0] if reasons else ""
    entered = Isolation(why_not=why_not)
    if plan is not None:
        try:
            enter(plan, folder)
        except OSError as error:
            os.write(write, f"namespaces refused: {error.strerror}".encode())
            return None
        entered = Isolation(plan.network, plan.processes, plan.mounts, plan.own_user, why_not)
    os.write(write, b"ok")
    os.close(write)
    return entered


def kernel_dies_with_parent() -> None:
    _quietly(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _quietly(option: int, value: int = 1) -> None:
    with contextlib.suppress(OSError):
        kernel.prctl(option, value)


def remove(folder: str) -> None:
    """Deletes a folder whatever modes a job has given to what is in it."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            inner = os.path.join(path, name)
            with contextlib.suppress(OSError):
                if not os.path.islink(inner):
                    os.chmod(inner, stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
