"""The key of an endpoint: read from the environment when it is needed, and kept out of every text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from roles.errors import ModelError

LONGEST_SAID = 300  # characters of a server's own words in an error


def api_key(label: str, key_env: str | None, environment: Mapping[str, str]) -> str:
    """The key, empty when none is needed; `label` names the model. Raises ModelError when it is missing or no key."""
    if key_env is None:
        return ""
    key = environment.get(key_env, "").strip()
    if not key:
        raise ModelError(
            f"{label} needs a key in the environment variable {key_env}, which is not set.",
            "Set it, then start the daemon again from the same shell.",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ModelError(
            f"What stands in the environment variable {key_env} is no key: it holds characters that no key has.",
            "Set it again, to the key alone, then start the daemon again from the same shell.",
        )
    return key


def inert(text: str, key_env: str | None, environment: Mapping[str, str]) -> str:
    """A server's words as they may be shown: without the key or a piece of it, on one line, not too long."""
    key = environment.get(key_env, "").strip() if key_env else ""
    if key:
        text = text.replace(key, "***")
    if len(key) >= 12:  # some servers repeat the beginning of a key
        text = re.sub(rf"{re.escape(key[:6])}\S*", "***", text)
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:LONGEST_SAID].rstrip(" .")
