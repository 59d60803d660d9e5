"""The warm process: imports the heavy libraries once, then forks a fresh child for every job.

It runs no subject's code itself, so each child starts from the same clean state at the price
of a fork. Several children may run at once. It supervises them: wall clock, what they use
together, a bounded tail of their output, and nothing left behind (see `supervisor`). Started
by `worker.Worker` as `python -m semrep.runtime.template FD PARENT FOLDER GPU`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from semrep.runtime import frames, messages, supervisor
from semrep.runtime.guard import guard, kernel_dies_with_parent, remove
from semrep.runtime.limits import Limits
from semrep.runtime.sandbox import confinement, kernel
from semrep.runtime.sandbox.namespaces import Isolation
from semrep.runtime.supervisor import Job


def main() -> None:
    descriptor, parent, folder, gpu = sys.argv[1:]

    def serve(isolation: Isolation) -> None:
        control = socket.socket(fileno=int(descriptor))
        Template(control, folder, isolation, gpu=gpu == "1").serve()

    guard(int(parent), int(descriptor), folder, gpu=gpu == "1", serve=serve)


class Template:
    """Serves one control socket until it ends."""

    def __init__(
        self, control: socket.socket, folder: str, isolation: Isolation, *, gpu: bool
    ) -> None:
        self.control = control
        self.folder = folder
        self.isolation = isolation
        self.gpu = gpu
        self.jobs: dict[int, Job] = {}
        self.selector = selectors.DefaultSelector()
        self.next_watch = 0.0
        self.own_bytes = 0

    def serve(self) -> None:
        _prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        # Other processes of the same user may neither trace this one nor read its memory.
        _prctl(kernel.PR_SET_DUMPABLE, 0)
        confinement.prepare(self.isolation, gpu=self.gpu)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.selector.register(self.control, selectors.EVENT_READ, self._request)
        while True:
            for key, _ in self.selector.select(self._patience()):
                if key.fileobj in self.selector.get_map() and key.data() is False:
                    self._end()
                    return
            self._watch()

    def _patience(self) -> float | None:
        if not self.jobs:
            return None
        deadlines = [job.deadline for job in self.jobs.values() if job.killed is None]
        next_event = min([self.next_watch, *deadlines])
        return max(0.0, next_event - time.monotonic())

    def _request(self) -> bool:
        received = messages.receive(self.control)
        if received is None:
            return False
        request: dict[str, Any] = pickle.loads(received[0])
        if "warm" in request:
            missing = [name for name in request["warm"] if not _warm(name)]
            # Children share pages with this process; a collection there would copy them all.
            gc.collect()
            self._freeze()
            self._send({"id": request["id"], "missing": missing, "why_not": self.isolation.why_not})
        elif "cancel" in request:
            if request["cancel"] in self.jobs:
                self.jobs[request["cancel"]].kill("worker", "given up by the caller")
        else:
            self._start(request)
        return True

    def _freeze(self) -> None:
        gc.freeze()
        kernel.use_huge_pages()
        self.own_bytes = supervisor.resident_bytes(os.getpid())

    def _start(self, request: dict[str, Any]) -> None:
        if _known(request["function"]):
            self._freeze()
        number = request["id"]
        folder = os.path.join(self.folder, f"job{number}")
        output, write = os.pipe()
        result = os.memfd_create("result")
        os.mkdir(folder, 0o700)
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(output)
            self._child(request, folder, write, result)
        os.close(write)
        limits: Limits = request["limits"]
        job = Job(number, pid, os.pidfd_open(pid), output, result, folder, limits, started)
        if not self.jobs:
            self.next_watch = started + supervisor.WATCH_EVERY_S
        self.jobs[number] = job
        self.selector.register(output, selectors.EVENT_READ, lambda: self._printed(job))
        self.selector.register(job.pidfd, selectors.EVENT_READ, lambda: self._finish(job))

    def _printed(self, job: Job) -> None:
        if not job.read():
            self.selector.unregister(job.output)

    def _watch(self) -> None:
        now = time.monotonic()
        for job in self.jobs.values():
            if now >= job.deadline and job.killed is None:
                job.kill("timeout", f"no result within {job.limits.wall_s:g} s")
        if self.jobs and now >= self.next_watch:
            for job in self.jobs.values():
                job.watch(self.own_bytes)
            self._kill_strays()
            self.next_watch = time.monotonic() + supervisor.WATCH_EVERY_S

    def _finish(self, job: Job) -> None:
        _, status, usage = os.wait4(job.pid, 0)
        seconds = time.monotonic() - job.started
        del self.jobs[job.number]
        supervisor.kill_group(job.pid)
        self._kill_strays()
        job.drain()
        with contextlib.suppress(KeyError):
            self.selector.unregister(job.output)
        self.selector.unregister(job.pidfd)
        self._send(job.report(status, seconds, usage.ru_maxrss * 1024), job.result)
        job.close()
        remove(job.folder)
        shared = self.isolation.shared_memory
        if shared is not None and not self.jobs:
            for entry in os.scandir(shared):
                with contextlib.suppress(OSError):
                    shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)

    def _kill_strays(self) -> None:
        running = {job.pid for job in self.jobs.values()}
        supervisor.kill_strays(running, own_processes=self.isolation.processes)

    def _send(self, report: dict[str, Any], descriptor: int | None = None) -> None:
        messages.send(self.control, frames.encode(report), descriptor)

    def _end(self) -> None:
        for job in self.jobs.values():
            supervisor.kill_group(job.pid)
        supervisor.kill_strays(set(), own_processes=self.isolation.processes)

    def _child(self, request: dict[str, Any], folder: str, output: int, result: int) -> None:
        """Runs one job and exits. Whatever happens here never returns into the loop."""
        code = 70
        try:
            os.setsid()
            kernel_dies_with_parent()
            _prctl(kernel.PR_SET_DUMPABLE, 1)
            self._let_go()
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            os.close(output)
            os.close(nothing)
            os.chdir(folder)
            _settle(folder)
            limits: Limits = request["limits"]
            limits.apply(
                bound_address_space=request["bound_address_space"],
                # Kernels before 5.14 count all of a user's processes, in whatever namespace.
                counted_apart=self.isolation.own_user and kernel.release() >= (5, 14),
            )
            confinement.confine(folder, self.isolation, gpu=self.gpu)
            _set_threads(limits.threads)
            function = _resolve(request["function"])
            arguments = pickle.loads(request["arguments"])
            frame = frames.encode(function(*arguments), request["nonce"])
            view = memoryview(frame)
            while view:
                view = view[os.write(result, view) :]
            code = 0
        except MemoryError:
            code = 71
        except BaseException:
            import traceback

            with contextlib.suppress(BaseException):
                traceback.print_exc()
                sys.stderr.flush()
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
            os._exit(code)

    def _let_go(self) -> None:
        """Closes what belongs to the warm process and to the other jobs."""
        self.selector.close()
        self.control.close()
        for job in self.jobs.values():
            job.close()


def _warm(name: str) -> bool:
    """Imports one module; "path:FOLDER" makes a folder importable, "module:function" also calls
    the function. False where that is impossible here."""
    if name.startswith("path:"):
        sys.path.append(name[5:])
        return True
    module, _, function = name.partition(":")
    try:
        if function:
            _resolve(name)()
        else:
            importlib.import_module(module)
    except Exception:
        return False
    return True


def _known(function: str) -> bool:
    """Imports a job's module here, once for all children. True where that was new. The names
    of jobs are semrep's own; what they are given to run is only looked at in the child."""
    module = function.partition(":")[0]
    if module in sys.modules:
        return False
    with contextlib.suppress(Exception):
        importlib.import_module(module)
        return True
    return False


def _resolve(dotted: str) -> Callable[..., Any]:
    module, _, name = dotted.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _settle(folder: str) -> None:
    """Temporary files and caches go to the job's own folder: no job finds another's."""
    places: Mapping[str, str] = {
        "TMPDIR": folder,
        "TRITON_CACHE_DIR": os.path.join(folder, "triton"),
        "TORCHINDUCTOR_CACHE_DIR": os.path.join(folder, "inductor"),
        "CUDA_CACHE_PATH": os.path.join(folder, "cuda"),
    }
    os.environ.update(places)
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None  # type: ignore[attr-defined]


def _set_threads(threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError):
        kernel.prctl(option, value)


if __name__ == "__main__":
    main()
