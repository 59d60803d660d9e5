"""What Triton's interpreter lacks for kernels as they are written for devices."""

from __future__ import annotations

from typing import Any


def mend() -> None:
    """Floats given to a kernel are float32 scalars, as on a device; otherwise `eps.to(...)`
    fails. Does nothing where Triton is absent or arranged otherwise."""
    try:
        import numpy as np
        import triton.language as tl
        from triton.runtime import interpreter
    except ImportError:
        return
    plain: Any = getattr(interpreter, "_implicit_cvt", None)
    if plain is None:
        return

    def convert(argument: Any) -> Any:
        if type(argument) is float:
            handle = interpreter.TensorHandle(np.array([argument], dtype=np.float32), tl.float32)
            return tl.tensor(handle, tl.float32)
        return plain(argument)

    interpreter._implicit_cvt = convert
