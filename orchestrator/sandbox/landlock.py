"""The sandbox where bubblewrap is missing: Landlock and, where they are allowed, namespaces. See enter.py.

Nothing of a view can be shown under another path here, since namespaces may be forbidden: its places are the sources
themselves. What Landlock has no word for is left to a root of its own, or to a filter on system calls.

Sources: socket(2), unix(7), prlimit(2), setpriority(2), sched(7), ioctl_fs(2) of the Linux manual.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.sandbox import interpreter, system
from orchestrator.sandbox.view import View
from orchestrator.seccomp import (
    ATTRIBUTES,
    DONE_WITHOUT_EFFECT,
    MODES,
    NOT_PERMITTED,
    OWNERS,
    TIMES,
    OneOf,
    Rule,
    compiled,
    rules,
)

KIND_OF_SOCKET = 0x0F
NEW_NAMESPACES = 0x7E020080
"""Of clone's flags: mounts, control groups, host name, System V IPC, users, processes, network, clocks."""
TYPE_OF_CONTROL = 0xFF00
OF_TERMINALS, OF_NVIDIA, WITHOUT_TYPE = 0x5400, 0x4600, 0
"""Of ioctl's second argument: terminals and descriptors, the driver of GPUs, its unified memory. Those of file systems
change a file that may only be read: its flags, its version, how it is kept."""


def command(view: View, library: Path | None, namespaces: bool, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` inside; `library` is what `library.build` made, or None where
    the text of the standard library is no secret. With `namespaces` it is an error when they cannot be had.
    """
    hidden = [] if library is None else [*interpreter.library_places(), interpreter.own_library()]
    facts = system.machine_facts(bool(view.gpu_nodes))
    system_parts = [Path(part) for part in (*system.parts(), *system.FILES, *facts, *system.library_path())]
    system_parts += [Path("/", name) for name in system.ROOT_LIBRARIES] + interpreter.shown_parts()
    packages = interpreter.package_places()
    copies = [] if library is None else [path.resolve() for path in interpreter.copies_of_the_library()]
    shown = [*_without(hidden, system_parts), library or interpreter.own_library(), *_without(copies, packages)]
    readable = list(map(str, shown))
    moved = [] if library is None else [(str(library), str(interpreter.own_library()))]
    extensions = interpreter.extension_modules()
    if extensions is not None:
        readable.append(str(extensions))
        moved += [(str(extensions), str(interpreter.own_library() / "lib-dynload"))] if moved else []
    readable += [mount.source for mount in view.mounts if not mount.writable]
    writable = [mount.source for mount in view.mounts if mount.writable]
    # Python finds a module only in a directory that it may list.
    beside = [str(Path(mount.source).parent) for mount in view.mounts if Path(mount.source).suffix == ".py"]
    search_path = [str(library or ""), interpreter.further_search_path()]
    order = {
        "readable": readable,
        "listable": [*map(str, packages), *beside],  # where not all is readable, Python still has to look through
        "links": [str(path) for path in (*system_parts, *packages, Path(sys.executable)) if path.exists()],
        "moved": moved,
        "writable": writable,
        "at_home": dict(view.at_home),
        "devices": view.gpu_nodes,
        "namespaces": namespaces,
        "filter": _text(_among_others()),
        "scratch_bytes": view.scratch_bytes,
        "directory": view.directory,
        "environment": {
            **system.environment(),
            "PYTHONPATH": ":".join(word for word in search_path if word),
            **view.environment,
        },
        "argv": list(argv),
    }
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("enter.py")), json.dumps(order)]


def _among_others() -> list[Rule]:
    """Where namespaces are forbidden: no socket at all; no memory, queue or semaphore of System V or POSIX, which would
    be there for the next program too; nothing that concerns another process, or changes a file otherwise than by
    writing. Programs change what is their own in passing, when they copy a file or start a thread; that does nothing.
    """
    of_another = OneOf(0, (0,), other=True)
    controls = OneOf(1, (OF_TERMINALS, OF_NVIDIA, WITHOUT_TYPE), other=True, mask=TYPE_OF_CONTROL)
    # A pair that carries datagrams can be connected anew, to another socket by its path.
    pairs = OneOf(1, (socket.SOCK_STREAM, socket.SOCK_SEQPACKET), other=True, mask=KIND_OF_SOCKET)
    names = ("socket", "io_uring_setup", "unshare", "setns", "mq_open", "mq_unlink")
    memory = ("shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl")
    queues = ("msgget", "msgsnd", "msgrcv", "msgctl")
    namespaces = OneOf(0, (0,), other=True, mask=NEW_NAMESPACES)
    scheduling = ("sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr")
    priorities = [
        Rule("setpriority", NOT_PERMITTED, (OneOf(0, (0,), other=True),)),
        Rule("setpriority", NOT_PERMITTED, (OneOf(1, (0,), other=True),)),
        Rule("ioprio_set", NOT_PERMITTED, (OneOf(0, (1,), other=True),)),
        Rule("ioprio_set", NOT_PERMITTED, (OneOf(1, (0,), other=True),)),
    ]
    return [
        *rules(NOT_PERMITTED, *names, *memory, *queues, *ATTRIBUTES, *OWNERS),
        *rules(DONE_WITHOUT_EFFECT, *TIMES, *MODES),
        Rule("clone", NOT_PERMITTED, (namespaces,)),
        Rule("socketpair", NOT_PERMITTED, (pairs,)),
        Rule("socketpair", NOT_PERMITTED, (OneOf(0, (socket.AF_UNIX,), other=True),)),
        Rule("ioctl", NOT_PERMITTED, (controls,)),
        Rule("prlimit64", NOT_PERMITTED, (of_another,)),
        *(Rule(call, DONE_WITHOUT_EFFECT, (of_another,)) for call in scheduling),
        *priorities,
    ]


def _text(wanted: list[Rule]) -> str | None:
    code = compiled(wanted)
    return None if code is None else code.hex()


def _without(hidden: Sequence[Path], places: Sequence[Path]) -> list[Path]:
    """What is readable of these places: Landlock only allows, so whoever holds something hidden is replaced by what
    else is in it."""
    found: list[Path] = []
    waiting = list(places)
    while waiting:
        one = waiting.pop()
        real = one.resolve()
        if real in hidden or not real.exists():
            continue
        if any(place.is_relative_to(real) for place in hidden):
            waiting += sorted(real.iterdir())
        else:
            found.append(real)
    return sorted(set(found))
