"""The warm process's side of one running job: what it has used, when it ends, what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from semrep.runtime.limits import Limits

TAIL_BYTES = 16_384
WATCH_EVERY_S = 0.1
_MOST_THREADS = 4096
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Job:
    """A child that runs. killed: why, as (cause, reason), once the supervisor has ended it."""

    number: int
    pid: int
    pidfd: int
    output: int
    result: int
    folder: str
    limits: Limits
    started: float
    killed: tuple[str, str] | None = None
    tail: bytearray = field(default_factory=bytearray)
    written: int = 0
    peak_bytes: int = 0

    @property
    def deadline(self) -> float:
        return self.started + self.limits.wall_s

    def read(self) -> bool:
        """Takes what the job printed; keeps its end. False when nothing more can come."""
        piece = os.read(self.output, 1 << 16)
        self.written += len(piece)
        self.tail = (self.tail + piece)[-TAIL_BYTES:]
        if self.written > self.limits.output_bytes:
            self.kill("limit", f"printed more than {self.limits.output_bytes >> 20} MiB")
        return bool(piece)

    def drain(self) -> None:
        """What is left in the pipe, at most as much as a pipe holds."""
        os.set_blocking(self.output, False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                if not self.read():
                    break

    def kill(self, cause: str, reason: str) -> None:
        """Ends the job for this reason; only the first one counts."""
        if self.killed is None:
            self.killed = (cause, reason)
        kill_group(self.pid)

    def watch(self, own_bytes: int) -> None:
        """Kills the job where it uses more in all than it may. own_bytes: of anonymous memory
        in the warm process, which each of the job's processes starts with."""
        limits = self.limits
        processes = tree(self.pid)
        if len(processes) > limits.processes:
            return self.kill("limit", f"started more than {limits.processes} processes")
        memory = threads = disk = 0
        for pid in processes:
            memory += max(0, resident_bytes(pid) - own_bytes)
            threads += thread_count(pid)
            disk += disk_bytes(pid)
        self.peak_bytes = max(self.peak_bytes, memory)
        if threads > _MOST_THREADS:
            return self.kill("limit", f"started more than {_MOST_THREADS} threads")
        if memory > limits.memory_bytes:
            return self.kill("memory", "ran out of its memory limit")
        files, size = folder_use(self.folder, limits.folder_files)
        if files > limits.folder_files:
            return self.kill("limit", f"made more than {limits.folder_files} files")
        if max(size, disk) > limits.folder_bytes:
            return self.kill("limit", f"wrote more than {limits.folder_bytes >> 20} MiB")
        return None

    def close(self) -> None:
        os.close(self.output)
        os.close(self.pidfd)
        os.close(self.result)

    def report(self, status: int, seconds: float, resident: int) -> dict[str, Any]:
        return {
            "id": self.number,
            "status": os.waitstatus_to_exitcode(status),
            "killed": self.killed,
            "seconds": seconds,
            "peak_bytes": max(resident, self.peak_bytes),
            "output": bytes(self.tail),
        }


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_strays(jobs: set[int], *, own_processes: bool, wall_s: float = 5.0) -> None:
    """Ends every process below this one but those of the running jobs.

    What a job leaves behind becomes this process's child, however often it has forked. Where
    this is the first of its own processes and no job runs, one call ends all of them at once.
    """
    until = time.monotonic() + wall_s
    while time.monotonic() < until:
        strays = [pid for pid in children(os.getpid()) if pid not in jobs]
        if not strays:
            return
        if own_processes and not jobs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strays:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def tree(pid: int) -> list[int]:
    """This process and all below it."""
    found = [pid]
    for parent in found:
        found.extend(children(parent))
        if len(found) > 10_000:
            break
    return found


def children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            text = _read(f"/proc/{pid}/task/{thread}/children")
            found.extend(map(int, text.split()))
    return found


def resident_bytes(pid: int) -> int:
    """Memory of its own: anonymous and shared pages that are present."""
    return sum(
        int(line.split()[1]) * 1024
        for line in _read(f"/proc/{pid}/status").splitlines()
        if line.startswith(("RssAnon:", "RssShmem:"))
    )


def thread_count(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    except OSError:
        return 0


def disk_bytes(pid: int) -> int:
    """What it and its reaped children wrote to disk, into files since deleted as well."""
    for line in _read(f"/proc/{pid}/io").splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def folder_use(folder: str, most: int) -> tuple[int, int]:
    """(files, bytes on disk) below a folder; counting stops above `most` files."""
    files = size = 0
    for entry in _entries(folder):
        files += 1
        with contextlib.suppress(OSError):
            size += entry.stat(follow_symlinks=False).st_blocks * 512
        if files > most:
            break
    return files, size


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            for entry in found:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(entry.path)
    except OSError:
        return


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
