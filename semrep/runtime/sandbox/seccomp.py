"""A seccomp filter: the system calls that a job has no business with fail with an error.

It denies and never kills, so that a library which tries and falls back goes on. ioctl is left
alone, or no GPU driver would work.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import struct
from collections.abc import Iterator, Mapping, Sequence

from semrep.runtime.sandbox import kernel

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000

# Names as in the manual; numbers per machine, -1 where it has no such call.
_NUMBERS: Mapping[str, tuple[int, int]] = {
    # Other processes: their memory, descriptors, limits, and the kernel's view of them.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
    # A second way into the kernel that no filter sees.
    "io_uring_setup": (425, 425),
    # Mounts and namespaces, through which rights come back.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "clone": (56, 220),
    "clone3": (435, 435),
    # Memory that no limit of the process counts, and objects that outlive it.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "socket": (41, 198),
    "fcntl": (72, 25),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    # What Landlock does not look at: modes, owners, times, attributes.
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
    "utimensat": (280, 88),
}
_ALWAYS = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    *("process_madvise", "perf_event_open", "bpf", "keyctl", "add_key", "request_key"),
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount"),
    *("fsopen", "mount_setattr", "open_by_handle_at", "memfd_secret"),
    *("shmget", "msgget", "semget", "mq_open"),
)
_METADATA = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
    *("utime", "utimes", "futimesat", "utimensat"),
)
# The C library falls back to clone, whose flags can be read here.
_NOT_THERE = ("clone3", "io_uring_setup")
_NEW_NAMESPACES = 0x7E020000 | 0x80
_AF_UNIX, _AF_NETLINK = 1, 16
_F_SETOWN, _F_SETOWN_EX = 8, 15

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4


def supported() -> bool:
    """True on the machines whose call numbers are known here."""
    return kernel.MACHINE in _AUDIT_ARCH


def install(*, pid: int, gpu: bool, metadata: bool, signals: bool) -> None:
    """Filters this process, its later threads and its descendants.

    pid: of this process. gpu: leaves what a driver needs: local sockets and memory files.
    metadata: also deny changes of modes, owners, times and attributes, where no read-only
    mount does. signals: also deny signals to any process but this, where nothing else does.
    Sets no-new-privileges first. Raises OSError where the kernel has no filters.
    """
    program = prepare(gpu=gpu, metadata=metadata, signals=signals)
    program += b"".join(_own_process(pid, signals=signals))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    number = _SECCOMP[kernel.MACHINE]
    argument = ctypes.c_char_p(header)
    try:
        # Without this flag kernels before 5.16 slow the whole process down.
        kernel.syscall(number, _SET_MODE_FILTER, _SPEC_ALLOW, argument)
    except OSError:
        kernel.syscall(number, _SET_MODE_FILTER, 0, argument)


@functools.cache
def prepare(*, gpu: bool, metadata: bool, signals: bool) -> bytes:
    """The part of the filter that is the same for every process: computed once, before forks."""
    return b"".join(_program(gpu=gpu, metadata=metadata, signals=signals))


def _program(*, gpu: bool, metadata: bool, signals: bool) -> Iterator[bytes]:
    yield _code(_LOAD, 4)
    yield _code(_EQUAL, _AUDIT_ARCH[kernel.MACHINE], 1, 0)
    yield _code(_RETURN, _KILL)
    yield _code(_LOAD, 0)
    if kernel.MACHINE == "x86_64":
        yield _code(_AT_LEAST, _X32, 0, 1)
        yield _code(_RETURN, _ERRNO | errno.ENOSYS)
    denied = list(_ALWAYS)
    denied += _METADATA if metadata else ()
    denied += () if gpu else ("memfd_create",)
    denied += ("pidfd_send_signal",) if signals else ()
    for name in denied:
        yield from _deny(name, errno.EPERM)
    for name in _NOT_THERE:
        yield from _deny(name, errno.ENOSYS)
    yield from _if_argument("clone", 0, _ANY_BIT, (_NEW_NAMESPACES,), then=errno.EPERM)
    yield from _if_argument("fcntl", 1, _EQUAL, (_F_SETOWN, _F_SETOWN_EX), then=errno.EPERM)
    # The supervisor reads what a job has written to disk, which a hidden process would not show.
    yield from _if_argument("prctl", 0, _EQUAL, (kernel.PR_SET_DUMPABLE,), then=errno.EPERM)
    # socketpair is another call and stays.
    families = (_AF_UNIX, _AF_NETLINK) if gpu else ()
    yield from _unless_argument("socket", 0, families, errno.EACCES)


def _own_process(pid: int, *, signals: bool) -> Iterator[bytes]:
    yield from _unless_argument("prlimit64", 0, (0, pid), errno.EPERM)
    if signals:
        for name in ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
            yield from _unless_argument(name, 0, (0, pid), errno.EPERM)
    yield _code(_RETURN, _ALLOW)


def _deny(name: str, error: int) -> list[bytes]:
    number = _number(name)
    if number < 0:
        return []
    return [_code(_EQUAL, number, 0, 1), _code(_RETURN, _ERRNO | error)]


def _if_argument(
    name: str, index: int, test: int, values: Sequence[int], *, then: int
) -> list[bytes]:
    body = [_argument(index)]
    for value in values:
        body += [_code(test, value, 0, 1), _code(_RETURN, _ERRNO | then)]
    body.append(_code(_RETURN, _ALLOW))
    return [_code(_EQUAL, _number(name), 0, len(body)), *body]


def _unless_argument(name: str, index: int, values: Sequence[int], error: int) -> list[bytes]:
    body = [_argument(index)]
    for value in values:
        body += [_code(_EQUAL, value, 0, 1), _code(_RETURN, _ALLOW)]
    body.append(_code(_RETURN, _ERRNO | error))
    return [_code(_EQUAL, _number(name), 0, len(body)), *body]


def _number(name: str) -> int:
    return _NUMBERS[name][0 if kernel.MACHINE == "x86_64" else 1]


def _argument(index: int) -> bytes:
    # The low half of a little-endian 64-bit argument: all that these calls look at.
    return _code(_LOAD, 16 + 8 * index)


def _code(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)
