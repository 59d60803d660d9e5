"""A device that code is told about where there is none: launchers ask before they launch."""

from __future__ import annotations

import types
from typing import Any

# The device that code asking for one is told about.
TARGET = types.SimpleNamespace(
    name="NVIDIA H100 (described, not present)",
    capability=(9, 0),
    multi_processor_count=132,
    max_shared_memory=232_448,
    warp_size=32,
    total_memory=80 << 30,
)


def install(triton: Any) -> None:
    """Answers Triton's and torch's questions about the device, where there is none."""
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
