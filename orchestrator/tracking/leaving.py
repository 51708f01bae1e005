"""What is left of a lab that was deleted while something was written to Trackio."""

from __future__ import annotations

import contextlib
import shutil

from orchestrator.lab import Lab


def take_away_what_was_made_anew(lab: Lab) -> None:
    """Trackio makes its directory where it finds none; only for a lab that is known to be gone. Blocks."""
    if lab.database.exists():  # another lab stands there
        return
    shutil.rmtree(lab.trackio, ignore_errors=True)
    for place in (lab.trackio.parent, lab.root):
        with contextlib.suppress(OSError):  # what is not empty is somebody's
            place.rmdir()
