"""Runs jobs in a worker process that may hang or crash."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.trust.program import Program

_ROOT = Path(__file__).parent.parent.parent


class Executor:
    """One worker, started anew after each death; then the original is loaded again."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._program: Program | None = None
        # Given to the workers, which are killed and cannot clear up.
        self._scratch = tempfile.TemporaryDirectory(prefix="trust-")

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._scratch.cleanup()

    def load(self, program: Program, limit_s: float) -> dict[str, Any]:
        """{"lines", "usable"} or {"failed"}. The worker stays alive from program to program."""
        self._program = program
        plain = asdict(program)
        plain["targets"] = list(program.targets)
        return self._ask({"do": "load", "program": plain}, limit_s)

    def ask(self, job: str, candidate: str, limit_s: float) -> dict[str, Any]:
        """The answer, or {"failed": why} where the worker died or took too long."""
        if self._process is None and self._program is not None:
            loaded = self.load(self._program, 120)
            if "failed" in loaded:
                return loaded
        return self._ask({"do": job, "candidate": candidate}, limit_s)

    def _ask(self, job: dict[str, Any], limit_s: float) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self._kill()
            return {"failed": "crashed"}
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(limit_s)
        if not ready:
            self._kill()
            return {"failed": f"no answer in {limit_s:.0f} s"}
        line = process.stdout.readline()
        if not line:
            self._kill()
            return {"failed": "crashed"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.trust.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**os.environ, "TMPDIR": self._scratch.name},
            )
        return self._process

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
