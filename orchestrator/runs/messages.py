"""Sees to it that a program leaves no word in the kernel for another, beside it or after it.

Keys outlive who added them. A lock on a file that all runs are shown, a lease, a hint, a watch on who opens it: each is
one bit that another run can read, or the second of the processes that answer the scorer of the first. The kernel's log
tells of programs that crashed. Sockets of some families reach beyond a network namespace: those of virtual machines
reach the host. The device files are the machine's own, and anybody may set the times of /dev/null; root, its mode and
owner too. Whoever waits on a word of a library's file is woken by any other process that maps it (futex).

None of it is needed for training. Nobody else uses a run's files, so a lock that does nothing keeps out as many as one
that does. Waiting for a word that is not a process's own ends at once, and waking wakes nobody: locks between processes
are tried again and again instead.

Sources: futex(2), clone(2), keyrings(7), keyctl(2), syslog(2), fcntl(2), flock(2), inotify(7), fanotify(7), vsock(7),
utimensat(2) of the Linux manual.
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

OPERATION, OF_ONE_PROCESS, ITS_KIND = 1, 0x80, 0xFF
"""Which argument of futex it is, the bit that says whose it is, and the bits that say what is done."""
LOCKING = (6, 7, 8, 11, 12, 13)
"""Operations on locks that the kernel itself gives: a false success would be a lock that two hold."""

CONTROL = 1
"""Which argument of ioctl it is."""
KEYS_OF_FILES = (0xC0506617, 0xC0406618, 0xC0406619)
"""Keys of a file system's encryption, added and removed: who may only read it may do so."""

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
    woken = [
        *rules(NO_SUCH_CALL, "futex_waitv", "futex_wake", "futex_wait", "futex_requeue"),
        Rule("futex", NO_SUCH_CALL, (OneOf(OPERATION, LOCKING, mask=ITS_KIND),)),
        Rule("futex", DONE_WITHOUT_EFFECT, (OneOf(OPERATION, (0,), mask=OF_ONE_PROCESS),)),
    ]
    keys = Rule("ioctl", NOT_PERMITTED, (OneOf(CONTROL, KEYS_OF_FILES),))
    # It can start a child in another control group, and no filter sees what it is given; clone does the rest.
    births = Rule("clone3", NO_SUCH_CALL)
    return install(compiled([*unheard, *locks, sockets, *marks, *woken, keys, births]))
