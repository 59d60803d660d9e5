"""Lets files that name the device "cuda" run where there is none, on CPU tensors.

Only what changes nothing about values is answered: where a tensor is made, moved, or said to
be. Everything that would need the device itself still fails.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

_installed = False


def install() -> None:
    """Redirects "cuda" to "cpu" in this process, where torch finds no device. Idempotent."""
    global _installed
    import torch

    if _installed or torch.cuda.is_available():
        return
    _installed = True
    from torch.overrides import TorchFunctionMode

    is_cuda = torch.Tensor.is_cuda.__get__  # type: ignore[attr-defined]

    class CudaOnCpu(TorchFunctionMode):
        def __torch_function__(
            self,
            function: Callable[..., Any],
            types: Sequence[type],
            args: Sequence[Any] = (),
            kwargs: dict[str, Any] | None = None,
        ) -> Any:
            kwargs = kwargs or {}
            if function is torch.Tensor.cuda:
                return args[0]
            # A getter is a new object each time; torch itself goes by where the values are.
            if function == is_cuda and not asked_by_torch(2):
                return True
            if _names_cuda(kwargs.get("device")):
                kwargs = {**kwargs, "device": "cpu"}
            if function is torch.Tensor.to and len(args) > 1:
                args = [args[0], *("cpu" if _names_cuda(a) else a for a in args[1:])]
            return function(*args, **kwargs)

    def _names_cuda(device: Any) -> bool:
        if isinstance(device, torch.device):
            return device.type == "cuda"
        return isinstance(device, str) and device.partition(":")[0] == "cuda"

    CudaOnCpu().__enter__()  # type: ignore[no-untyped-call]

    def synchronize(device: Any = None) -> None:
        del device

    def set_device(device: Any = None) -> None:
        del device

    class Selected(contextlib.nullcontext[None]):
        """In place of torch.cuda.device, which refuses the device that CPU tensors are on."""

    class SelectedOf(contextlib.nullcontext[None]):
        """In place of torch.cuda.device_of."""

    # No object stands for two of them: torch's compiler keeps a table of these by identity.
    torch.cuda.synchronize, torch.cuda.set_device = synchronize, set_device
    torch.cuda.current_device = lambda: 0
    torch.cuda.device = Selected  # type: ignore[misc, assignment]
    torch.cuda.device_of = SelectedOf  # type: ignore[misc, assignment]


def asked_by_torch(depth: int) -> bool:
    """Whether the function `depth` calls up belongs to torch or to this package."""
    name = sys._getframe(depth).f_globals.get("__name__", "")
    return str(name).partition(".")[0] in ("torch", "semrep")
