"""Sees to it that a program leaves nothing in the kernel for another that comes after it.

Keys outlive who added them: a run could find there what another run learnt, and the second of the processes that answer
the scorer what the first was asked. The kernel's log tells of programs that crashed. Neither is needed for training.

Sources: keyrings(7), keyctl(2), syslog(2) of the Linux manual.
"""

from __future__ import annotations

import platform

from orchestrator.runs.seccomp import (
    ALLOWED,
    ARCHITECTURE,
    AT_LEAST,
    EQUAL,
    LOAD,
    NO_SUCH_CALL,
    OF_ARCHITECTURE,
    OF_CALL,
    OTHER_TABLES,
    RETURN,
    install,
)

CALLS = {"x86_64": (248, 249, 250, 103), "aarch64": (217, 218, 219, 116)}.get(platform.machine(), ())
"""add_key, request_key, keyctl, syslog."""


def leave_no_messages() -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    if ARCHITECTURE is None or not CALLS:
        return False
    refused = [(EQUAL, len(CALLS) - number, 0, call) for number, call in enumerate(CALLS)]
    return install(
        [
            (LOAD, 0, 0, OF_ARCHITECTURE),
            (EQUAL, 0, len(CALLS) + 3, ARCHITECTURE),
            (LOAD, 0, 0, OF_CALL),
            (AT_LEAST, len(CALLS) + 1, 0, OTHER_TABLES),
            *refused,
            (RETURN, 0, 0, ALLOWED),
            (RETURN, 0, 0, NO_SUCH_CALL),
        ]
    )
