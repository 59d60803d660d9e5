"""The parent's side of the killable worker: start it, give it jobs, read what came back."""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from semrep.runtime import frames
from semrep.runtime.limits import Limits
from semrep.runtime.link import Link, LinkLost, Report
from semrep.runtime.sandbox import confinement

_GRACE_S = 10.0
_IMPORT_S = 180.0


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

    cause: "timeout", "memory", "limit" (files, processes, output), "crash" (a signal), "exit"
    (left early), "error" (raised), or "worker" (the warm process itself is gone).
    """

    cause: str
    reason: str
    seconds: float
    output: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Call:
    """One job for `Worker.run_all`: what `Worker.run` takes."""

    function: str
    arguments: tuple[Any, ...] = ()
    limits: Limits | None = None
    bound_address_space: bool = True


class Worker:
    """A warm process that runs each job in a fresh fork of itself, under limits.

    warm: modules to import before the first fork. environment: variables to set for it. It
    starts at the first job, and again when it was lost. May be used from several threads: as
    many jobs run at once as there are cores. Jobs are named "package.module:function";
    arguments go in by pickle (they are ours), results come back in frames (they are not).
    """

    def __init__(
        self, warm: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._wanted = dict.fromkeys(warm)
        self._environment = dict(environment or {})
        self._missing: tuple[str, ...] = ()
        self._protection: confinement.Protection | None = None
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._cores = threading.BoundedSemaphore(max(1, len(os.sched_getaffinity(0))))
        self._link: Link | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def missing(self) -> tuple[str, ...]:
        """The modules to warm that could not be imported there."""
        return self._missing

    @property
    def protection(self) -> confinement.Protection:
        """What jobs here cannot do, found out by trying: once, with the first who asks."""
        if self._protection is None:
            self._protection = confinement.probe_worker(self)
        return self._protection

    @property
    def pid(self) -> int | None:
        """Of the process that guards the warm one; None while nothing runs."""
        return None if self._link is None else self._link.process.pid

    def run(
        self,
        function: str,
        *arguments: Any,
        limits: Limits | None = None,
        bound_address_space: bool = True,
    ) -> Done | Failed:
        """Runs one job to its end or its limit. Never raises for what the job does."""
        return self.run_all([Call(function, arguments, limits, bound_address_space)])[0]

    def run_all(self, calls: Sequence[Call]) -> list[Done | Failed]:
        """Runs independent jobs, at once where cores are free; results in the order of calls."""
        pending: list[_Pending | Failed] = []
        try:
            for call in calls:
                self._cores.acquire()
                pending.append(self._submit(call))
            return [p if isinstance(p, Failed) else p.outcome() for p in pending]
        except BaseException:
            # An interrupt: nobody waits for these any more.
            for one in pending:
                if not isinstance(one, Failed):
                    one.cancel()
            raise

    def warm(self, modules: Sequence[str]) -> None:
        """Imports further modules into the warm process, for all later jobs.

        Waits until no job runs. Nothing happens for modules that are there.
        """
        self._adopt()
        with self._lock:
            new = [name for name in modules if name not in self._wanted]
            self._wanted.update(dict.fromkeys(new))
            if new and self._link is not None and self._link.alive:
                with contextlib.suppress(LinkLost):
                    self._import(self._link, new)

    def close(self) -> None:
        """Ends the worker and all it runs. It starts again at the next job."""
        self._adopt()
        with self._lock:
            if self._link is not None:
                self._link.close()
                self._link = None

    def _adopt(self) -> None:
        """After a fork of the parent the process and its socket belong to the parent alone."""
        if self._owner != os.getpid():
            if self._link is not None:
                self._link.forget()
            self._begin()

    def _started(self) -> Link:
        if self._link is not None and self._link.alive:
            return self._link
        if self._link is not None:
            self._link.close()
        self._protection = None
        self._link = Link(self._environment)
        self._missing = ()
        self._import(self._link, list(self._wanted))
        return self._link

    def _import(self, link: Link, modules: list[str]) -> None:
        link.wait_idle(_IMPORT_S)
        future = link.send({"warm": modules})
        try:
            report, _ = future.result(_IMPORT_S)
        except TimeoutError:
            link.close()
            raise LinkLost("an import did not end") from None
        self._missing = (*self._missing, *report["missing"])

    def _sent(self, request: dict[str, Any]) -> tuple[Link, Future[Report]]:
        """Sends a request; once more where the warm process turns out to have died meanwhile."""
        link = self._started()
        try:
            return link, link.send(request)
        except LinkLost:
            link = self._started()
            return link, link.send(request)

    def _submit(self, call: Call) -> _Pending | Failed:
        """Starts a job; a core is taken, and given back when it ends."""
        try:
            self._adopt()
            limits = call.limits or Limits()
            nonce = secrets.token_bytes(16)
            request: dict[str, Any] = {
                "function": call.function,
                "arguments": pickle.dumps(call.arguments),
                "limits": limits,
                "nonce": nonce,
                "bound_address_space": call.bound_address_space,
            }
            with self._lock:
                link, future = self._sent(request)
        except (OSError, LinkLost) as error:
            self._cores.release()
            return Failed("worker", f"the worker did not start: {error}", 0.0, "")
        except BaseException:
            self._cores.release()
            raise
        cores = self._cores
        future.add_done_callback(lambda _: cores.release())
        return _Pending(link, future, request["id"], nonce, limits)


@dataclass(frozen=True, slots=True)
class _Pending:
    link: Link
    future: Future[Report]
    number: int
    nonce: bytes
    limits: Limits

    def outcome(self) -> Done | Failed:
        # The warm process keeps the wall clock; this deadline is for when it is stuck.
        patience = self.limits.wall_s + _GRACE_S
        try:
            report, result = self.future.result(patience)
        except TimeoutError:
            self.link.close()
            return Failed("worker", "the worker was lost: no report", patience, "")
        except LinkLost as error:
            return Failed("worker", f"the worker was lost: {error}", 0.0, "")
        assert result is not None
        return _outcome(report, result, self.nonce)

    def cancel(self) -> None:
        self.link.cancel(self.number)


_EXITS = {70: "error", 71: "memory"}


def _outcome(report: Mapping[str, Any], result: int, nonce: bytes) -> Done | Failed:
    output = report["output"].decode("utf-8", "replace")
    seconds = report["seconds"]
    with open(result, "rb") as file:
        file.seek(0)
        frame = file.read()
    status = report["status"]
    if report["killed"] is not None:
        cause, reason = report["killed"]
        return Failed(cause, reason, seconds, output)
    if status == 0:
        try:
            return Done(frames.decode(frame, nonce), seconds, report["peak_bytes"], output)
        except frames.FrameError as error:
            return Failed("exit", f"exited before it returned ({error})", seconds, output)
    if status < 0:
        name = _signal_name(-status)
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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
