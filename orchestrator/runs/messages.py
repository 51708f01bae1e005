"""Sees to it that a program leaves no word in the kernel for another, beside it or after it.

Keys outlive who added them. A lock on a file that all runs are shown, a lease, a hint, a watch on who opens it: each is
one bit that another run can read, or the second of the processes that answer the scorer of the first. The kernel's log
tells of programs that crashed. Sockets of some families reach beyond a network namespace: those of virtual machines
reach the host. The device files are the machine's own, and anybody may set the times of /dev/null; root, its mode and
owner too. None of it is needed for training: nobody else uses a run's files, so a lock that does nothing keeps out
as many as one that does.

Sources: keyrings(7), keyctl(2), syslog(2), fcntl(2), flock(2), inotify(7), fanotify(7), vsock(7), utimensat(2) of the
Linux manual.
"""

from __future__ import annotations

import fcntl
import os
import socket

from orchestrator.seccomp import (
    ATTRIBUTES,
    DONE_WITHOUT_EFFECT,
    MODES,
    NO_SUCH_CALL,
    NOT_PERMITTED,
    OWNERS,
    TIMES,
    OneOf,
    Rule,
    compiled,
    install,
    rules,
)

COMMAND = 1
"""Which argument of fcntl it is."""
SPEAKING = (
    *(fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW, fcntl.F_SETLEASE, fcntl.F_NOTIFY),
    *(1036, 1038, 1040),  # F_SET_RW_HINT, F_SET_FILE_RW_HINT, F_SETDELEG
)

KEPT_INSIDE = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)


def leave_no_messages() -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    unheard = rules(NO_SUCH_CALL, "add_key", "request_key", "keyctl", "syslog")
    unheard += rules(NO_SUCH_CALL, "inotify_init", "inotify_init1", "fanotify_init", "io_uring_setup")
    locks = [Rule("flock", DONE_WITHOUT_EFFECT), Rule("fcntl", DONE_WITHOUT_EFFECT, (OneOf(COMMAND, SPEAKING),))]
    sockets = Rule("socket", NOT_PERMITTED, (OneOf(0, KEPT_INSIDE, other=True),))
    marks = rules(DONE_WITHOUT_EFFECT, *TIMES)
    if os.geteuid() == 0:  # whom the device files belong to
        marks += rules(DONE_WITHOUT_EFFECT, *MODES, *OWNERS) + rules(NOT_PERMITTED, *ATTRIBUTES)
    return install(compiled([*unheard, *locks, sockets, *marks]))
