"""Calls in forked children that may crash, hang, or take all memory."""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that gave no answer. why: in words."""

    why: str


def each(
    function: Callable[[T], Any], items: Sequence[T], wall_s: float, memory_bytes: int = 4 << 30
) -> Iterator[tuple[int, Any]]:
    """(index, answer) for every item in order, an answer being plain JSON data, or Ended. A child
    goes from item to item until one ends it; the next item then gets a new one. wall_s: for one
    item; on a busy machine up to four times that, until so much processor time was had.
    memory_bytes: address space beyond what this process has already."""
    at = 0
    while at < len(items):
        for index, answer in _stream(function, items, at, wall_s, memory_bytes):
            yield index, answer
            at = index + 1


def call(function: Callable[[T], Any], item: T, wall_s: float, memory_bytes: int = 4 << 30) -> Any:
    """The answer to one item, or Ended."""
    return next(each(function, [item], wall_s, memory_bytes))[1]


def _stream(
    function: Callable[[T], Any], items: Sequence[T], start: int, wall_s: float, memory_bytes: int
) -> Iterator[tuple[int, Any]]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _serve(function, items[start:], writing, memory_bytes)
    os.close(writing)
    lines = _lines(reading, child, wall_s)
    index = start
    try:
        while index < len(items):
            line = next(lines)
            if isinstance(line, Ended):
                yield index, line if line.why else Ended(_death(child))
                return
            yield index, json.loads(line)
            index += 1
    finally:
        os.close(reading)
        _end(child)


def _serve(
    function: Callable[[T], Any], items: Sequence[T], writing: int, memory_bytes: int
) -> None:
    """The child's life. Never returns."""
    code = 1
    try:
        # Whatever the child prints is no answer.
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(quiet, descriptor)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        bound = _address_space() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
        for item in items:
            answer = json.dumps(function(item)).encode() + b"\n"
            while answer:
                answer = answer[os.write(writing, answer) :]
        code = 0
    except MemoryError:
        code = 3
    finally:
        os._exit(code)


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _lines(reading: int, child: int, wall_s: float) -> Iterator[bytes | Ended]:
    """Lines as they come, and at the end Ended: with a reason where one took too long."""
    held = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        began, spent = time.monotonic(), _processor_s(child)
        while True:
            if b"\n" in held:
                line, _, held = held.partition(b"\n")
                yield line
                began, spent = time.monotonic(), _processor_s(child)
                continue
            if selector.select(wall_s / 4):
                chunk = os.read(reading, 1 << 16)
                if not chunk:
                    yield Ended("")
                    return
                held += chunk
                continue
            waited = time.monotonic() - began
            if waited > wall_s and _processor_s(child) - spent > wall_s or waited > 4 * wall_s:
                yield Ended(f"no answer in {wall_s:g} s")
                return


def _processor_s(child: int) -> float:
    with open(f"/proc/{child}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _death(child: int) -> str:
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return "out of memory" if os.WEXITSTATUS(status) == 3 else "ended without an answer"


def _end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
