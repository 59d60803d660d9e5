"""One life of a warm process, as the parent holds it: the process, its socket, open requests."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from semrep.runtime import frames, messages

Report = tuple[Mapping[str, Any], int | None]

# How long an idle warm process may take to leave after its socket has closed.
_LEAVE_S = 2.0


class LinkLost(Exception):
    """The warm process is gone, or does not answer."""


class Link:
    """Starts a warm process. Requests get numbers; a thread hands out the reports to them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.folder = tempfile.mkdtemp(prefix="semrep-")
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._waiting: dict[int, Future[Report]] = {}
        self._last = 0
        self._lost: str | None = None
        self._idle = threading.Condition(self._lock)
        ours, theirs = socket.socketpair()
        self._control = ours
        try:
            self.process = self._spawn(theirs, environment)
        except OSError:
            ours.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        finally:
            theirs.close()
        threading.Thread(target=self._read, name="semrep-worker", daemon=True).start()

    def _spawn(
        self, theirs: socket.socket, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        merged = {
            **os.environ,
            # One thread until the fork: a thread pool does not survive it.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": self.folder,
            "TRITON_CACHE_DIR": os.path.join(self.folder, "triton"),
            **environment,
        }
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        inherited = merged.get("PYTHONPATH")
        merged["PYTHONPATH"] = root + (os.pathsep + inherited if inherited else "")
        # An empty list of devices means that jobs are kept from them.
        gpu = "0" if environment.get("CUDA_VISIBLE_DEVICES") == "" else "1"
        descriptor = str(theirs.fileno())
        module = "semrep.runtime.template"
        return subprocess.Popen(
            [sys.executable, "-m", module, descriptor, str(os.getpid()), self.folder, gpu],
            pass_fds=(theirs.fileno(),),
            env=merged,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        return self._lost is None

    def send(self, request: dict[str, Any]) -> Future[Report]:
        """Sends a request, to which it adds its "id". The future gives the report and a
        descriptor of the result, or LinkLost. Raises LinkLost."""
        future: Future[Report] = Future()
        with self._lock:
            if self._lost is not None:
                raise LinkLost(self._lost)
            self._last += 1
            request["id"] = self._last
            self._waiting[self._last] = future
        try:
            with self._sending:
                messages.send(self._control, pickle.dumps(request))
        except OSError as error:
            self._fail(str(error))
            raise LinkLost(str(error)) from error
        return future

    def cancel(self, number: int) -> None:
        """Ends a running job; its report comes as always."""
        with self._lock:
            if number not in self._waiting:
                return
        with contextlib.suppress(OSError), self._sending:
            messages.send(self._control, pickle.dumps({"cancel": number}))

    def wait_idle(self, seconds: float) -> None:
        """Returns when no request is open. Raises LinkLost after so long."""
        with self._idle:
            if not self._idle.wait_for(lambda: not self._waiting, seconds):
                raise LinkLost("it did not come to rest")

    def close(self) -> None:
        """Ends the process and all that it runs, and removes its folder."""
        self._fail("it was closed")
        try:
            self.process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def forget(self) -> None:
        """Lets go of what another process owns, without touching it."""
        self._lost = "it belongs to another process"
        self.process.returncode = 0
        with contextlib.suppress(OSError):
            os.close(self._control.detach())

    def _read(self) -> None:
        why = "it ended"
        try:
            while (received := messages.receive(self._control)) is not None:
                report = frames.decode(received[0])
                with self._idle:
                    future = self._waiting.pop(report["id"], None)
                    self._idle.notify_all()
                if future is not None:
                    future.set_result((report, received[1]))
                elif received[1] is not None:
                    os.close(received[1])
        except (OSError, frames.FrameError) as error:
            why = str(error)
        self._fail(why)
        self._control.close()

    def _fail(self, why: str) -> None:
        with self._idle:
            if self._lost is None:
                self._lost = why
            waiting, self._waiting = self._waiting, {}
            self._idle.notify_all()
        with contextlib.suppress(OSError):
            # Wakes the reading thread; a plain close would not.
            self._control.shutdown(socket.SHUT_RDWR)
        for future in waiting.values():
            future.set_exception(LinkLost(why))
