"""Filters on system calls, as the kernel takes them: what each call is answered with, for a process and all below it.

Sources: seccomp(2) and syscalls(2) of the Linux manual, linux/bpf_common.h, linux/audit.h, the kernel's tables.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ALLOWED, DONE_WITHOUT_EFFECT = 0x7FFF0000, 0x00050000
NO_SUCH_CALL, NOT_PERMITTED = DONE_WITHOUT_EFFECT | errno.ENOSYS, DONE_WITHOUT_EFFECT | errno.EPERM

NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's names of those whose calls are known here."""
OTHER_TABLES = 0x40000000
"""Calls from here on are those of another table (x32)."""

LOAD, MASK, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
OF_ARCHITECTURE, OF_CALL, OF_ARGUMENTS, ARGUMENT_BYTES = 4, 0, 16, 8
"""Where they stand in what a filter is shown."""

NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "add_key": (248, 217),
    "chmod": (90, None),
    "chown": (92, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fanotify_init": (300, 262),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fcntl": (72, 25),
    "file_setattr": (469, 469),
    "flock": (73, 32),
    "fremovexattr": (199, 16),
    "fsetxattr": (190, 7),
    "futex": (202, 98),
    "futex_requeue": (456, 456),
    "futex_wait": (455, 455),
    "futex_waitv": (449, 449),
    "futex_wake": (454, 454),
    "futimesat": (261, None),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioprio_set": (251, 30),
    "keyctl": (250, 219),
    "lchown": (94, None),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mmap": (9, 222),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgget": (68, 186),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "prlimit64": (302, 261),
    "removexattr": (197, 14),
    "removexattrat": (466, 466),
    "request_key": (249, 218),
    "rt_sigaction": (13, 134),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semctl": (66, 191),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "setxattr": (188, 5),
    "setxattrat": (463, 463),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "syslog": (103, 116),
    "unshare": (272, 97),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
}
"""Of the calls that filters name, on x86_64 and on aarch64, which has not all of them."""

TIMES = ("utime", "utimes", "futimesat", "utimensat")
MODES = ("chmod", "fchmod", "fchmodat", "fchmodat2")
OWNERS = ("chown", "fchown", "lchown", "fchownat")
ATTRIBUTES = (
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat", "file_setattr"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
)
"""The calls that change what is kept of a file beside its content."""

Step = tuple[int, int, int, int]
"""What is done; steps to skip if so, and if not; with what."""

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class OneOf:
    """An argument, counted from 0, whose lower 32 bits are one of these, so far as they stand in `mask`; `other`: none
    of them."""

    argument: int
    values: tuple[int, ...]
    other: bool = False
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Given:
    """An argument, counted from 0, that is an address."""

    argument: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What a call is answered with where all of this holds."""

    call: str
    answer: int
    where: tuple[OneOf | Given, ...] = ()


def rules(answer: int, *calls: str) -> list[Rule]:
    """The same answer to several calls, whatever their arguments."""
    return [Rule(call, answer) for call in calls]


def number_of(call: str) -> int | None:
    """Its number on this machine; None where there is no such call."""
    return dict(zip(ARCHITECTURES, NUMBERS[call], strict=True)).get(platform.machine())


def compiled(wanted: Iterable[Rule]) -> bytes | None:
    """A filter: the first rule that fits a call answers it, every other call is allowed. None where the calls of this
    machine's processor are not known.
    """
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return None
    program: list[Step] = [
        (LOAD, 0, 0, OF_ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, NO_SUCH_CALL),
        (LOAD, 0, 0, OF_CALL),
        (AT_LEAST, 0, 1, OTHER_TABLES),
        (RETURN, 0, 0, NO_SUCH_CALL),
    ]
    for rule in wanted:
        number = number_of(rule.call)
        if number is not None:
            program += _block(rule, number)
    program.append((RETURN, 0, 0, ALLOWED))
    return b"".join(struct.pack("HBBI", *step) for step in program)


def install(code: bytes | None) -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    if code is None:
        return False
    kept = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxP", len(code) // struct.calcsize("HBBI"), ctypes.addressof(kept))
    if _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(_libc.prctl(SECCOMP, FILTER, filters, 0, 0) == 0)


def _block(rule: Rule, number: int) -> list[Step]:
    """The steps of one rule; where it does not fit, all of them are skipped."""
    body: list[Step] = [(RETURN, 0, 0, rule.answer)]
    for test in reversed(rule.where):
        body = _tested(test, body)
    return [(LOAD, 0, 0, OF_CALL), (EQUAL, 0, len(body), number), *body]


def _tested(test: OneOf | Given, then: Sequence[Step]) -> list[Step]:
    beyond = len(then)
    place = OF_ARGUMENTS + test.argument * ARGUMENT_BYTES
    if isinstance(test, Given):
        halves: list[Step] = [(EQUAL, 0, 2, 0), (LOAD, 0, 0, place + 4), (EQUAL, beyond, 0, 0)]
        return [(LOAD, 0, 0, place), *halves, *then]
    last = len(test.values) - 1
    compares: list[Step] = []
    for index, value in enumerate(test.values):
        left = last - index  # comparisons after this one
        if test.other:
            compares.append((EQUAL, left + beyond, 0, value))
        else:
            compares.append((EQUAL, left, 0 if left else beyond, value))
    return [(LOAD, 0, 0, place), (MASK, 0, 0, test.mask), *compares, *then]
