"""What a job cannot reach, and a test of it by trying.

`confine` takes rights away from the process of one job; `probe` runs a job that tries to break
out and reports what really held. Where a kernel or a container lacks a feature the rest stays
in force and the report says so.
"""

from __future__ import annotations

import contextlib
import glob
import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from semrep.runtime.sandbox import kernel, landlock, seccomp
from semrep.runtime.sandbox.namespaces import Isolation

if TYPE_CHECKING:
    from semrep.runtime.worker import Worker

_DEVICES = ("null", "zero", "full", "random", "urandom")
_GPU_DEVICES = ("nvidia*", "nvidia-caps/*", "dri/*", "kfd", "dxg", "infiniband/*")


@dataclass(frozen=True, slots=True)
class Confinement:
    """What was put in force for this process. landlock: its version, 0 for none."""

    isolation: Isolation = field(default_factory=Isolation)
    landlock: int = 0
    filtered: bool = False
    capabilities_dropped: bool = False
    why_not: tuple[str, ...] = ()


_here = Confinement()


def prepare(isolation: Isolation, *, gpu: bool) -> None:
    """Does ahead, in the warm process, what is the same for every job. Never raises."""
    with contextlib.suppress(OSError):
        kernel.bound_capabilities()
    if seccomp.supported():
        scoped = landlock.signals_are_scoped(landlock.version())
        seccomp.prepare(gpu=gpu, metadata=not isolation.mounts, signals=not scoped)


def confine(folder: str, isolation: Isolation, *, gpu: bool) -> None:
    """Takes from this process all that a job does not need. Never raises.

    folder: where it may still write. gpu: leave what a GPU's driver needs. To be called once,
    right after the fork, while there is one thread.
    """
    global _here
    why_not = [isolation.why_not] if isolation.why_not else []
    dropped = filtered = False
    abi = landlock.version()
    try:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.drop_capabilities()
        dropped = True
    except (OSError, KeyError) as error:
        why_not.append(f"capabilities kept: {error}")
    if abi == 0:
        why_not.append("no Landlock in this kernel")
    else:
        folders = [folder, *filter(None, [isolation.shared_memory])]
        files = [f"/dev/{name}" for name in _DEVICES]
        if gpu:
            files += [path for name in _GPU_DEVICES for path in glob.glob(f"/dev/{name}")]
            # Drivers name their threads through /proc.
            files.append("/proc/self")
        try:
            landlock.restrict(folders, files, abi)
        except OSError as error:
            why_not.append(f"Landlock refused: {error}")
            abi = 0
    if not seccomp.supported():
        why_not.append(f"no system call filter for {kernel.MACHINE}")
    else:
        scoped = landlock.signals_are_scoped(abi)
        try:
            seccomp.install(
                pid=os.getpid(), gpu=gpu, metadata=not isolation.mounts, signals=not scoped
            )
            filtered = True
        except OSError as error:
            why_not.append(f"system call filter refused: {error}")
    _here = Confinement(isolation, abi, filtered, dropped, tuple(why_not))


@dataclass(frozen=True, slots=True)
class Protection:
    """What was tried by a job and failed, as it must, and what did not fail.

    network: no connection, not even to this machine; files: nothing outside its own folder
    can be written; modes: nor change its mode; signals: none reaches another process;
    memory: no other process can be read. active: how; missing: what does not hold, and why.
    """

    network: bool
    files: bool
    modes: bool
    signals: bool
    memory: bool
    active: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return self.network and self.files and self.modes and self.signals and self.memory

    def __str__(self) -> str:
        missing = f"; missing: {'; '.join(self.missing)}" if self.missing else ""
        return f"{', '.join(self.active) or 'nothing'}{missing}"


_HELD = {
    "network": ("no network", "the network can be reached"),
    "files": ("files outside read-only", "files outside can be written"),
    "modes": ("modes outside fixed", "modes of files outside can be changed"),
    "signals": ("no signals out", "other processes can be signalled"),
    "memory": ("no other process's memory", "other processes can be read"),
}


def probe() -> Protection:
    """Starts a worker, lets a job in it try to break out, and says what held."""
    from semrep.runtime.worker import Worker

    with Worker() as worker:
        return probe_worker(worker)


def probe_worker(worker: Worker) -> Protection:
    """The same in this worker. Where the job itself fails, nothing is claimed."""
    from semrep.runtime.worker import Done

    with contextlib.ExitStack() as stack:
        outside = stack.enter_context(tempfile.TemporaryDirectory(prefix="semrep-probe-"))
        port = 0
        with contextlib.suppress(OSError):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = server.getsockname()[1]
        done = worker.run("semrep.runtime.sandbox.confinement:attempt", port, outside, os.getpid())
    if not isinstance(done, Done):
        return Protection(False, False, False, False, False, (), (f"not probed: {done.reason}",))
    return _judged(done.value)


def _judged(found: Mapping[str, Any]) -> Protection:
    held: dict[str, bool] = {name: bool(found[name]) for name in _HELD}
    active = [_HELD[name][0] for name in _HELD if held[name]]
    missing = [_HELD[name][1] for name in _HELD if not held[name]]
    active += [str(how) for how in found["how"]]
    missing += [str(reason) for reason in found["why_not"]]
    return Protection(**held, active=tuple(active), missing=tuple(missing))


def attempt(port: int, outside: str, pid: int) -> dict[str, Any]:
    """The job that tries. Each entry is True where the attempt failed. port: of this machine
    and listened at; 0 where the parent has no network either."""
    above = os.getppid()
    return {
        "network": _refused(lambda: _connect(port)),
        "files": _refused(lambda: _write(os.path.join(outside, "written")))
        and not _refused(lambda: _write("written")),
        "modes": _refused(lambda: os.chmod(outside, 0o777)),
        # The first process of a namespace gets no signals from inside.
        "signals": _refused(lambda: os.kill(pid, 0))
        and (above == 1 or _refused(lambda: os.kill(above, 0))),
        "memory": _refused(lambda: open(f"/proc/{above}/mem", "rb").close())
        and _refused(lambda: open(f"/proc/{pid}/mem", "rb").close()),
        "how": _mechanisms(),
        "why_not": list(_here.why_not),
    }


def _mechanisms() -> list[str]:
    isolation = _here.isolation
    own = {
        "network": isolation.network,
        "processes": isolation.processes,
        "mounts": isolation.mounts,
    }
    found = [f"own {name}" for name, is_own in own.items() if is_own]
    if _here.landlock:
        found.append(f"Landlock {_here.landlock}")
    if _here.filtered:
        found.append("system call filter")
    if _here.capabilities_dropped:
        found.append("no capabilities")
    return found


def _refused(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return True
    return False


def _connect(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        if port:
            made.settimeout(1.0)
            made.connect(("127.0.0.1", port))


def _write(path: str) -> None:
    with open(path, "w") as file:
        file.write("x")
