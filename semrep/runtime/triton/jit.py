"""Interpreted kernels, as the wrappers around them expect compiled ones to look.

Libraries wrap kernels in caches of their own: they unwrap `.fn` until they meet a JITFunction,
read its parameters, keep what a launch returned, and launch that again without the
compile-time arguments.
"""

from __future__ import annotations

import hashlib
import inspect
from typing import Any


class Specialised:
    """What a launch returns: the kernel with the compile-time arguments of that launch."""

    def __init__(self, kernel: Any, constants: dict[str, Any]) -> None:
        self._kernel, self._constants = kernel, constants

    def __getitem__(self, grid: Any) -> Any:
        def launch(*arguments: Any) -> None:
            names = self._kernel.arg_names
            if len(arguments) != len(names):
                names = [name for name in names if name not in self._constants]
            values = {**self._constants, **dict(zip(names, arguments, strict=True))}
            self._kernel.run(grid=grid, warmup=False, **values)

        return launch

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the interpreter compiles no kernel that has {name!r}")


def install(interpreter: Any) -> None:
    """Makes functions decorated from now on answer for JITFunctions."""
    from triton.runtime.jit import JITFunction

    class Interpreted(interpreter.InterpretedFunction):  # type: ignore[misc]
        @property
        def __class__(self) -> Any:
            return JITFunction  # isinstance() asks where the type itself does not match

        @__class__.setter
        def __class__(self, value: Any) -> None:
            raise TypeError("an interpreted kernel keeps its class")

        def run(self, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
            super().run(*args, grid=grid, warmup=warmup, **kwargs)
            return Specialised(self, _constants(self.fn, args, kwargs))

        @property
        def cache_key(self) -> str:
            """By its own source; Triton's own goes through what it calls, which is interpreted."""
            return hashlib.sha256(self.src.encode()).hexdigest()

        def __getattr__(self, name: str) -> Any:
            """Parameters, signature, source and key, as the compiled kernel has them."""
            if name in ("__globals__", "__qualname__"):
                return getattr(self.fn, name)
            if name.startswith("__") or name in ("_compiled", "fn", "kwargs"):
                raise AttributeError(name)
            if "_compiled" not in self.__dict__:
                self._compiled = JITFunction(self.fn, **self.kwargs)
            return getattr(self._compiled, name)

    Interpreted.__name__ = Interpreted.__qualname__ = "InterpretedFunction"
    interpreter.InterpretedFunction = Interpreted


def _constants(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The compile-time arguments of a call, defaults too."""
    signature = inspect.signature(function)
    named = dict(zip(signature.parameters, args, strict=False))
    constants = {}
    for name, parameter in signature.parameters.items():
        if "constexpr" not in str(parameter.annotation):
            continue
        value = named.get(name, kwargs.get(name, parameter.default))
        if value is not inspect.Parameter.empty:
            constants[name] = value
    return constants
