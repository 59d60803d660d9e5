"""The parent's side of the killable worker: start it, give it jobs, read what came back."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from semrep.runtime import frames
from semrep.runtime.limits import Limits
from semrep.runtime.template import receive, send

_START_S = 180.0
_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Done:
    """The job returned; value is what its function gave back, through frames."""

    value: Any
    seconds: float
    peak_bytes: int
    output: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The job did not return: it ran past a limit, died, raised, or broke the frame.

    cause: "timeout", "memory", "crash" (a signal), "exit" (left early), "error" (raised), or
    "worker" (the warm process itself is gone).
    """

    cause: str
    reason: str
    seconds: float
    output: str

    def __str__(self) -> str:
        return self.reason


class Worker:
    """A warm process that runs each job in a fresh fork of itself, under limits.

    warm: modules to import once, before the first fork. environment: variables to set for it.
    A worker is one job at a time; `run` may be called from any thread. Jobs are named
    "package.module:function"; arguments go in by pickle (they are ours), results come back in
    frames (they are not).
    """

    def __init__(
        self, warm: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._warm = tuple(warm)
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder: str | None = None
        self.missing: tuple[str, ...] = ()

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
        limits: Limits | None = None,
        bound_address_space: bool = True,
    ) -> Done | Failed:
        """Runs one job to its end or its limit. Never raises for what the job does."""
        limits = limits or Limits()
        with self._lock:
            try:
                control = self._started()
            except (OSError, EOFError) as error:
                self._stop()
                return Failed("worker", f"the worker did not start: {error}", 0.0, "")
            assert self._folder is not None
            nonce = secrets.token_bytes(16)
            result = os.path.join(self._folder, nonce.hex())
            folder = os.path.join(self._folder, "work")
            os.makedirs(folder, exist_ok=True)
            request = {
                "function": function,
                "arguments": arguments,
                "limits": limits,
                "nonce": nonce,
                "result": result,
                "folder": folder,
                "bound_address_space": bound_address_space,
            }
            try:
                # The template enforces the wall clock; this deadline is for a stuck template.
                control.settimeout(limits.wall_s + _GRACE_S)
                send(control, request)
                report = receive(control)
            except OSError as error:
                self._stop()
                return Failed("worker", f"the worker was lost: {error}", limits.wall_s, "")
            except BaseException:
                # An interrupt in the middle of a conversation leaves it out of step.
                self._stop()
                raise
            if report is None:
                self._stop()
                return Failed("worker", "the worker ended without a report", 0.0, "")
            return _outcome(report, result, nonce, limits)

    def close(self) -> None:
        """Ends the worker and all it runs. It starts again at the next job."""
        with self._lock:
            self._stop()

    def _started(self) -> socket.socket:
        if self._process is not None and self._process.poll() is None:
            assert self._control is not None
            return self._control
        self._stop()
        ours, theirs = socket.socketpair()
        self._folder = tempfile.mkdtemp(prefix="semrep-")
        environment = {
            **os.environ,
            # One thread until the fork: a thread pool does not survive it.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
            "TMPDIR": self._folder,
            "TRITON_CACHE_DIR": os.path.join(self._folder, "triton"),
            **self._environment,
        }
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = root + (os.pathsep + inherited if inherited else "")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "semrep.runtime.template", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._control = ours
        ours.settimeout(_START_S)
        send(ours, {"warm": self._warm})
        ready = receive(ours)
        if ready is None:
            raise EOFError("it ended while importing")
        self.missing = tuple(ready["missing"])
        return ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            # At the end of its control socket the template kills its job and leaves.
            try:
                self._process.wait(2.0)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


_EXITS = {70: "error", 71: "memory"}


def _outcome(report: dict[str, Any], path: str, nonce: bytes, limits: Limits) -> Done | Failed:
    output = report["output"].decode("utf-8", "replace")
    seconds = report["seconds"]
    frame = b""
    with contextlib.suppress(OSError):
        with open(path, "rb") as file:
            frame = file.read()
        os.unlink(path)
    status = report["status"]
    if report["timed_out"]:
        return Failed("timeout", f"no result within {limits.wall_s:g} s", seconds, output)
    if status == 0:
        try:
            return Done(frames.decode(frame, nonce), seconds, report["peak_bytes"], output)
        except frames.FrameError as error:
            return Failed("exit", f"exited before it returned ({error})", seconds, output)
    if status < 0:
        name = signal.Signals(-status).name
        if -status == signal.SIGXCPU:
            return Failed("timeout", "used up its processor time", seconds, output)
        if -status == signal.SIGXFSZ:
            return Failed("crash", "wrote more than its file limit", seconds, output)
        return Failed("crash", f"killed by {name}", seconds, output)
    cause = _EXITS.get(status, "exit")
    if cause == "memory" or "MemoryError" in output or "can't allocate memory" in output:
        return Failed("memory", "ran out of its memory limit", seconds, output)
    if cause == "error":
        last = output.strip().splitlines()[-1] if output.strip() else "no message"
        return Failed("error", last, seconds, output)
    return Failed("exit", f"left the process with status {status}", seconds, output)
