"""Numbers as people and programs give them: each is read within its bounds, in one place."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import LabError, UsageError
from roles.bounds import HIGHEST_PRIORITY, LARGEST_ID, LEAST_PRIORITY

LONGEST = 40
"""Characters of what was given that are repeated."""


def experiment_number(said: object) -> int:
    """The number of an experiment; the room shows a later attempt as 13.2, and it is experiment 13.

    Raises UsageError for what is no number, and LabError for one that no experiment can have.
    """
    digits = str(said).removeprefix("#").partition(".")[0]
    if not is_digits(digits):
        raise UsageError(f"{told(said)!r} is not the number of an experiment.", "`autolab results` lists them.")
    if len(digits.lstrip("0")) > len(str(LARGEST_ID)) or int(digits) > LARGEST_ID:
        raise no_experiment(digits)
    return int(digits)


class Attempt(int):
    """The number of an experiment that was given with an attempt, as in 13.2; `attempt` is None without one."""

    attempt: int | None = None


def attempt_of(said: object) -> Attempt:
    """As experiment_number, and the attempt that stands behind it."""
    found = Attempt(experiment_number(said))
    _, _, attempt = str(said).partition(".")
    if attempt:
        if not is_digits(attempt) or len(attempt) > len(str(LARGEST_ID)):
            raise UsageError(f"{told(said)!r} is not the number of an experiment.", "`autolab results` lists them.")
        found.attempt = int(attempt)
    return found


def require_one(verb: str, lab: str) -> None:
    """Raise UsageError where a second experiment stands behind the first: its number would be taken for a lab."""
    if is_digits(lab.removeprefix("#").replace(".", "", 1)) and not Path(lab).exists():
        raise UsageError(
            f"`{verb}` takes one experiment at a time, and `{told(lab)}` is more.",
            "Give the command once for each; in the room, space marks several.",
        )


def no_experiment(number: object) -> LabError:
    """What is said of a number that no experiment has."""
    return LabError(f"There is no experiment {told(number)}.", "`autolab results` and `autolab queue` list them.")


def priority(said: object) -> int:
    """Raises UsageError for what is no whole number within the bounds of a priority."""
    word = str(said).strip()
    bare = word[1:] if word[:1] in ("-", "+") else word
    short = is_digits(bare) and len(bare.lstrip("0")) <= len(str(HIGHEST_PRIORITY))
    if not short or not LEAST_PRIORITY <= int(word) <= HIGHEST_PRIORITY:
        bounds = f"from {LEAST_PRIORITY} to {HIGHEST_PRIORITY}"
        raise UsageError(f"A priority is a whole number {bounds}, not {told(said)!r}.", "The highest runs first.")
    return int(word)


def is_digits(word: str) -> bool:
    """Whether it is a whole number without a sign."""
    return word.isascii() and word.isdigit()


def told(said: object) -> str:
    """What was given, as far as it is worth repeating."""
    text = str(said)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
