"""One source, one harness, one warm worker: what verifying and timing share."""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from semrep.runtime.harness import Harness
from semrep.runtime.limits import Limits
from semrep.runtime.loading import package_of
from semrep.runtime.pool import shared_worker
from semrep.runtime.worker import Call, Done, Failed

_NEVER_WARM = {"__future__", "semrep"}


class Session:
    """Runs jobs about one original source. A context manager; `close` gives its worker back.

    compiles: kernels go through Triton's front end instead of its interpreter, and are not run.
    """

    def __init__(
        self,
        source: bytes,
        harness: Harness,
        *,
        seed: int = 0,
        limits: Limits | None = None,
        compiles: bool = False,
    ) -> None:
        self.source = source
        self.harness = harness
        self.seed = seed
        self.limits = limits or Limits()
        self.worker = shared_worker(
            _environment(harness, compiles), warm_modules(source, harness, compiles=compiles)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(
        self,
        function: str,
        *arguments: Any,
        wall_s: float | None = None,
        threads: int | None = None,
    ) -> Done | Failed:
        """Runs a job "module:function" in a fresh child, under the session's limits."""
        (done,) = self.worker.run_all(
            [self.job(function, *arguments, wall_s=wall_s, threads=threads)]
        )
        return done

    def run_twice(
        self, function: str, *arguments: Any, wall_s: float | None = None
    ) -> tuple[Done | Failed, Done | Failed]:
        """The same job in two children, at once where cores are free."""
        job = self.job(function, *arguments, wall_s=wall_s)
        first, second = self.worker.run_all([job, job])
        return first, second

    def job(
        self,
        function: str,
        *arguments: Any,
        wall_s: float | None = None,
        threads: int | None = None,
    ) -> Call:
        """What `run` would run."""
        limits = self.limits
        if wall_s is not None:
            limits = replace(limits, wall_s=wall_s)
        if threads is not None:
            limits = replace(limits, threads=threads)
        # jax and GPU drivers map address space by the tens of gigabytes.
        bounded = self.harness.device == "cpu" and self.harness.framework != "jax"
        return Call(function, arguments, limits, bounded)

    def close(self) -> None:
        self.worker.close()


def warm_modules(source: bytes, harness: Harness, *, compiles: bool = False) -> tuple[str, ...]:
    """What the worker imports before its first fork: the libraries and the file's own imports."""
    warm: list[str] = ["numpy", "semrep.runtime.subject", "semrep.runtime.capture"]
    if harness.framework == "torch":
        # The second is what autograd imports on its first use: sympy, half a second of it.
        warm.extend(("torch", "torch.fx.experimental.symbolic_shapes"))
    if harness.triton and harness.device == "cpu":
        module = "frontend" if compiles else "bridge"
        warm.append(f"semrep.runtime.triton.{module}:install")
    if harness.framework == "jax":
        warm.append("jax.numpy")
    package, folder = package_of(harness.path)
    if folder is not None:
        warm.insert(0, f"path:{folder}")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return tuple(warm)
    for node in tree.body:
        if isinstance(node, ast.Import):
            warm.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level:
                parts = package.split(".") if package else []
                base = parts[: len(parts) - node.level + 1]
                name = ".".join([*base, *filter(None, [name])])
            warm.append(name)
    kept = dict.fromkeys(
        name
        for name in warm
        if name and name.partition(".")[0] not in _NEVER_WARM or name.startswith("semrep.runtime")
    )
    return tuple(kept)


def _environment(harness: Harness, compiles: bool) -> dict[str, str]:
    environment: dict[str, str] = {}
    if harness.device == "cpu":
        if harness.triton:
            environment["TRITON_INTERPRET"] = "0" if compiles else "1"
        environment["CUDA_VISIBLE_DEVICES"] = ""
        # Threads that wait for work by spinning take the cores of whatever else is timed.
        environment["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
        environment["JAX_PLATFORMS"] = "cpu"
    return environment
