"""Sees to it that a program has no memory which is not counted as its own.

A file in memory (memfd), a segment or a queue of System V hold memory that is mapped nowhere, so neither a limit nor a
look at the program's processes finds it; of shared memory without a file what was unmapped, or given back with madvise,
stays too.

Sources: memfd_create(2), memfd_secret(2), shmget(2), msgget(2), mmap(2), madvise(2), getrlimit(2) of the Linux manual.
"""

from __future__ import annotations

import mmap

from orchestrator.seccomp import NO_SUCH_CALL, NOT_PERMITTED, OneOf, Rule, compiled, install, rules

FLAGS, KIND = 3, 0x0F
"""Which argument of mmap they are, and the bits of them that say private or shared."""
SHARED_VALIDATE = 3


def count_all_memory() -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    nameless = tuple(mmap.MAP_ANONYMOUS | kind for kind in (mmap.MAP_SHARED, SHARED_VALIDATE))
    shared = Rule("mmap", NOT_PERMITTED, (OneOf(FLAGS, nameless, mask=mmap.MAP_ANONYMOUS | KIND),))
    return install(compiled([*rules(NO_SUCH_CALL, "memfd_create", "memfd_secret", "shmget", "msgget"), shared]))
