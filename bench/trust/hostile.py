"""Candidates that do harm: what each does, as the body of a function, in bounded amounts.

They are formatted with the places and numbers that they attack, so braces are doubled. Where
an attack works that must not, they raise an error with BREACH in it.
"""

from __future__ import annotations

from dataclasses import dataclass

ORIGINAL = b"import torch\n\n\ndef f(x):\n    return torch.relu(x) * 2\n"
HARMLESS = b"import torch\n\n\ndef f(x):\n    return 2 * torch.relu(x)\n"
BREACH = "BREACH"


@dataclass(frozen=True, slots=True)
class Hostile:
    """body: of the function, followed by a right result. rejected: the verdict must be
    Different; else any will do, as long as no harm is done. waits: it runs into a limit of
    time. heavy: it uses up gigabytes before it is stopped."""

    name: str
    body: str
    rejected: bool = False
    waits: bool = False
    heavy: bool = False

    def source(self, **places: object) -> bytes:
        lines = self.body.format(**places).strip("\n").splitlines()
        body = "".join(f"    {line}\n" for line in lines)
        preamble = "import ctypes, os, signal, sys, threading, time\nimport torch\n\n\n"
        tries = (
            "def refused(action, *arguments):\n    try:\n        made = action(*arguments)\n"
            "    except (OSError, ValueError):\n        return\n"
            f"    raise RuntimeError('{BREACH}: ' + str(arguments))\n\n\n"
        )
        text = f"{preamble}{tries}def f(x):\n{body}    return torch.relu(x) * 2\n"
        return text.encode()


def _stuck(name: str, body: str) -> Hostile:
    return Hostile(name, body, rejected=True, waits=True)


def _dies(name: str, body: str, heavy: bool = False) -> Hostile:
    return Hostile(name, body, rejected=True, heavy=heavy)


_DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 32):
            try: signal.signal(number, signal.SIG_IGN)
            except OSError: pass
        os.chdir('/')
        time.sleep(30)
    os._exit(0)
