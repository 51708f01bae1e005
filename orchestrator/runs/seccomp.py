"""Filters on system calls, as the kernel takes them: what each call is answered with, for a process and all below it.

Sources: seccomp(2) of the Linux manual, linux/bpf_common.h, linux/audit.h.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Sequence

NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.get(platform.machine())
"""The kernel's name for it; None where no filter is known."""

ALLOWED, DONE_WITHOUT_EFFECT, NO_SUCH_CALL = 0x7FFF0000, 0x00050000, 0x00050000 | 38
OTHER_TABLES = 0x40000000
"""Calls from here on are those of another table (x32)."""

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
OF_ARCHITECTURE, OF_CALL, OF_ARGUMENTS = 4, 0, 16
"""Where they stand in what a filter is shown; each argument takes eight bytes."""

Step = tuple[int, int, int, int]
"""What is done; steps to skip if so, and if not; with what."""

_libc = ctypes.CDLL(None, use_errno=True)


def install(program: Sequence[Step]) -> bool:
    """From here on, for this process and all that it starts; false where that is not allowed."""
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    kept = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxP", len(program), ctypes.addressof(kept))
    if _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(_libc.prctl(SECCOMP, FILTER, filters, 0, 0) == 0)
