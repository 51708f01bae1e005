"""What a script's command names that is not there, told before the first run fails for it."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.targets.target import ScriptTarget


def what_is_missing(target: ScriptTarget, root: Path) -> tuple[str, str] | None:
    """A sentence and its remedy; None when the program is on this machine and its files are below `root`."""
    program, *words = target.command
    if shutil.which(program) is None and not ("/" in program and (root / program).is_file()):
        return f"{program} is not on this machine.", f"Install {program}, or change target.command in autolab.toml."
    for word in words:
        if word.endswith(".py") and not word.startswith("-") and not (root / word).is_file():
            return f"The repository has no {word}.", "Correct target.command in autolab.toml."
    return None
