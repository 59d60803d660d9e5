"""Runs tests in a process of their own in which the interpreter is installed.

Installing changes triton and torch.cuda for the whole process, which other tests need as
they are. The process is started once and shared by all tests marked `@interpreted`.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

_pool: ProcessPoolExecutor | None = None


def interpreted(test: Callable[..., None]) -> Callable[..., None]:
    """Runs the test in the interpreter's process; its arguments must pickle."""

    @functools.wraps(test)
    def outside(*arguments: Any, **named: Any) -> None:
        pool = _started()
        work = pool.submit(_inside, test.__module__, test.__qualname__, arguments, named)
        work.result(timeout=300)

    return outside


def _started() -> ProcessPoolExecutor:
    global _pool
    if _pool is None:
        context = multiprocessing.get_context("spawn")
        _pool = ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_install)
        atexit.register(_pool.shutdown, wait=False, cancel_futures=True)
    return _pool


def _install() -> None:
    from semrep.runtime.triton.bridge import install

    install()


def _inside(module: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    found = getattr(importlib.import_module(module), name)
    found.__wrapped__(*arguments, **named)
