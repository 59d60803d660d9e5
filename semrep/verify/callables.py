"""Live Python callables as source text, so that they run where texts run."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from semrep.runtime.harness import Framework, Harness

_TEMPLATE = """\
import base64
import cloudpickle

subject = cloudpickle.loads(base64.b85decode({subject!r}))


def semrep_inputs():
    return cloudpickle.loads(base64.b85decode({inputs!r}))
"""


def as_source(function: Callable[..., Any], inputs: Any = None) -> bytes:
    """A module whose `subject` is a copy of the callable, and whose inputs are copies of these.

    Closures, lambdas, modules with their parameters and functions of a notebook travel by
    value (cloudpickle). Raises TypeError for what cannot be copied.
    """
    import cloudpickle  # type: ignore[import-untyped]

    try:
        texts = [
            base64.b85encode(cloudpickle.dumps(value)).decode() for value in (function, inputs)
        ]
    except Exception as error:
        raise TypeError(
            f"{function!r} cannot be copied into another process ({error}); "
            "give the path of its file instead"
        ) from error
    return _TEMPLATE.format(subject=texts[0], inputs=texts[1]).encode()


def is_generated(source: bytes) -> bool:
    """Whether `as_source` wrote it, so that its lines mean nothing to anybody."""
    return source.startswith(_TEMPLATE.partition("{")[0].encode())


def harness_of(function: Callable[..., Any], inputs: Any) -> Harness:
    """How to run what `as_source` wrote."""
    modules = _libraries(function, inputs)
    framework: Framework = "numpy"
    if modules & {"torch", "triton"}:
        framework = "torch"
    elif modules & {"jax", "jaxlib"}:
        framework = "jax"
    return Harness("subject", "semrep_inputs()", framework=framework, triton="triton" in modules)


def _libraries(function: Any, inputs: Any) -> set[str]:
    """Top-level packages that the inputs and the globals of the function belong to."""
    found: set[str] = set()

    def note(value: Any, depth: int = 0) -> None:
        owner = getattr(value, "__module__", None) or type(value).__module__
        found.add(str(owner).partition(".")[0])
        found.add(type(value).__module__.partition(".")[0])
        name = getattr(value, "__name__", "")
        found.add(str(name).partition(".")[0])
        if isinstance(value, (list, tuple)) and depth < 4:
            for item in value:
                note(item, depth + 1)
        elif isinstance(value, dict) and depth < 4:
            for item in value.values():
                note(item, depth + 1)

    note(inputs)
    note(function)
    code = getattr(function, "__code__", None)
    namespace = getattr(function, "__globals__", {})
    for name in getattr(code, "co_names", ()):
        if name in namespace:
            note(namespace[name])
    return found
