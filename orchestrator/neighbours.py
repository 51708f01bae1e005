"""Other labs that are at work on this machine: they share its slots, and whoever starts a lab should know of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from orchestrator.lab import Lab, daemon_of

MOST_NAMED = 3


def labs_at_work(but: Lab | None = None) -> list[Path]:
    """Where other labs of this machine are at work, in the background or in the foreground, as far as this user may
    see; `but` is one's own."""
    found = set()
    for process in psutil.process_iter(["cmdline", "open_files"]):
        opened = [file.path for file in process.info["open_files"] or ()]
        for root in _labs_of(process.info["cmdline"] or (), opened):
            daemon = daemon_of(Lab(root)) if but is None or root != but.root else None
            if daemon is not None and daemon.pid == process.pid:
                found.add(root)
    return sorted(found)


def _labs_of(command: Sequence[str], opened: Sequence[str]) -> Iterator[Path]:
    """The labs that a process may be the daemon of: by its command line (orchestrator.starting), which is all that is
    seen of another user's; and by the lock that it keeps open, for `autolab run` names its lab in many ways."""
    match list(command):
        case [_, "-m", "orchestrator.daemon", root]:
            yield Path(root)
    for path in map(Path, opened):
        lab = Lab(path.parent.parent)
        if path == lab.lock_file:
            yield lab.root


def told(labs: Sequence[Path]) -> str:
    """One sentence for a person who starts a lab beside these, with the remedy; empty for none."""
    if not labs:
        return ""
    others = "Another lab is" if len(labs) == 1 else f"{len(labs)} other labs are"
    return f"{others} at work on this machine, on the same slots: {named(labs)}. {remedy(labs)}"


def named(labs: Sequence[Path]) -> str:
    """A few of them, each by its whole path: one's own may have the same name."""
    few = ", ".join(map(str, labs[:MOST_NAMED]))
    return few + (f" and {len(labs) - MOST_NAMED} more" if len(labs) > MOST_NAMED else "")


def remedy(labs: Sequence[Path]) -> str:
    """How one is looked at, from wherever it is typed; it may be somebody else's, so not how it is ended."""
    if len(labs) == 1:
        return f"Look at it with `autolab-tui {shlex.quote(str(labs[0]))}`."
    return "Look at one with `autolab-tui LAB`, LAB being its path."
