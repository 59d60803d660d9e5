"""Which device there is to run on."""

from __future__ import annotations

import os
from dataclasses import replace

from semrep.runtime.harness import Harness

# The device files of NVIDIA's and AMD's drivers: without one of them no library finds a GPU.
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd")


class NoDevice(ValueError):
    """The device that was asked for is not there."""


def has_gpu() -> bool:
    """Whether a GPU driver is present and not hidden. Imports no library."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return not hidden and any(os.path.exists(path) for path in _DRIVERS)


def device_named(name: str) -> str:
    """ "cpu" or "cuda" (which ROCm's torch goes by, too) for a name or "auto".

    Raises NoDevice where "cuda" is asked for and there is none.
    """
    if name == "auto":
        return "cuda" if has_gpu() else "cpu"
    if name == "cuda" and not has_gpu():
        raise NoDevice("there is no GPU here; use --device cpu")
    return name


def placed(harness: Harness, name: str) -> Harness:
    """The harness on the device of this name; NumPy knows none but the CPU. Raises NoDevice."""
    if harness.framework == "numpy":
        return harness
    return replace(harness, device=device_named(name))
