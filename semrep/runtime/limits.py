"""What a worker's child may use of the machine."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass

# Threads count as processes to the kernel; a library starts one per core and more.
_THREADS_BESIDE = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one job. wall_s: wall clock seconds; memory_bytes: on top of what the warm
    process already maps; file_bytes: the largest file it may write, and its result;
    open_files: descriptors of each process; threads: of the array library (1 makes runs
    repeatable and leaves the machine to others).

    folder_bytes, folder_files: what it may have written in all; processes: how many of its own
    at once; output_bytes: printed. These, and memory, are also watched from outside, every
    tenth of a second, so that many small processes or files cannot pass them together.
    """

    wall_s: float = 60.0
    memory_bytes: int = 4 << 30
    file_bytes: int = 1 << 30
    open_files: int = 256
    threads: int = 1
    folder_bytes: int = 1 << 30
    folder_files: int = 20_000
    processes: int = 64
    output_bytes: int = 64 << 20

    def apply(self, *, bound_address_space: bool, counted_apart: bool = False) -> None:
        """Sets the limits on this process; for the child, after the fork.

        bound_address_space: left out where a GPU driver or jax reserves address space at will.
        counted_apart: the kernel counts this worker's processes apart from the user's others.
        """
        # CPU time may exceed wall time with several threads, never by more than their number.
        seconds = int(self.wall_s * max(1, self.threads)) + 5
        _lower(resource.RLIMIT_CPU, seconds)
        _lower(resource.RLIMIT_FSIZE, self.file_bytes)
        _lower(resource.RLIMIT_NOFILE, self.open_files)
        _lower(resource.RLIMIT_CORE, 0)
        if counted_apart:
            _lower(resource.RLIMIT_NPROC, self.processes + _THREADS_BESIDE)
        if bound_address_space:
            _lower(resource.RLIMIT_AS, _mapped_bytes() + self.memory_bytes)


def _lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(which, (value, value))


def _mapped_bytes() -> int:
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
