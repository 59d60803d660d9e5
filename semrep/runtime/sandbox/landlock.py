"""Landlock: what an unprivileged process may still do, taken from it by itself.

Only rights to change things are handled, so that reading and running stay as they are. See
the kernel's Documentation/userspace-api/landlock.rst for the versions.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from semrep.runtime.sandbox import kernel

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1

_WRITE_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 14, 1 << 13
# Removing and making entries: directories, files, devices, sockets, pipes, links.
_ENTRIES = sum(1 << bit for bit in range(4, 13))
_BIND_AND_CONNECT_TCP = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def version() -> int:
    """The kernel's Landlock version, 0 where it has none or it is switched off."""
    try:
        return kernel.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def signals_are_scoped(abi: int) -> bool:
    """True where this version keeps signals inside the restricted processes."""
    return abi >= 6


def restrict(folders: Iterable[str], files: Iterable[str], abi: int) -> None:
    """Leaves this process and its descendants nothing to write but these.

    folders: everything below may change; files: may be written (devices). Paths that are not
    there are passed over. Sets no-new-privileges first, which the kernel demands. It must be
    called before the process has other threads: they would stay free. Raises OSError.
    """
    writing = _WRITE_FILE | (_TRUNCATE if abi >= 3 else 0)
    everything = writing | _ENTRIES | (_REFER if abi >= 2 else 0)
    attributes = struct.pack(
        "=QQQ",
        everything,
        _BIND_AND_CONNECT_TCP if abi >= 4 else 0,
        _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if signals_are_scoped(abi) else 0,
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = kernel.syscall(_CREATE_RULESET, ctypes.c_char_p(attributes), size, 0)
    try:
        for paths, allowed in ((folders, everything), (files, writing)):
            for path in paths:
                _allow(ruleset, path, allowed)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        kernel.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, allowed: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = struct.pack("=Qi", allowed, descriptor)
        kernel.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(descriptor)
