"""Triton's own front end on every launch, with no device: what the interpreter lets pass.

The interpreter runs a kernel as Python, where a name defined in a loop is there after it, types
may change from one turn to the next, and whatever Python can call can be called. The compiler
refuses. Here launchers run as they are, and each launch goes as far as Triton's IR; nothing is
computed, so that results hold what memory held.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_installed = False


@dataclass(slots=True)
class Compiled:
    """launches: kernels' names, one for each launch that differs from those before it.
    refused: of these, what the compiler says, by kernel."""

    launches: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


_compiled = Compiled()


class _Launched:
    """What a launch returns: callers keep it and launch it again."""

    def __getitem__(self, grid: Any) -> Any:
        return lambda *arguments: None


@contextmanager
def compiling() -> Iterator[Compiled]:
    """Records what is launched inside. Needs `install`."""
    global _compiled
    before, _compiled = _compiled, Compiled()
    try:
        yield _compiled
    finally:
        _compiled = before


def install() -> None:
    """Replaces launching in this process, which must not interpret kernels. Idempotent.

    Raises ImportError without triton.
    """
    global _installed
    if _installed:
        return
    _installed = True
    import triton
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.jit import JITFunction

    from semrep.runtime.triton import autotune, described

    autotune.install(Autotuner)
    described.install(triton)
    JITFunction.run = _run


def _run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> _Launched:
    """As JITFunction.run, up to Triton's IR."""
    del warmup
    for hook in self.pre_run_hooks:
        hook(*args, **kwargs)
    kwargs["debug"] = kwargs.get("debug", self.debug)
    kernels, _, target, backend, binder = self.device_caches[0]
    bound, specialization, _ = binder(*args, **kwargs)
    if callable(grid):
        grid(bound)
    options, signature, constants, attributes = self._pack_args(
        backend, kwargs, bound, specialization, None
    )
    key = str((specialization, options))
    if key not in kernels:
        kernels[key] = True
        _compiled.launches.append(self.__name__)
        source = self.ASTSource(self, signature, constants, attributes)
        _lower(self.__name__, source, target, backend, options)
    return _Launched()


def _lower(name: str, source: Any, target: Any, backend: Any, options: Any) -> None:
    from triton._C.libtriton import ir
    from triton.compiler.errors import CompilationError, CompileTimeAssertionFailure

    from semrep.runtime.triton.autotune import StaticAssertion

    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    functions = backend.get_codegen_implementation(options)
    try:
        source.make_ir(target, options, functions, backend.get_module_map(), context)
    except CompileTimeAssertionFailure as error:
        # An autotuner leaves such a configuration out.
        raise StaticAssertion(str(error)) from error
    except CompilationError as error:
        _compiled.refused.setdefault(name, _innermost(error))


def _innermost(error: BaseException) -> str:
    """The compiler's message without its excerpts of the source: the cause that came first."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = getattr(error, "error_message", None) or str(error)
    node = getattr(error, "node", None)
    place = f"line {node.lineno} of the kernel: " if node is not None else ""
    return f"{place}{text.strip().splitlines()[-1] if text.strip() else type(error).__name__}"
