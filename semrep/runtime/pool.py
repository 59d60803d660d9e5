"""Warm workers shared by the whole process: a library is imported once, not once a source."""

from __future__ import annotations

import atexit
import itertools
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from semrep.runtime.limits import Limits
from semrep.runtime.sandbox.confinement import Protection
from semrep.runtime.worker import Call, Done, Failed, Worker

MOST_WORKERS = 4

# pytest changes it before each test; no library reads it.
_NOT_INHERITED = "PYTEST_CURRENT_TEST"

_Key = tuple[tuple[str, str], ...]


class SharedWorker:
    """A `Worker` lent to one user: the same methods, but `close` only gives it back."""

    def __init__(self, worker: Worker, *, private: bool) -> None:
        self._worker: Worker | None = worker
        self._private = private

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
        return self._used().run(
            function, *arguments, limits=limits, bound_address_space=bound_address_space
        )

    def run_all(self, calls: Sequence[Call]) -> list[Done | Failed]:
        """Runs independent jobs, at once where cores are free; results in the order of calls."""
        return self._used().run_all(calls)

    @property
    def missing(self) -> tuple[str, ...]:
        return self._used().missing

    @property
    def protection(self) -> Protection:
        return self._used().protection

    def close(self) -> None:
        """Gives the worker back; it stays warm for the next user. May be called twice."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if self._private:
            worker.close()
        else:
            _pool.give_back(worker)

    def _used(self) -> Worker:
        if self._worker is None:
            raise ValueError("the worker was given back")
        return self._worker


class _Pool:
    """Workers by environment. Beyond MOST_WORKERS the one unused for longest is ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: dict[_Key, Worker] = {}
        self._users: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._clock = itertools.count()

    def lend(self, environment: Mapping[str, str]) -> Worker:
        # What a worker inherits decides what runs in it, as much as what it is given.
        inherited = {**os.environ, **environment, "": os.getcwd()}
        inherited.pop(_NOT_INHERITED, None)
        key = tuple(sorted(inherited.items()))
        with self._lock:
            worker = self._workers.setdefault(key, Worker((), environment))
            self._users[id(worker)] = self._users.get(id(worker), 0) + 1
            self._used[id(worker)] = next(self._clock)
            surplus = self._surplus()
        for one in surplus:
            one.close()
        return worker

    def give_back(self, worker: Worker) -> None:
        with self._lock:
            if id(worker) in self._users:
                self._users[id(worker)] -= 1
                self._used[id(worker)] = next(self._clock)
            surplus = self._surplus()
        for one in surplus:
            one.close()

    def _surplus(self) -> list[Worker]:
        idle = [key for key, worker in self._workers.items() if self._users[id(worker)] <= 0]
        idle.sort(key=lambda key: self._used[id(self._workers[key])])
        surplus = max(0, len(self._workers) - MOST_WORKERS)
        ended = [self._workers.pop(key) for key in idle[:surplus]]
        for worker in ended:
            del self._users[id(worker)], self._used[id(worker)]
        return ended

    def workers(self) -> list[Worker]:
        with self._lock:
            return list(self._workers.values())

    def close(self) -> None:
        with self._lock:
            workers = list(self._workers.values())
            self._workers.clear()
            self._users.clear()
            self._used.clear()
        for worker in workers:
            worker.close()


_pool = _Pool()


def shared_worker(environment: Mapping[str, str], warm: Sequence[str] = ()) -> SharedWorker:
    """A warm worker for this environment, with these modules imported.

    environment: variables that its processes are to have. warm: as `Worker` takes it. Modules
    that a source finds beside its own file are not shared with other sources, whose own files
    may have the same names, and which may be edited meanwhile: such a source gets a worker for
    itself. The caller gives it back by `close`.
    """
    folders = [os.getcwd(), *(name[5:] for name in warm if name.startswith("path:"))]
    modules = [name for name in warm if not name.startswith("path:")]
    if any(_is_beside(name, folder) for name in modules for folder in folders):
        return SharedWorker(Worker(warm, environment), private=True)
    worker = _pool.lend(environment)
    worker.warm(modules)
    return SharedWorker(worker, private=False)


def close_workers() -> None:
    """Ends all shared workers; later users get new ones."""
    _pool.close()


def shared_workers() -> list[Worker]:
    """Those that are alive or will be at their next job; for tests and figures."""
    return _pool.workers()


def _is_beside(module: str, folder: str) -> bool:
    head = module.partition(":")[0].partition(".")[0]
    if head == "semrep" or head in sys.stdlib_module_names:
        return False
    path = os.path.join(folder, head)
    return os.path.isdir(path) or os.path.isfile(path + ".py")


def _after_fork() -> None:
    """The child of a fork begins with no workers; its parent's are not its own to use."""
    global _pool
    _pool = _Pool()


atexit.register(close_workers)
os.register_at_fork(after_in_child=_after_fork)
