"""Namespaces of the warm process: its own network, IPC, processes, and read-only mounts.

They are entered before anything heavy is imported, while the process has one thread. What the
machine forbids is left out, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass

from semrep.runtime.sandbox import kernel

_NEWNS, _NEWIPC, _NEWUSER = 0x00020000, 0x08000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_SHARED_MEMORY_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Isolation:
    """What the warm process was put into. why_not: what forbade the rest.

    own_user: it is in a user namespace, so that the kernel counts its processes apart.
    """

    network: bool = False
    processes: bool = False
    mounts: bool = False
    own_user: bool = False
    why_not: str = ""

    @property
    def shared_memory(self) -> str | None:
        """The folder of shared memory segments, where it is this process's own."""
        return "/dev/shm" if self.mounts and os.path.isdir("/dev/shm") else None


def plans(*, gpu: bool) -> list[Isolation]:
    """What to try, best first. A GPU's driver keeps the process ids and mounts that it knows."""
    found: list[Isolation] = []
    for full in (False,) if gpu else (True, False):
        for own_user in (False, True) if os.geteuid() == 0 else (True,):
            found.append(Isolation(True, full, full, own_user))
    return found


def enter(plan: Isolation, folder: str) -> None:
    """Puts this process into the plan's namespaces. Raises OSError.

    folder: the only place that stays writable. Where the plan has its own processes, this
    forks: the caller goes on as the first process of the new ones, and the old process waits
    for it and ends with it.
    """
    uid, gid = os.geteuid(), os.getegid()
    flags = _NEWNET | _NEWIPC
    flags |= _NEWPID if plan.processes else 0
    flags |= _NEWNS if plan.mounts else 0
    flags |= _NEWUSER if plan.own_user else 0
    kernel.unshare(flags)
    if plan.own_user:
        with contextlib.suppress(FileNotFoundError):
            _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    if plan.processes:
        pid = os.fork()
        if pid != 0:
            _, status = os.waitpid(pid, 0)
            os._exit(0 if status == 0 else 1)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if plan.mounts:
        _mount(folder, own_processes=plan.processes)


def _mount(folder: str, *, own_processes: bool) -> None:
    kernel.mount("none", "/", "none", _MS_REC | _MS_PRIVATE)
    kernel.mount(folder, folder, "none", _MS_BIND)
    kernel.mount_read_only("/", read_only=True, recursive=True)
    kernel.mount_read_only(folder, read_only=False, recursive=False)
    quiet = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    if os.path.isdir("/dev/shm"):
        options = f"size={_SHARED_MEMORY_BYTES},mode=1777"
        kernel.mount("tmpfs", "/dev/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, options)
    if own_processes:
        # Refused where a container hides parts of /proc; the numbers would be wrong without it.
        kernel.mount("proc", "/proc", "proc", quiet)
    # The working directory was looked up through the mount that is now underneath.
    with contextlib.suppress(OSError):
        os.chdir(os.getcwd())


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
