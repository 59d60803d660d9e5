"""Candidates that do harm, given to the verifier as any other: none may do any.

Contained means: a verdict in bounded time, the right one where only one is right, no process
and no file left, nothing outside changed, and the next candidate judged as ever.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import semrep
from bench.records import Record
from bench.trust.hostile import BREACH, CANDIDATES, HARMLESS, ORIGINAL, Hostile
from semrep.runtime import Harness, discover
from semrep.verify import Different, Equivalent, Verifier

SUITE = "trust"
MEMORY_BYTES = 1 << 30
_QUICK = 5
# Beyond its limit of time a candidate gets this long to be ended and cleaned up after.
_SLACK_S = 8.0


def run(quick: bool, seed: int, say: Callable[[str], None]) -> Iterator[Record]:
    """quick: a sample of those that use up little."""
    chosen = list(CANDIDATES)
    if quick:
        light = [c for c in chosen if not c.heavy and not c.waits]
        waiting = [c for c in chosen if c.waits]
        draw = random.Random(seed)
        chosen = [*draw.sample(light, _QUICK), *draw.sample(waiting, 1)]
    with Target(timeout_s=1.0 if quick else 3.0) as target:
        protection = target.protection
        say(f"in force: {protection}")
        escaped = {}
        for candidate in chosen:
            wrong = target.attack(candidate)
            if wrong:
                escaped[candidate.name] = wrong
                say(f"{candidate.name}: {wrong}")
        slowest = target.slowest
    left = target.left
    if left:
        escaped["after the end"] = left
    note = "; ".join(f"{name}: {wrong}" for name, wrong in escaped.items())
    note = f"{note or 'none'}; in force: {protection}"
    yield Record(SUITE, "uncontained", len(escaped), "candidates", len(chosen), note=note)
    yield Record(SUITE, "containment_slowest", slowest, "s", len(chosen))


class Target:
    """One verifier, with things around it that no candidate may touch. A context manager.

    left: what was still there after the end.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.slowest = 0.0
        self.left = ""
        self._stack = contextlib.ExitStack()
        self._signals = 0

    def __enter__(self) -> Target:
        stack = self._stack
        self.token = f"semrep-hostile-{uuid.uuid4().hex}"
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="semrep-hostile-")))
        self.canary = scratch / "canary"
        self.canary.write_text("untouched")
        self.before = self.canary.stat()
        self.temporary = scratch / "tmp"
        self.temporary.mkdir()
        self._redirect()
        self.server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.local = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.local.bind(str(scratch / "socket"))
        self.local.listen()
        self.abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.abstract.bind("\0" + self.token)
        self.abstract.listen()
        for listening in (self.server, self.local, self.abstract):
            listening.setblocking(False)
        previous = signal.signal(signal.SIGUSR2, lambda *_: self._signalled())
        stack.callback(signal.signal, signal.SIGUSR2, previous)
        harness = discover(ORIGINAL, entry="f", inputs="(f32(8, 8),)")
        assert isinstance(harness, Harness)
        self.verifier = Verifier(
            ORIGINAL, harness, timeout_s=self.timeout_s, memory_bytes=MEMORY_BYTES
        )
        stack.callback(self.verifier.close)
        self.check_harmless()
        self.protection = self.verifier.session.worker.protection
        self.family = self._processes()
        return self

    def __exit__(self, *_: object) -> None:
        self.verifier.close()
        with contextlib.suppress(ImportError):
            from semrep.runtime.pool import close_workers

            close_workers()
        files = [str(path) for path in self.temporary.iterdir()]
        self._until(lambda: not self._processes())
        self.left = ", ".join([*files, *(f"process {pid}" for pid in self._processes())])
        self._stack.close()

    def _redirect(self) -> None:
        """Has this process and its workers put temporary files where all can be seen. The
        token in the environment marks every process that a worker starts."""
        before = {name: os.environ.get(name) for name in ("TMPDIR", "SEMREP_HOSTILE")}

        def restore() -> None:
            tempfile.tempdir = None
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

        self._stack.callback(restore)
        os.environ.update({"TMPDIR": str(self.temporary), "SEMREP_HOSTILE": self.token})
        tempfile.tempdir = None

    def _signalled(self) -> None:
        self._signals += 1

    def check_harmless(self) -> str:
        """What is wrong with the verdict on a right candidate, "" if nothing."""
        verdict = self.verifier.check(HARMLESS)
        return "" if isinstance(verdict, Equivalent) else f"later jobs fail: {verdict}"

    def attack(self, candidate: Hostile) -> str:
        """Lets one candidate do its worst: what it achieved, "" for nothing."""
        source = candidate.source(
            parent=os.getpid(), group=os.getpgrp(), port=self.server.getsockname()[1],
            socket=self.local.getsockname(), token=self.token, canary=str(self.canary),
            home=str(Path.home()), places=[str(place) for place in self._places()],
        )  # fmt: skip
        started = time.monotonic()
        verdict = self.verifier.check(source)
        spent = time.monotonic() - started
        self.slowest = max(self.slowest, spent)
        wrong = []
        if spent > self.timeout_s + _SLACK_S:
            wrong.append(f"took {spent:.1f} s")
        if candidate.rejected and not isinstance(verdict, Different):
            wrong.append(f"verdict: {verdict}")
        if BREACH in str(verdict):
            wrong.append(str(verdict))
        wrong += self._harm()
        harmless = self.check_harmless()
        return "; ".join([*wrong, *filter(None, [harmless])])

    def _harm(self) -> Iterator[str]:
        self._until(lambda: self._processes() <= self.family)
        for pid in self._processes() - self.family:
            yield f"left process {pid}"
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for place in self._places():
            path = place / self.token
            if path.exists():
                yield f"wrote {path}"
                path.unlink()
        now = self.canary.stat() if self.canary.exists() else None
        if now != self.before and (now is None or _facts(now) != _facts(self.before)):
            yield "changed a file outside"
            self.canary.write_text("untouched")
            self.canary.chmod(0o600)
            self.before = self.canary.stat()
        for listening in (self.server, self.local, self.abstract):
            with contextlib.suppress(BlockingIOError):
                while True:
                    listening.accept()[0].close()
                    yield f"connected to {listening.getsockname()!r}"
        if self._signals:
            yield "sent a signal"
            self._signals = 0

    def _places(self) -> list[Path]:
        package = Path(semrep.__file__).parent
        found = [Path.home(), Path("/tmp"), Path("/var/tmp"), package.parent, package]
        return [p for p in (*found, self.temporary, self.canary.parent) if p.is_dir()]

    def _processes(self) -> set[int]:
        """All processes that a worker of this run started, wherever they are in the tree."""
        mark = f"SEMREP_HOSTILE={self.token}".encode()
        found = set()
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{name}/environ").read_bytes():
                    found.add(int(name))
        return found

    def _until(self, condition: Callable[[], bool], seconds: float = 2.0) -> None:
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            time.sleep(0.02)


def _facts(stat: os.stat_result) -> tuple[float, ...]:
    return stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ino
