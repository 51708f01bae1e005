"""Other labs that are at work on this machine: they share its slots, and whoever starts a lab should know of them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil

from orchestrator.lab import Lab, daemon_of

MOST_NAMED = 3


def labs_at_work(but: Lab | None = None) -> list[Path]:
    """Where other labs of this machine have a daemon alive, as far as this user may see; `but` is one's own."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        root = _lab_of(process.info["cmdline"] or ())
        if root is None or (but is not None and root == but.root):
            continue
        daemon = daemon_of(Lab(root))
        if daemon is not None and daemon.pid == process.pid:
            found.append(root)
    return sorted(found)


def _lab_of(command: Sequence[str]) -> Path | None:
    """The lab that a process is the daemon of, by its command line (orchestrator.starting)."""
    match list(command):
        case [_, "-m", "orchestrator.daemon", root]:
            return Path(root)
        case _:
            return None


def told(labs: Sequence[Path], own: Lab) -> str:
    """One sentence for a person whose lab is `own`, with the remedy; empty for none."""
    if not labs:
        return ""
    others = "Another lab is" if len(labs) == 1 else f"{len(labs)} other labs are"
    return f"{others} at work on this machine, on the same slots: {named(labs, own)}. {remedy(labs)}"


def named(labs: Sequence[Path], own: Lab | None) -> str:
    """A few of them, each by its name; by its path where another, or one's own, has that name too."""
    names = Counter([root.name for root in labs] + ([own.root.name] if own is not None else []))
    few = [root.name if names[root.name] == 1 else str(root) for root in labs[:MOST_NAMED]]
    return ", ".join(few) + (f" and {len(labs) - MOST_NAMED} more" if len(labs) > MOST_NAMED else "")


def remedy(labs: Sequence[Path]) -> str:
    """How one is opened, and ended: a command takes the path, from wherever it is typed."""
    paths = [shlex.quote(str(root)) for root in labs[:MOST_NAMED]]
    if len(labs) == 1:
        return f"`autolab-tui {paths[0]}` opens it, `autolab stop {paths[0]}` ends it."
    return f"`autolab-tui LAB` opens one, `autolab stop LAB` ends one, where LAB is {' or '.join(paths)}."
