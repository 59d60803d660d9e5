"""What Triton's interpreter lacks for kernels as they are written for devices, and a watch over
what they touch."""

from __future__ import annotations

from typing import Any

# What kernels read or wrote outside the arrays that they were given, since the last `forget`.
_beyond: set[str] = set()
_guard = [False]
_ranges: list[tuple[int, int]] = []


class BeyondError(Exception):
    """A kernel would write outside its arguments."""


def forget(guard: bool = False) -> None:
    """guard: from now on nothing is written outside, an error is raised instead."""
    _beyond.clear()
    _guard[0] = guard


def beyond() -> str:
    """ "", "reads", "writes" or "reads, writes"."""
    return ", ".join(sorted(_beyond))


def mend() -> None:
    """Floats given to a kernel are float32 scalars, as on a device; otherwise `eps.to(...)`
    fails. Accesses outside the arguments' memory are noted. Does nothing where Triton is absent
    or arranged otherwise."""
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
        if hasattr(argument, "data_ptr"):
            base = getattr(argument, "base", argument)
            storage = base.untyped_storage()
            _ranges.append((storage.data_ptr(), storage.data_ptr() + storage.nbytes()))
        return plain(argument)

    interpreter._implicit_cvt = convert
    _give_bodies(interpreter)
    _watch(interpreter)


def _give_bodies(interpreter: Any) -> None:
    """The functions of libdevice that the corpus uses; off the device they return nothing."""
    import importlib

    import numpy as np
    import triton.language as tl

    def elementwise(function: Any) -> Any:
        def body(x: Any) -> Any:
            with np.errstate(all="ignore"):
                data = np.asarray(function(x.handle.data), dtype=x.handle.data.dtype)
            return tl.tensor(interpreter.TensorHandle(data, x.handle.dtype), x.type)

        return body

    for name in ("triton.language.extra.libdevice", "triton.language.extra.cuda.libdevice"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        module.rsqrt = elementwise(lambda v: 1 / np.sqrt(v))
        module.tanh = elementwise(np.tanh)


def _watch(interpreter: Any) -> None:
    builder = interpreter.InterpreterBuilder
    launch = interpreter.GridExecutor.__call__

    def launched(self: Any, *args: Any, **kwargs: Any) -> Any:
        _ranges.clear()
        return launch(self, *args, **kwargs)

    interpreter.GridExecutor.__call__ = launched
    load, store, atomic = (
        getattr(builder, name)
        for name in ("create_masked_load", "create_masked_store", "create_atomic_rmw")
    )

    def loaded(self: Any, ptrs: Any, mask: Any, *others: Any) -> Any:
        _check("reads", ptrs, mask)
        return load(self, ptrs, mask, *others)

    def stored(self: Any, ptrs: Any, value: Any, mask: Any, *others: Any) -> Any:
        _check("writes", ptrs, mask)
        return store(self, ptrs, value, mask, *others)

    def changed(self: Any, operation: Any, ptr: Any, value: Any, mask: Any, *others: Any) -> Any:
        _check("writes", ptr, mask)
        return atomic(self, operation, ptr, value, mask, *others)

    builder.create_masked_load = loaded
    builder.create_masked_store = stored
    builder.create_atomic_rmw = changed


def _check(what: str, pointers: Any, mask: Any) -> None:
    import numpy as np

    places, wanted = np.broadcast_arrays(pointers.data, np.asarray(mask.data, dtype=bool))
    places = places[wanted]
    if places.size == 0:
        return
    inside = np.zeros(places.shape, dtype=bool)
    for low, high in _ranges:
        inside |= (places >= np.uint64(low)) & (places < np.uint64(high))
    if not inside.all():
        _beyond.add(what)
        if _guard[0] and what == "writes":
            raise BeyondError("a kernel writes outside its arguments")
