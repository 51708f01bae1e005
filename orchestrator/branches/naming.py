"""Names and messages: branches of experiments, commit messages with trailers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

LONGEST_SLUG = 40


def slug(title: str) -> str:
    """Lower-case ASCII words joined by hyphens, cut at a word."""
    plain = "".join(map(_spelled, unicodedata.normalize("NFKD", title.casefold())))
    words = re.findall(r"[a-z0-9]+", plain)
    found = ""
    for word in words:
        longer = f"{found}-{word}" if found else word[:LONGEST_SLUG]
        if len(longer) > LONGEST_SLUG:
            break
        found = longer
    return found or "patch"


def _spelled(letter: str) -> str:
    """A letter in ASCII: Latin ones without their strokes, Greek ones by their names, others not at all."""
    if letter.isascii():
        return letter
    named = re.match(r"(?:LATIN|GREEK) SMALL LETTER (?:FINAL )?(\w+)", unicodedata.name(letter, ""))
    return named[1].lower().replace("lamda", "lambda") if named is not None else ""


def branch_name(experiment_id: int, attempt: int, title: str) -> str:
    """`exp/12-muon`, and `exp/12.2-muon` for the second attempt."""
    number = f"{experiment_id}" if attempt == 1 else f"{experiment_id}.{attempt}"
    return f"exp/{number}-{slug(title)}"


def commit_message(title: str, body: str, trailers: Mapping[str, str]) -> str:
    """Subject, body and a last paragraph of trailers, whatever the texts look like."""
    subject = " ".join(title.split()) or "Experiment"
    parts = [subject]
    if body.strip():
        parts.append(body.strip())
    parts.append("\n".join(f"{key}: {' '.join(value.split())}" for key, value in trailers.items()))
    return "\n\n".join(parts) + "\n"


def trailer(message: str, key: str) -> str | None:
    """The value of a trailer: of a `Key: value` line in the message's last paragraph."""
    last = message.strip().split("\n\n")[-1]
    found = re.search(rf"^{re.escape(key)}: (.*)$", last, re.MULTILINE)
    return found.group(1).strip() if found else None


def with_trailer(message: str, key: str, value: str) -> str:
    """The message with another value of a trailer that its last paragraph has."""
    *before, last = message.strip().split("\n\n")
    last = re.sub(rf"^{re.escape(key)}: .*$", lambda _: f"{key}: {value}", last, flags=re.MULTILINE)
    return "\n\n".join([*before, last]) + "\n"
