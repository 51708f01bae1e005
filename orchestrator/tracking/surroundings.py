"""The environment of a process that works with Trackio: local, silent, and with no key that it has no use for."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

_TASTE = frozenset(
    {
        "TRACKIO_COLOR_PALETTE",
        "TRACKIO_PLOT_ORDER",
        "TRACKIO_TABLE_TRUNCATE_LENGTH",
        "TRACKIO_THEME",
        "TRACKIO_LOGO_DIR",
    }
)
"""Settings of Trackio that are the person's own: how a dashboard looks."""

_SENT_AWAY = ("TRACKIO_", "GRADIO_")
"""The others could send a lab to a server, a Space, a webhook or through a public tunnel."""

_OUTSIDE = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "SYSTEM", "SPACE_ID"})


def surroundings(
    directory: Path, given: Mapping[str, str] | None = None, *, without: Collection[str] = ()
) -> dict[str, str]:
    """`given` (the process's own environment) for a Trackio that keeps its data in `directory` and asks no network.

    `without` are the names of variables that hold secrets.
    """
    kept = {
        name: value
        for name, value in (os.environ if given is None else given).items()
        if name not in _OUTSIDE and name not in without and (name in _TASTE or not name.startswith(_SENT_AWAY))
    }
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRACKIO_DIR": str(directory),
        "TRACKIO_STORAGE_MODE": "sqlite",
        "TRACKIO_SQLITE_SYNCHRONOUS": "FULL",  # what the store calls tracked must outlast a power loss
    }
