"""The warm process: imports the heavy libraries once, then forks a fresh child for every job.

It runs no subject's code itself, so each child starts from the same clean state at the price
of a fork. It supervises the child: wall clock, a bounded tail of its output, and nothing left
behind (a child leads its own session; what escapes that is found as an adopted orphan).
Started by `worker.Worker` as `python -m semrep.runtime.template FD`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from semrep.runtime import frames
from semrep.runtime.limits import Limits

TAIL_BYTES = 16_384
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() == 1:
        return
    request = receive(control)
    if request is None:
        return
    missing = [name for name in request["warm"] if not _warm(name)]
    # Children share pages with this process; a collection there would copy them all.
    gc.collect()
    gc.freeze()
    send(control, {"ready": True, "missing": missing})
    while (request := receive(control)) is not None:
        send(control, _supervise(control, request))


def send(control: socket.socket, message: dict[str, Any]) -> None:
    payload = pickle.dumps(message)
    control.sendall(struct.pack("<Q", len(payload)) + payload)


def receive(control: socket.socket) -> dict[str, Any] | None:
    """The next message, None at the end. Only trusted code of semrep writes to this socket."""
    header = _exactly(control, 8)
    if header is None:
        return None
    payload = _exactly(control, struct.unpack("<Q", header)[0])
    return None if payload is None else pickle.loads(payload)


def _exactly(control: socket.socket, size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = control.recv(min(size - len(pieces), 1 << 20))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)


def _warm(name: str) -> bool:
    """Prepares "module", "module:function" (called) or "path:FOLDER" ahead of the first fork.

    One that fails matters only to the job that needs it, and fails again there, with a report.
    """
    try:
        module, _, function = name.partition(":")
        if module == "path":
            sys.path.append(function)
        elif function:
            getattr(importlib.import_module(module), function)()
        else:
            importlib.import_module(module)
    except Exception:
        return False
    return True


def _supervise(control: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    limits: Limits = request["limits"]
    output_read, output_write = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(control, request, output_read, output_write)
    os.close(output_write)
    tail = bytearray()
    written = 0
    timed_out = cancelled = False
    status: int | None = None
    usage = None
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, output_read)
        done = os.pidfd_open(pid)
        stack.callback(os.close, done)
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(output_read, selectors.EVENT_READ)
        selector.register(done, selectors.EVENT_READ)
        selector.register(control, selectors.EVENT_READ)
        while status is None:
            left = started + limits.wall_s - time.monotonic()
            if left <= 0:
                timed_out = True
            events = selector.select(max(0.0, left))
            for key, _ in events:
                if key.fileobj == output_read:
                    piece = os.read(output_read, 1 << 16)
                    if not piece:
                        selector.unregister(output_read)
                    written += len(piece)
                    tail = (tail + piece)[-TAIL_BYTES:]
                elif key.fileobj is control:
                    cancelled = True
            if timed_out or cancelled:
                _kill_group(pid)
            if timed_out or cancelled or any(key.fileobj == done for key, _ in events):
                _, status, usage = os.wait4(pid, 0)
        _kill_group(pid)
        orphans = _kill_orphans()
        tail = (tail + _drain(output_read))[-TAIL_BYTES:]
    return {
        "status": os.waitstatus_to_exitcode(status),
        "timed_out": timed_out,
        "seconds": time.monotonic() - started,
        "peak_bytes": usage.ru_maxrss * 1024 if usage else 0,
        "output": bytes(tail),
        "written": written,
        "orphans": orphans,
    }


def _drain(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    pieces = b""
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(descriptor, 1 << 16):
            pieces = (pieces + piece)[-TAIL_BYTES:]
    return pieces


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _kill_orphans() -> int:
    """Kills what a child left behind: as subreaper this process inherits every orphan."""
    killed = 0
    for _ in range(100):
        children = _children()
        if not children:
            break
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        for pid in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    return killed


def _children() -> list[int]:
    found: list[int] = []
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/children") as names:
            found.extend(map(int, names.read().split()))
    return found


def _child(
    control: socket.socket, request: dict[str, Any], output_read: int, output_write: int
) -> None:
    """Runs one job and exits. Whatever happens here never returns into the template's loop."""
    code = 70
    try:
        os.setsid()
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        control.close()
        os.close(output_read)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output_write, 1), (output_write, 2)):
            os.dup2(source, target)
        os.close(output_write)
        result = os.open(request["result"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.chdir(request["folder"])
        limits: Limits = request["limits"]
        limits.apply(bound_address_space=request["bound_address_space"])
        _set_threads(limits.threads)
        function: Callable[..., Any] = _resolve(request["function"])
        frame = frames.encode(function(*request["arguments"]), request["nonce"])
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


def _resolve(dotted: str) -> Callable[..., Any]:
    module, _, name = dotted.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _set_threads(threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
