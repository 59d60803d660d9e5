"""Compiles a kernel to machine code for a GPU that need not be present: the interpreter takes
much that the compiler does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

_JOB = """
import importlib.util, json, sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

path, name, signature, constexprs = json.loads(sys.argv[1])
spec = importlib.util.spec_from_file_location("subject", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
kernel = getattr(module, name)
kernel = getattr(kernel, "fn", kernel) if not hasattr(kernel, "arg_names") else kernel
names = kernel.arg_names
source = ASTSource(kernel, signature=dict(zip(names, signature)), constexprs={
    (names.index(k),): v for k, v in constexprs.items()
})
made = triton.compile(source, target=GPUTarget("cuda", 90, 32))
print("compiled", len(made.asm["ptx"]))
"""


def compile_kernel(
    folder: Path, source: str, name: str, signature: list[str], constexprs: dict[str, int]
) -> str:
    """ "" where the kernel compiles, else the end of what the compiler said.

    signature: Triton's types of the arguments in order ("*fp32", "i32", "constexpr").
    """
    path = folder / "subject.py"
    path.write_text(textwrap.dedent(source))
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(folder / "cache")
    done = subprocess.run(
        [sys.executable, "-c", _JOB, json.dumps([str(path), name, signature, constexprs])],
        capture_output=True, text=True, env=environment, timeout=300, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 and "compiled" in done.stdout else done.stderr[-1500:]
