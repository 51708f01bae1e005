"""What stands half typed in a form: kept in a file of the person's own, so that neither esc nor a dropped line costs
anything of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from orchestrator.lab import Lab
from tui.own_files import state_directory, write_whole


class KeptForm:
    """The form for one matter of one lab; a home that cannot be written keeps nothing."""

    def __init__(self, lab: Lab, matter: str = "") -> None:
        """`matter` tells forms of one lab apart; empty: the one for a new experiment."""
        self._of = f"{lab.root}" + (f" {matter}" if matter else "")

    @property
    def path(self) -> Path:
        return state_directory() / "forms" / f"{hashlib.sha256(self._of.encode()).hexdigest()[:16]}.json"

    def read(self) -> dict[str, str]:
        """What was typed, by field; nothing where it was handed in, or cannot be read."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): str(text) for name, text in found.items()} if isinstance(found, dict) else {}

    def keep(self, typed: Mapping[str, str]) -> None:
        with contextlib.suppress(OSError):
            write_whole(self.path, json.dumps(typed))

    def forget(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
