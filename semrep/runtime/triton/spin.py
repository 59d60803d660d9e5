"""Ends kernels that wait for a program which cannot run.

The interpreter runs programs one after another, each to its end. One that waits for a flag or
a lock that a later program sets would wait forever.
"""

from __future__ import annotations

import ctypes

from semrep.runtime.triton.regions import KernelFault, Launch

LIMIT = 10_000


class WaitsForever(KernelFault, RuntimeError):
    """A program polls one address that no other program can change meanwhile.

    Says nothing against the kernel: programs on a GPU run at the same time. It cannot be run
    one program after another in this order.
    """


class SpinGuard:
    """Counts atomics and volatile loads of one lane that find the same value again."""

    def __init__(self) -> None:
        self._seen: tuple[int, bytes] | None = None
        self._times = 0

    def reset(self) -> None:
        self._seen, self._times = None, 0

    def note(self, launch: Launch, address: int, width: int) -> None:
        """Before the access, which is known to be inside a live storage."""
        seen = address, ctypes.string_at(address, width)
        if seen != self._seen:
            self._seen, self._times = seen, 0
            return
        self._times += 1
        if self._times >= LIMIT:
            self.reset()
            raise WaitsForever(
                f"kernel {launch.kernel}, program {launch.index} waits for a program that has "
                "not run yet; the interpreter runs one after another"
            )
