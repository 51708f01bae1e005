"""Who asks: the person at this client, as events and answers name them."""

from __future__ import annotations

import getpass
import socket


def who() -> str:
    """`user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "someone"
    return f"{user}@{socket.gethostname()}"
