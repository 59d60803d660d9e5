"""What a worker's child may use of the machine."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one job. wall_s: wall clock seconds; memory_bytes: on top of what the warm
    process already maps; file_bytes: the largest file it may write; threads: of the array
    library (1 makes runs repeatable and leaves the machine to others).
    """

    wall_s: float = 60.0
    memory_bytes: int = 4 << 30
    file_bytes: int = 1 << 30
    open_files: int = 256
    threads: int = 1

    def apply(self, *, bound_address_space: bool) -> None:
        """Sets the limits on this process; for the child, after the fork.

        An address space limit is left out where a GPU driver reserves address space at will.
        """
        # CPU time may exceed wall time with several threads, never by more than their number.
        seconds = int(self.wall_s * max(1, self.threads)) + 5
        _lower(resource.RLIMIT_CPU, seconds)
        _lower(resource.RLIMIT_FSIZE, self.file_bytes)
        _lower(resource.RLIMIT_NOFILE, self.open_files)
        _lower(resource.RLIMIT_CORE, 0)
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
