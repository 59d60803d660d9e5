"""semrep makes GPU and array code faster without changing what it means, and shows the evidence.

The public names are loaded at first use, so that `import semrep` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semrep import verify
    from semrep.api import apply_passes, optimize
    from semrep.ir.module import Module
    from semrep.passes.registry import all_passes
    from semrep.result import Result, Status
    from semrep.runtime.specs import (
        arguments,
        bf16,
        boolean,
        example,
        f16,
        f32,
        f64,
        i32,
        i64,
        ints,
    )

__version__ = "0.1.0"

_HOMES = {
    "semrep.api": ("apply_passes", "optimize"),
    "semrep.ir.module": ("Module",),
    "semrep.passes.registry": ("all_passes",),
    "semrep.result": ("Result", "Status"),
    "semrep.runtime.specs": (
        "arguments", "bf16", "boolean", "example", "f16", "f32", "f64", "i32", "i64", "ints",
    ),
}  # fmt: skip
_ROOMS = ("verify",)
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Module", "Result", "Status", "all_passes", "apply_passes", "arguments", "bf16", "boolean",
    "example", "f16", "f32", "f64", "i32", "i64", "ints", "optimize", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"semrep.{name}")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'semrep' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, *_ROOMS})
