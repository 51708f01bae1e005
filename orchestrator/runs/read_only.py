"""Opening a file so that whoever is handed the descriptor can read it and nothing else.

A descriptor that was opened for reading is not enough: through /proc/self/fd its owner opens the same file for writing,
or changes its mode. So the file is opened on a mount of its own that is read-only, made in namespaces that are gone
before the descriptor is used (mount_namespaces(7), user_namespaces(7)). Where those are not allowed, it is a copy in
memory, sealed (memfd_create(2)).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
from pathlib import Path

NEW_USER_AND_MOUNTS = 0x10000000 | 0x00020000
PRIVATE_RECURSIVELY = (1 << 18) | (1 << 14)
BIND, REMOUNT, READ_ONLY = 1 << 12, 1 << 5, 1
RELATIVE_TIMES = 1 << 21
KEPT_FLAGS = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME
"""A mount that was made with these may not be bound without them."""

_libc = ctypes.CDLL(None, use_errno=True)


def open_read_only(path: Path) -> int:
    """A descriptor of the file, to be closed by the caller. Raises OSError. For a process with one thread: it forks."""
    with path.open("rb"):
        pass  # what cannot be read is told here, in Python's words
    near, far = socket.socketpair()
    with near, far:
        child = os.fork()
        if child == 0:
            _open_in_namespaces(path, far)
        far.close()
        _, descriptors, _, _ = socket.recv_fds(near, 1, 1)
        os.waitpid(child, 0)
    return descriptors[0] if descriptors else _sealed_copy(path)


def _open_in_namespaces(path: Path, line: socket.socket) -> None:
    """In a child of its own; never returns."""
    try:
        name = os.fsencode(path.resolve())
        flags = os.statvfs(path).f_flag & KEPT_FLAGS | RELATIVE_TIMES
        if _libc.unshare(NEW_USER_AND_MOUNTS) == 0:
            _mount(b"none", b"/", PRIVATE_RECURSIVELY)
            _mount(name, name, BIND)
            _mount(b"none", name, BIND | REMOUNT | READ_ONLY | flags)
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
                socket.send_fds(line, [b"."], [descriptor])
    finally:
        os._exit(0)


def _mount(source: bytes, place: bytes, flags: int) -> None:
    if _libc.mount(source, place, None, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), "mount", os.fsdecode(place))


def _sealed_copy(path: Path) -> int:
    descriptor = os.memfd_create("train", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with path.open("rb") as file:
        while os.sendfile(descriptor, file.fileno(), None, 2**26):
            pass
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)
    return descriptor