"""

CANDIDATES = (
    _stuck("sleeps", "time.sleep(600)"),
    _stuck("spins", "while True: pass"),
    _stuck("spins in C", "sum(range(10 ** 13))"),
    _stuck("sleeps in C", "ctypes.PyDLL(None).sleep(600)"),
    _stuck("backtracks", "import re\nre.match('(a+)+$', 'a' * 60 + 'b')"),
    _stuck(
        "ignores signals",
        "for number in range(1, 65):\n    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
    ),
    _stuck("stops itself", "os.kill(os.getpid(), signal.SIGSTOP)"),
    _stuck("deadlocks", "lock = threading.Lock()\nlock.acquire()\nlock.acquire()"),
    _stuck("joins a thread that stays", "t = threading.Thread(target=time.sleep, args=(600,))\n"
           "t.start()\nt.join()"),
    _dies("eats memory", "kept = []\nfor _ in range(60): kept.append(bytearray(b'x') * (64 << 20))",
          heavy=True),
    _dies("eats memory with numpy", "import numpy\nkept = []\n"
          "for _ in range(60): kept.append(numpy.ones(8 << 20))", heavy=True),
    _dies("maps memory", "import mmap\nkept = []\nfor _ in range(60):\n"
          "    kept.append(mmap.mmap(-1, 64 << 20))\n"
          "    kept[-1][::4096] = b'x' * (16 << 10)", heavy=True),
    _dies("eats memory in many processes", "for _ in range(6):\n    if os.fork() == 0:\n"
          "        kept = b'x' * (400 << 20)\n        time.sleep(20)\ntime.sleep(20)", heavy=True),
    _dies("asks for too much", "torch.empty(1 << 45)"),
    _dies("segfaults", "ctypes.string_at(0)"),
    _dies("aborts", "os.abort()"),
    _dies("traps", "os.kill(os.getpid(), signal.SIGTRAP)"),
    _dies("recurses", "def g(n): return g(n + 1) + 1\ng(0)"),
    _dies("overflows the stack", "sys.setrecursionlimit(10 ** 9)\n"
          "class A:\n    def __getattr__(self, name): return getattr(self, name + 'a')\nA().a"),
    _dies("leaves with success", "os._exit(0)"),
    _dies("leaves with a forged result",
          "from semrep.runtime import frames\nforged = frames.encode({{'cases': [], 'seconds': 0.0,"
          " 'launches': 0, 'executed': []}}, os.urandom(16))\nfor d in range(3, 256):\n"
          "    try: os.write(d, forged)\n    except OSError: pass\nos._exit(0)"),
    _dies("raises SystemExit", "sys.exit(0)"),
    _dies("raises KeyboardInterrupt", "raise KeyboardInterrupt"),
    _dies("raises GeneratorExit", "raise GeneratorExit"),
    _dies("raises MemoryError", "raise MemoryError"),
    _dies("closes all descriptors", "os.closerange(0, 4096)"),
    _dies("covers all descriptors", "d = os.open('/dev/null', 1)\n"
          "for n in range(256):\n    if n != d: os.dup2(d, n)"),
    _dies("opens thousands of files", "kept = [open('/dev/null') for _ in range(50_000)]"),
    _dies("floods output", "for _ in range(20_000): os.write(1, b'x' * 65536)", heavy=True),
    _dies("forks and forks", "for _ in range(150):\n    if os.fork() == 0:\n"
          "        time.sleep(20)\n        os._exit(0)\ntime.sleep(20)"),
    _dies("forks in depth", "for _ in range(150):\n    if os.fork(): time.sleep(20)\nos._exit(0)"),
    _dies("starts thousands of threads", "for _ in range(6000):\n"
          "    threading.Thread(target=time.sleep, args=(20,)).start()"),
    _dies("fills the disk", "for n in range(48):\n    with open(str(n), 'wb') as file:\n"
          "        for _ in range(64): file.write(b'x' * (1 << 20))", heavy=True),
    _dies("fills the disk with deleted files", "kept = []\nfor n in range(48):\n"
          "    kept.append(open(str(n), 'wb'))\n    os.unlink(str(n))\n"
          "    for _ in range(64): kept[-1].write(b'x' * (1 << 20))\ntime.sleep(1)", heavy=True),
    _dies("makes a hundred thousand files", "for n in range(100_000): open(str(n), 'w').close()"),
    _dies("patches what compares", "import builtins, numpy\n"
          "torch.allclose = torch.equal = lambda *a, **k: True\n"
          "numpy.array_equal = numpy.allclose = lambda *a, **k: True\n"
          "torch.testing.assert_close = lambda *a, **k: None\n"
          "builtins.abs = lambda x: 0\nreturn torch.relu(x) * 3"),
    _dies("patches what reports", "import semrep.runtime.frames as frames\n"
          "import semrep.runtime.capture as capture\n"
          "frames.encode = lambda value, nonce=b'': b'SEMREP1'\nreturn torch.relu(x) * 3"),
    Hostile("leaves a daemon", _DAEMON),
    Hostile("leaves a child", "if os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)"),
    Hostile("leaves a program", "import subprocess\n"
            "subprocess.Popen(['sleep', '30'], start_new_session=True)"),
    Hostile("leaves a thread",
            "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()"),
    Hostile("leaves work for the exit", "import atexit\natexit.register(time.sleep, 30)"),
    Hostile("fails when destroyed", "class A:\n    def __del__(self): raise MemoryError\n"
            "a = A()\na.a = a\ndel a\nglobal kept\nkept = A()"),
    Hostile("interrupts when destroyed", "class A:\n    def __del__(self): raise SystemExit(0)\n"
            "global kept\nkept = A()\nA()"),
    Hostile("changes its folder", "os.chdir('/')"),
    Hostile("leads a session", "try: os.setsid()\nexcept OSError: pass"),
    Hostile("connects", "import socket\n"
            "refused(lambda: socket.create_connection(('127.0.0.1', {port}), 1))"),
    Hostile("sends a datagram", "import socket\nrefused(lambda: socket.socket(socket.AF_INET,"
            " socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port})))"),
    Hostile("uses a local socket", "import socket\n"
            "refused(lambda: socket.socket(socket.AF_UNIX).connect({socket!r}))\n"
            "refused(lambda: socket.socket(socket.AF_UNIX).connect('\\0' + {token!r}))"),
    Hostile("looks up a name", "import socket\nrefused(socket.getaddrinfo, 'example.org', 80)"),
    Hostile("writes everywhere", "for place in {places!r}:\n"
            "    refused(open, os.path.join(place, {token!r}), 'w')"),
    Hostile("writes beside its folder", "refused(open, os.path.join('..', {token!r}), 'w')\n"
            "for name in os.listdir('..'):\n"
            "    if name != os.path.basename(os.getcwd()):\n"
            "        refused(open, os.path.join('..', name, {token!r}), 'w')"),
    Hostile("spoils a file", "refused(open, {canary!r}, 'a')\nrefused(os.truncate, {canary!r}, 0)\n"
            "refused(os.unlink, {canary!r})\nrefused(os.rename, {canary!r}, {canary!r} + 'x')\n"
            "refused(os.symlink, {canary!r}, {canary!r} + 'x')"),
    Hostile("changes modes",
            "refused(os.chmod, {canary!r}, 0)\nrefused(os.utime, {canary!r}, (0, 0))"),
    Hostile("links out of its folder", "for name in ('in', 'up'):\n"
            "    if os.path.islink(name): os.unlink(name)\n"
            "os.symlink({canary!r}, 'in')\nrefused(open, 'in', 'a')\n"
            "os.symlink({home!r}, 'up')\nrefused(open, os.path.join('up', {token!r}), 'w')"),
    Hostile("signals the parent", "refused(os.kill, {parent}, signal.SIGUSR2)\n"
            "refused(os.killpg, {group}, signal.SIGUSR2)"),
    Hostile("kills the warm process",
            "for number in (9, 15, 19):\n    try: os.kill(os.getppid(), number)\n"
            "    except OSError: pass"),
    Hostile("reads the warm process",
            "for pid in (os.getppid(), {parent}):\n    for name, mode in (('mem', 'r+b'), ('mem', "
            "'rb')):\n        refused(open, '/proc/%d/%s' % (pid, name), mode)"),
    Hostile("traces the warm process", "libc = ctypes.CDLL(None, use_errno=True)\n"
            "for pid in (os.getppid(), {parent}):\n"
            "    if libc.ptrace(16, pid, 0, 0) == 0: raise RuntimeError('BREACH')\n"
            "    if libc.syscall(438, libc.syscall(434, pid, 0), 3, 0) >= 0:\n"
            "        raise RuntimeError('BREACH')"),
    Hostile("limits the parent", "import resource\n"
            "refused(resource.prlimit, {parent}, resource.RLIMIT_CORE, (0, 0))"),
    Hostile("raises its limits", "import resource\n"
            "refused(resource.setrlimit, resource.RLIMIT_CORE, (1, 1))"),
    Hostile("makes namespaces", "libc = ctypes.CDLL(None, use_errno=True)\n"
            "for flags in (0x10000000, 0x00020000, 0x40000000):\n"
            "    if libc.unshare(flags) == 0: raise RuntimeError('BREACH')"),
)  # fmt: skip
