"""Runs one job under NVIDIA's compute-sanitizer, in a process of its own, where it is installed.

The tool watches compiled kernels as the interpreter's instruments watch interpreted ones:
memcheck finds accesses outside allocations, racecheck hazards in shared memory, initcheck reads
of global memory that nothing wrote. It slows kernels down ten to a hundred times.
"""

from __future__ import annotations

import importlib
import os
import pickle
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from semrep.runtime import frames
from semrep.runtime.worker import Done, Failed

Tool = Literal["memcheck", "racecheck", "initcheck", "synccheck"]
_FOUND = 86
_TAIL = 16_384


class NoSanitizer(RuntimeError):
    """compute-sanitizer is not on the PATH; it comes with the CUDA toolkit."""


def run(
    tool: Tool,
    function: str,
    *arguments: Any,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> Done | Failed:
    """The job "module:function" under the tool: what it returned, or the tool's first finding.

    Raises NoSanitizer.
    """
    program = shutil.which("compute-sanitizer")
    if program is None:
        raise NoSanitizer(str(NoSanitizer.__doc__))
    with tempfile.TemporaryDirectory(prefix="semrep-") as folder:
        request, result = Path(folder, "request"), Path(folder, "result")
        nonce = secrets.token_bytes(16)
        request.write_bytes(pickle.dumps((function, arguments, nonce, str(result))))
        command = [program, "--tool", tool, "--error-exitcode", str(_FOUND)]
        command += ["--target-processes", "all", sys.executable, "-m", __name__, str(request)]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **(environment or {}), "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Failed("timeout", f"no result within {timeout_s:g} s", timeout_s, "")
        output = done.stdout[-_TAIL:].decode("utf-8", "replace")
        if done.returncode == _FOUND:
            return Failed("error", f"{tool}: {first_finding(output)}", 0.0, output)
        try:
            return Done(frames.decode(result.read_bytes(), nonce), 0.0, 0, output)
        except (OSError, frames.FrameError) as error:
            return Failed("exit", f"ended under {tool} without a result ({error})", 0.0, output)


def first_finding(output: str) -> str:
    """The first line of the report that says what was found."""
    lines = [line.lstrip("= ").strip() for line in output.splitlines() if line.startswith("====")]
    said = [line for line in lines if line and not line.startswith("COMPUTE-SANITIZER")]
    return said[0] if said else "something was found, and not said"


def _main(path: str) -> None:
    function, arguments, nonce, result = pickle.loads(Path(path).read_bytes())
    module, _, name = function.partition(":")
    value = getattr(importlib.import_module(module), name)(*arguments)
    Path(result).write_bytes(frames.encode(value, nonce))


if __name__ == "__main__":
    _main(sys.argv[1])
