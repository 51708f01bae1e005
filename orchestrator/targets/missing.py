"""What a script's command names that is not there, told before the first run fails for it."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.targets.recognition import HUB_CACHE
from orchestrator.targets.target import ScriptTarget


def what_is_missing(target: ScriptTarget, root: Path) -> tuple[str, str] | None:
    """A sentence and its remedy; None when the program is on this machine, its files are below `root`, and what it may
    read besides is there."""
    program, *words = target.command
    if shutil.which(program) is None and not ("/" in program and (root / program).is_file()):
        return f"{program} is not on this machine.", f"Install {program}, or change target.command in autolab.toml."
    for word in words:
        if word.endswith(".py") and not word.startswith("-") and not (root / word).is_file():
            return f"The repository has no {word}.", "Correct target.command in autolab.toml."
    environment = target.environment.get("UV_PROJECT_ENVIRONMENT")
    if environment is not None and not Path(environment).exists():
        made = f"`UV_PROJECT_ENVIRONMENT={environment} uv sync` in the repository makes it."
        return f"There is no environment at {environment}.", made
    gone = [path for path in target.readable if not Path(path).expanduser().exists()]
    if others := [path for path in gone if not path.startswith(HUB_CACHE)]:
        remedy = "Prepare it as the repository says, or correct target.readable in autolab.toml."
        return f"There is no {others[0]}, which a run is to read.", remedy
    kernels = [path for path in target.readable if path.startswith(HUB_CACHE)]
    if kernels and len(gone) == len(kernels):
        remedy = "Run the program once outside the lab: it downloads them, and a run has no network."
        return f"None of the kernels that it loads is in {HUB_CACHE}.", remedy
    return None
