"""Other labs that are at work on this machine: they share its slots, and whoever starts a lab should know of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psutil

from orchestrator.lab import Lab, daemon_of

MOST_NAMED = 3
REMEDY = "`autolab-tui LAB` opens it, `autolab stop LAB` ends it."


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


def told(labs: Sequence[Path]) -> str:
    """One sentence for a person, with the remedy; empty for none."""
    if not labs:
        return ""
    others = "Another lab is" if len(labs) == 1 else f"{len(labs)} other labs are"
    named = ", ".join(map(str, labs[:MOST_NAMED])) + (f" and {len(labs) - MOST_NAMED} more" * (len(labs) > MOST_NAMED))
    return f"{others} at work on this machine, on the same slots: {named}. {REMEDY}"
