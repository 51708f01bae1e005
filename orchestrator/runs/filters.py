"""Which filters on system calls a program gets that agents wrote, put on in a child before it becomes that program.

What may not fork, as the daemon, starts the program through a process that puts them on itself: see `behind`.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.runs.burial import keep_children_on_account
from orchestrator.runs.messages import leave_no_messages
from orchestrator.runs.uncounted import count_all_memory

_BEHIND = "import sys; sys.path.insert(0, sys.argv[1]); from orchestrator.runs.filters import main; main(sys.argv[2:])"


def may_filter(sandbox: str) -> bool:
    """Whether a program in a sandbox of this kind gets any; without a sandbox nothing is kept from it."""
    return sandbox != "off" and not (sandbox == "bubblewrap" and _takes_rights(shutil.which("bwrap")))


def put_on(children_on_account: bool, all_memory: bool) -> None:
    """From here on, for this process and all that it starts. Where the clock is the wall's no account of children is
    needed; CUDA needs memory that is not counted, and a scorer shares such memory with what answers it."""
    leave_no_messages()
    if children_on_account:
        keep_children_on_account()
    if all_memory:
        count_all_memory()


def behind(command: Sequence[str]) -> list[str]:
    """A command line that runs `command` behind all of them."""
    return [sys.executable, "-I", "-c", _BEHIND, str(Path(__file__).parents[2]), *command]


def main(command: Sequence[str]) -> None:
    """Put all of them on and become the command, which names its program by an absolute path."""
    put_on(children_on_account=True, all_memory=True)
    os.execv(command[0], list(command))


def _takes_rights(program: str | None) -> bool:
    """Whether a program becomes another user when it starts, as old installations of bubblewrap do: a process with a
    filter may not."""
    try:
        return program is not None and bool(Path(program).stat().st_mode & stat.S_ISUID)
    except OSError:
        return False
