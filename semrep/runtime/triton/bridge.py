"""Makes unmodified Triton launchers run on CPU tensors through Triton's interpreter.

What the interpreter lacks is supplied here, once per process and before the user's file is
imported: float arguments, libdevice, bfloat16 arithmetic, autotuning without a device,
`.to` on Python numbers, device queries, and a bounds check on every access. With a GPU none
of this is installed.
"""

from __future__ import annotations

import os
import types
from typing import Any

_installed = False
_launches = 0

# The device that code asking for one is told about.
TARGET = types.SimpleNamespace(
    name="NVIDIA H100 (described, not present)",
    capability=(9, 0),
    multi_processor_count=132,
    max_shared_memory=232_448,
    warp_size=32,
    total_memory=80 << 30,
)


def install() -> None:
    """Installs all repairs in this process. Idempotent. Raises ImportError without triton."""
    global _installed
    if _installed:
        return
    _installed = True
    os.environ["TRITON_INTERPRET"] = "1"
    import triton
    from triton.runtime import interpreter
    from triton.runtime.autotuner import Autotuner

    from semrep.runtime.triton import (
        autotune,
        bfloat16,
        counters,
        float8,
        jit,
        libdevice,
        memory,
        reductions,
        syntax,
    )

    libdevice.install(interpreter)
    reductions.install(interpreter)
    bfloat16.install(interpreter)
    float8.install(interpreter)
    counters.install(interpreter)
    memory.install(interpreter)
    _convert_floats(interpreter)
    syntax.install(interpreter)
    _show_language(interpreter)
    autotune.install(Autotuner)
    jit.install(interpreter)
    _describe_device(triton)
    _count_launches(interpreter)


def launch_count() -> int:
    """Kernels launched through the interpreter by this process so far."""
    return _launches


def _convert_floats(interpreter: Any) -> None:
    """A float argument becomes an fp32 scalar, which is what the compiler makes of it."""
    import numpy as np
    import triton.language as tl

    convert = interpreter._implicit_cvt

    def converted(argument: Any) -> Any:
        if isinstance(argument, float):
            handle = interpreter.TensorHandle(np.array([argument], dtype=np.float32), tl.float32)
            return tl.tensor(handle, tl.float32)
        return convert(argument)

    interpreter._implicit_cvt = converted


def _show_language(interpreter: Any) -> None:
    """A kernel need not import triton.language to use operators."""
    import triton.language as tl

    from semrep.runtime.triton.autotune import static_assert

    patch = interpreter._patch_lang

    def _patch_lang(fn: Any) -> Any:
        if not any(value in (tl, tl.core) for value in _modules(fn.__globals__)):
            fn = types.SimpleNamespace(__globals__={"tl": tl})
        scope = patch(fn)
        for language in (tl, tl.core):
            scope.set_attr(language, "static_assert", static_assert)
        return scope

    interpreter._patch_lang = _patch_lang


def _modules(names: dict[str, Any]) -> list[types.ModuleType]:
    return [value for value in names.values() if isinstance(value, types.ModuleType)]


def _describe_device(triton: Any) -> None:
    import torch
    from triton.backends.compiler import GPUTarget

    properties = {
        "max_shared_mem": TARGET.max_shared_memory,
        "multiprocessor_count": TARGET.multi_processor_count,
        "max_num_regs": 65_536,
        "warpSize": TARGET.warp_size,
        "sm_clock_rate": 1_980_000,
        "mem_clock_rate": 2_619_000,
        "mem_bus_width": 5_120,
    }
    major, minor = TARGET.capability
    driver = types.SimpleNamespace(
        utils=types.SimpleNamespace(get_device_properties=lambda device=0: dict(properties)),
        get_current_target=lambda: GPUTarget("cuda", major * 10 + minor, TARGET.warp_size),
        get_current_device=lambda: 0,
        set_current_device=lambda device: None,
        get_current_stream=lambda device=0: 0,
        get_active_torch_device=lambda: torch.device("cpu"),
        get_device_interface=lambda: torch.cuda,
    )
    if not torch.cuda.is_available():
        triton.runtime.driver.set_active(driver)
        described = types.SimpleNamespace(
            name=TARGET.name,
            major=major,
            minor=minor,
            multi_processor_count=TARGET.multi_processor_count,
            total_memory=TARGET.total_memory,
            shared_memory_per_multiprocessor=TARGET.max_shared_memory,
            warp_size=TARGET.warp_size,
        )
        vars(torch.cuda)["get_device_properties"] = lambda device=None: described
        torch.cuda.get_device_capability = lambda device=None: TARGET.capability
        torch.cuda.get_device_name = lambda device=None: TARGET.name
        _say_available(torch)


def _say_available(torch: Any) -> None:
    """A launcher that asks for a device takes the way to its kernel; torch's own code does not."""
    from semrep.runtime import cuda_on_cpu

    cuda_on_cpu.install()
    is_available, device_count = torch.cuda.is_available, torch.cuda.device_count
    torch.cuda.is_available = lambda: not cuda_on_cpu.asked_by_torch(2) or is_available()
    torch.cuda.device_count = lambda: device_count() if cuda_on_cpu.asked_by_torch(2) else 1


def _count_launches(interpreter: Any) -> None:
    run = interpreter.GridExecutor.__call__

    def counted(self: Any, *arguments: Any, **named: Any) -> Any:
        global _launches
        _launches += 1
        return run(self, *arguments, **named)

    interpreter.GridExecutor.__call__ = counted
