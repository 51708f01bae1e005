"""Sees to it that the CPU time of a child is on its parent's account when it is gone.

A process that has the kernel bury its children (SIGCHLD ignored, or SA_NOCLDWAIT) never gets their CPU time added to
its own, so work handed to such children would be done outside the budget. A filter lets every wish to change what
SIGCHLD does go by without effect: it stays as it is by default, and children wait until their parent, or the first
process of their namespace, has asked after them. Waiting for a child works as ever.

Sources: seccomp(2), sigaction(2), wait(2) of the Linux manual.
"""

from __future__ import annotations

import ctypes
import platform
import signal
import struct

NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
RT_SIGACTION = {"x86_64": (0xC000003E, 13), "aarch64": (0xC00000B7, 134)}
"""The architecture's name for the kernel, and the call's number."""

ALLOWED, DONE_WITHOUT_EFFECT, NO_SUCH_CALL = 0x7FFF0000, 0x00050000, 0x00050000 | 38
OTHER_TABLES = 0x40000000
"""Calls from here on are those of another table (x32)."""

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06

_libc = ctypes.CDLL(None, use_errno=True)


def keep_children_on_account() -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    known = RT_SIGACTION.get(platform.machine())
    if known is None:
        return False
    architecture, call = known
    program = [
        (LOAD, 0, 0, 4),  # the architecture
        (EQUAL, 0, 10, architecture),
        (LOAD, 0, 0, 0),  # the call
        (AT_LEAST, 8, 0, OTHER_TABLES),
        (EQUAL, 0, 6, call),
        (LOAD, 0, 0, 16),  # which signal
        (EQUAL, 0, 4, signal.SIGCHLD),
        (LOAD, 0, 0, 24),  # a new action is given: an address that is not zero
        (EQUAL, 0, 4, 0),
        (LOAD, 0, 0, 28),
        (EQUAL, 0, 2, 0),
        (RETURN, 0, 0, ALLOWED),
        (RETURN, 0, 0, NO_SUCH_CALL),
        (RETURN, 0, 0, DONE_WITHOUT_EFFECT),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    kept = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxP", len(program), ctypes.addressof(kept))
    if _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(_libc.prctl(SECCOMP, FILTER, filters, 0, 0) == 0)
