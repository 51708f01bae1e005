"""Sees to it that the CPU time of a child is on its parent's account when it is gone.

A process that has the kernel bury its children (SIGCHLD ignored, or SA_NOCLDWAIT) never gets their CPU time added to
its own, so work handed to such children would be done outside the budget. A filter lets every wish to change what
SIGCHLD does go by without effect: it stays as it is by default, and children wait until their parent, or the first
process of their namespace, has asked after them. Waiting for a child works as ever.

Sources: sigaction(2), wait(2) of the Linux manual.
"""

from __future__ import annotations

import platform
import signal

from orchestrator.runs.seccomp import (
    ALLOWED,
    ARCHITECTURE,
    AT_LEAST,
    DONE_WITHOUT_EFFECT,
    EQUAL,
    LOAD,
    NO_SUCH_CALL,
    OF_ARCHITECTURE,
    OF_ARGUMENTS,
    OF_CALL,
    OTHER_TABLES,
    RETURN,
    install,
)

RT_SIGACTION = {"x86_64": 13, "aarch64": 134}.get(platform.machine())


def keep_children_on_account() -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    if ARCHITECTURE is None or RT_SIGACTION is None:
        return False
    return install(
        [
            (LOAD, 0, 0, OF_ARCHITECTURE),
            (EQUAL, 0, 10, ARCHITECTURE),
            (LOAD, 0, 0, OF_CALL),
            (AT_LEAST, 8, 0, OTHER_TABLES),
            (EQUAL, 0, 6, RT_SIGACTION),
            (LOAD, 0, 0, OF_ARGUMENTS),  # which signal
            (EQUAL, 0, 4, signal.SIGCHLD),
            (LOAD, 0, 0, OF_ARGUMENTS + 8),  # a new action is given: an address that is not zero
            (EQUAL, 0, 4, 0),
            (LOAD, 0, 0, OF_ARGUMENTS + 12),
            (EQUAL, 0, 2, 0),
            (RETURN, 0, 0, ALLOWED),
            (RETURN, 0, 0, NO_SUCH_CALL),
            (RETURN, 0, 0, DONE_WITHOUT_EFFECT),
        ]
    )
