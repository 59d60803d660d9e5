"""A job in a process of its own, which answers line by line and may be killed at any time."""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_MEMORY = 8 << 30
_ROOT = Path(__file__).parents[1]
Row = dict[str, Any]


def ask(module: str, job: Mapping[str, Any], limit_s: float) -> tuple[Row, str]:
    """Runs `python -m module`, which calls `answer`. All answers that came within the limit, as
    one row, later ones over earlier ones; and what cut them short, or "". The process and all
    that it started are gone afterwards."""
    deadline = time.monotonic() + limit_s
    with subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, cwd=_ROOT,
    ) as child:  # fmt: skip
        try:
            assert child.stdin is not None
            child.stdin.write(json.dumps(job).encode())
            child.stdin.close()
            lines, said, timed_out = _outputs(child, deadline)
        finally:
            _kill(child)
    row: Row = {}
    for line in lines:
        row.update(json.loads(line))
    if timed_out:
        return row, f"killed after {limit_s:g} s"
    if child.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        return row, f"exit code {child.returncode}: {last[:200]}"
    return row, ""


def answer(stages: Callable[[Row], Iterable[Row]]) -> int:
    """The other side: the job from standard input, then one line of JSON after each stage."""
    os.environ["SEMREP_STORE"] = ":memory:"
    warnings.simplefilter("ignore")
    job = json.load(sys.stdin)
    # What the code under test prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    for stage in stages(job):
        answers.write(json.dumps(stage) + "\n")
        answers.flush()
    return 0


def _outputs(child: subprocess.Popen[bytes], deadline: float) -> tuple[list[bytes], bytes, bool]:
    """Whole lines of the child's output, what it complained of, and whether time ran out."""
    held: dict[Any, bytes] = {child.stdout: b"", child.stderr: b""}
    with selectors.DefaultSelector() as selector:
        for stream in held:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                return held[child.stdout].split(b"\n")[:-1], held[child.stderr], True
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                held[key.fileobj] += chunk
    child.wait()
    return held[child.stdout].split(b"\n")[:-1], held[child.stderr], False


def _kill(child: subprocess.Popen[bytes]) -> None:
    """The child and what it started; nothing where all have ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
