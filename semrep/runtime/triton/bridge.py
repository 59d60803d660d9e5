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
        described,
        float8,
        jit,
        libdevice,
        memory,
        reductions,
        rounding,
        syntax,
    )

    libdevice.install(interpreter)
    reductions.install(interpreter)
    bfloat16.install(interpreter)
    float8.install(interpreter)
    counters.install(interpreter)
    rounding.install(interpreter)
    memory.install(interpreter)
    _convert_floats(interpreter)
    syntax.install(interpreter)
    _show_language(interpreter)
    autotune.install(Autotuner)
    jit.install(interpreter)
    described.install(triton)
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


def _count_launches(interpreter: Any) -> None:
    run = interpreter.GridExecutor.__call__

    def counted(self: Any, *arguments: Any, **named: Any) -> Any:
        global _launches
        _launches += 1
        return run(self, *arguments, **named)

    interpreter.GridExecutor.__call__ = counted
