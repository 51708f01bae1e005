"""The key of an endpoint: read from the environment when it is needed, and kept out of every text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from roles.errors import ModelError

MASK = "***"
SECRET = 12
"""Characters; a shorter key is a word that a server without keys wants to see, and pieces of it are any word's."""
PIECE = 8
"""Characters of a key that tell too much of it."""
AGAIN = "A lab that is at work has it after `autolab stop`, then `autolab start` from the same shell."
"""A daemon keeps the environment that it was started in."""
LONGEST_SAID = 300  # characters of a server's own words in an error


def api_key(label: str, key_env: str | None, environment: Mapping[str, str]) -> str:
    """The key, empty when none is needed; `label` names the model. Raises ModelError when it is missing or no key."""
    if key_env is None:
        return ""
    key = environment.get(key_env, "").strip()
    if not key:
        raise ModelError(
            f"{label} needs a key in the environment variable {key_env}, which is not set.",
            f"Set it. {AGAIN}",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ModelError(
            f"What stands in the environment variable {key_env} is no key: it holds characters that no key has.",
            f"Set it again, to the key alone. {AGAIN}",
        )
    return key


def known_key(key_env: str | None, environment: Mapping[str, str]) -> str:
    """The key as far as there is one: what must stand in no text."""
    return environment.get(key_env, "").strip() if key_env else ""


def inert(text: str, key_env: str | None, environment: Mapping[str, str]) -> str:
    """A server's words as they may be shown: without the key or a piece of it, on one line, not too long."""
    key = known_key(key_env, environment)
    if key:
        text = text.replace(key, MASK)
    if len(key) >= SECRET:  # some servers repeat the beginning of a key, or its end behind marks of omission
        text = re.sub(rf"{re.escape(key[:6])}\S*", MASK, text)
        text = _without_pieces(text, key, PIECE)
        ends = "|".join(re.escape(key[-length:]) for length in range(PIECE - 1, 3, -1))
        text = re.sub(rf"([*\u2022\u2026]|\.\.)({ends})(?!\w)", rf"\1{MASK}", text)
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:LONGEST_SAID].rstrip(" .")


def masked(text: str, key: str) -> str:
    """A model's words without the key or a long piece of it; what is too short for a secret stays, for it may be any
    word."""
    return _without_pieces(text, key, min(SECRET, len(key))) if len(key) >= PIECE else text


class Sieve:
    """Hands on a text as it streams, without the key, though it may be cut anywhere: what can be a piece of the key is
    held back until it is known."""

    def __init__(self, key: str, on_text: Callable[[str], None]) -> None:
        self._key = key if len(key) >= PIECE else ""
        self._on_text = on_text
        self._held = ""

    def take(self, piece: str) -> None:
        """The next piece of the text."""
        text = self._held + piece
        longest = 0 if text.endswith(self._key) else min(len(self._key), len(text))
        held = next((count for count in range(longest, 0, -1) if text[-count:] in self._key), 0)
        self._held = text[len(text) - held :]
        self._hand_on(text[: len(text) - held])

    def close(self) -> None:
        """The text has ended."""
        held, self._held = self._held, ""
        self._hand_on(held)

    def _hand_on(self, text: str) -> None:
        if text:
            self._on_text(masked(text, self._key))


def _without_pieces(text: str, key: str, least: int) -> str:
    """The text with every piece of the key of at least so many characters masked."""
    pieces = {key[start : start + least] for start in range(len(key) - least + 1)}
    if not any(piece in text for piece in pieces):
        return text
    kept, at = [], 0
    while at < len(text):
        if text[at : at + least] not in pieces:
            kept.append(text[at])
            at += 1
            continue
        end = at + least
        while end < len(text) and text[at : end + 1] in key:
            end += 1
        kept.append(MASK)
        at = end
    return "".join(kept)
