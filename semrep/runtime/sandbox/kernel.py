"""Calls to the Linux kernel that Python has no function for. Each raises OSError on failure."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import platform

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}
_MOUNT_SETATTR = 442
_MADV_COLLAPSE, _HUGE_PAGE = 25, 2 << 20
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = -100, 0x8000, 1

MACHINE = platform.machine()
_libc: ctypes.CDLL | None = None


def libc() -> ctypes.CDLL:
    """The C library, with errno kept."""
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
        _libc.syscall.restype = ctypes.c_long
    return _libc


def release() -> tuple[int, int]:
    """The kernel's version: major, minor."""
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int("".join(itertools.takewhile(str.isdigit, minor)) or 0)


def checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: object) -> int:
    """One system call. Integers are passed as longs."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return checked(libc().syscall(ctypes.c_long(number), *converted))


def prctl(option: int, first: int = 0, second: int = 0) -> int:
    long = ctypes.c_ulong
    return checked(libc().prctl(option, long(first), long(second), long(0), long(0)))


def unshare(flags: int) -> None:
    checked(libc().unshare(flags))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    data = options.encode() if options else None
    checked(
        libc().mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data)
    )


def mount_read_only(path: str, *, read_only: bool, recursive: bool) -> None:
    """Sets or clears the read-only flag of the mount at path, or of all mounts below it too."""
    flag = _MOUNT_ATTR_RDONLY
    attributes = (ctypes.c_uint64 * 4)(flag if read_only else 0, 0 if read_only else flag, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    syscall(
        _MOUNT_SETATTR,
        _AT_FDCWD,
        ctypes.c_char_p(os.fsencode(path)),
        flags,
        ctypes.byref(attributes),
        ctypes.sizeof(attributes),
    )


def bound_capabilities() -> None:
    """Lets no program that this process starts gain a capability, root's as well."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            # EINVAL past the last one that this kernel knows; EPERM where there are none to drop.
            break
    prctl(PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL)


def use_huge_pages() -> None:
    """Gathers this process's own memory into huge pages, where the kernel (6.1) can.

    A fork copies one entry for each page: of a process that holds torch, 40,000 entries or
    a few hundred. A child that writes to a huge page copies no more of it than before.
    """
    for start, end in _own_regions():
        start, end = -(-start // _HUGE_PAGE) * _HUGE_PAGE, end // _HUGE_PAGE * _HUGE_PAGE
        if start < end:
            # Refused for a region with other pages in it; it stays as it is.
            libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)


def _own_regions() -> list[tuple[int, int]]:
    found = []
    with contextlib.suppress(OSError), open("/proc/self/maps") as maps:
        for line in maps:
            span, modes, _, _, inode, *_ = line.split()
            if modes == "rw-p" and inode == "0":
                start, _, end = span.partition("-")
                found.append((int(start, 16), int(end, 16)))
    return found


def drop_capabilities() -> None:
    """Takes every capability from this process."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    syscall(_CAPSET[MACHINE], ctypes.byref(header), ctypes.byref(nothing))
