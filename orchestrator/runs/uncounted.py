"""Sees to it that a program has no memory which is not counted as its own.

A file in memory (memfd) and a System V segment hold memory that is mapped nowhere, so neither a limit nor a look at the
program's processes finds it.

Sources: memfd_create(2), memfd_secret(2), shmget(2), getrlimit(2) of the Linux manual.
"""

from __future__ import annotations

from orchestrator.seccomp import NO_SUCH_CALL, compiled, install, rules


def count_all_memory() -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    return install(compiled(rules(NO_SUCH_CALL, "memfd_create", "memfd_secret", "shmget")))
