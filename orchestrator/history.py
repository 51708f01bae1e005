"""Earlier results that another tool measured elsewhere: karpathy/autoresearch's results.tsv, read as data.

Its five columns are commit, val_bpb (0 for a crash), memory_gb, status (keep, discard or crash) and description. A lab
that maximises its metric keeps and exports it with its sign changed, and marks that in the description. So there scores
below zero are read, and one above zero only with that mark: without it, it may be a score of which more is better.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.errors import LabError
from orchestrator.runs.log_text import inert
from orchestrator.runs.untrusted import is_score
from orchestrator.targets.target import SELF_REPORTED, SIGN_CHANGED

COLUMNS = ("commit", "val_bpb", "memory_gb", "status", "description")
MOST_ROWS = 20_000
MOST_BYTES = 4 * 2**20
LONGEST_DESCRIPTION = 400
"""Characters; agents read these lines, so no row may fill their memory."""
LONGEST_COMMIT = 64
MARK = "imported, not measured here"


_MARKS = re.compile(rf"(?:\s*\[(?:{SELF_REPORTED}|{SIGN_CHANGED}|unsandboxed|pruned)\])+$")
"""What an export of Autolab puts behind a title."""

MOST_BROKEN = 5
"""Broken rows that are told at once."""


class Status(StrEnum):
    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """One row: what was tried, and what came of it there."""

    commit: str
    score: float | None  # val_bpb as measured there; None for a crash
    memory_gb: float
    status: Status
    description: str

    @property
    def ideas(self) -> tuple[str, str]:
        """The idea as it is written, and without the remark in brackets that may end it ("(too slow)")."""
        written = _MARKS.sub("", self.description)
        return idea_of(written), idea_of(re.sub(r"(?:\s*\([^()]*\))+\s*$", "", written))


def read_results(text: str, name: str, maximised: bool = False) -> list[EarlierResult]:
    """The rows of the results.tsv called `name`, in its order. Raises LabError for broken rows."""
    try:
        return parse_results(text, maximised)
    except LabError as error:
        raise LabError(f"{name}: {error.sentence[:1].lower()}{error.sentence[1:]}", error.remedy) from error


def parse_results(text: str, maximised: bool = False) -> list[EarlierResult]:
    """The same for a text without a name; sentences begin with the line."""
    if len(text.encode("utf-8", errors="replace")) > MOST_BYTES:
        raise LabError(f"The file is larger than {MOST_BYTES // 2**20} MiB.", "Import it in parts.")
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    header = tuple(cell.strip() for cell in lines[0].split("\t"))
    if header != COLUMNS:
        raise LabError(
            f"Line 1 is not the header of a results.tsv: it is {_shown(lines[0])}.",
            f"It must hold, with tabs between them: {' '.join(COLUMNS)}.",
        )
    numbered = [(number, line) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    if len(numbered) > MOST_ROWS:
        raise LabError(f"The file has {len(numbered)} rows, more than {MOST_ROWS}.", "Import it in parts.")
    rows, broken = [], []
    for number, line in numbered:
        try:
            rows.append(_row(number, line, maximised))
        except LabError as error:
            broken.append(error)
    if broken:
        raise _together(broken)
    return rows


def _together(broken: list[LabError]) -> LabError:
    """One error for all broken rows, so that a person mends them in one go."""
    told = [error.sentence.removesuffix(".") for error in broken[:MOST_BROKEN]]
    sentences = [told[0], *(f"{one[:1].lower()}{one[1:]}" for one in told[1:])]
    more = len(broken) - len(told)
    remedies = dict.fromkeys(error.remedy for error in broken[:MOST_BROKEN])
    return LabError("; ".join(sentences) + (f"; and {more} more." if more else "."), " ".join(remedies))


def _row(number: int, line: str, maximised: bool) -> EarlierResult:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != len(COLUMNS):
        hint = " (are there spaces where tabs should be?)" if len(cells) == 1 else ""
        raise _broken(number, f"has {len(cells)} of {len(COLUMNS)} columns{hint}", "Separate the columns with tabs.")
    commit, val_bpb, memory_gb, status, description = cells
    if not commit or len(commit) > LONGEST_COMMIT or re.fullmatch(r"[\w.-]+", commit) is None:
        raise _broken(number, f"has {_shown(commit)} as its commit", "Write a short hash or a name, as in bea057b.")
    score = _number(val_bpb)
    if score is None or (score < 0 and not maximised):
        raise _broken(number, f"has {_shown(val_bpb)} as val_bpb", "Write a number; 0 stands for a crash.")
    if maximised and score > 0 and not description.endswith(f"[{SIGN_CHANGED}]"):
        raise _broken(
            number,
            f"has {_shown(val_bpb)} as val_bpb, and this lab maximises: it keeps scores with their sign changed",
            "Write the score with a minus sign before it, so that less is better.",
        )
    memory = _number(memory_gb)
    if memory is None or memory < 0:
        raise _broken(number, f"has {_shown(memory_gb)} as memory_gb", "Write gigabytes, as in 44.0.")
    if status not in list(Status):
        raise _broken(number, f"has the status {_shown(status)}", f"It is one of: {', '.join(Status)}.")
    if (status == Status.CRASH) != (score == 0):
        said = f"a val_bpb of {score:g}"
        raise _broken(number, f"has the status {status} and {said}", "A crash has 0, and nothing else has.")
    words = " ".join(inert(description).split())
    if not words:
        raise _broken(number, "has no description", "Say what was tried.")
    return EarlierResult(commit, score or None, memory, Status(status), words[:LONGEST_DESCRIPTION])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if is_score(number) and "_" not in text else None


def _shown(text: str) -> str:
    return repr(text[:60]) if text else "nothing"


def _broken(number: int, what: str, remedy: str) -> LabError:
    return LabError(f"Line {number} {what}.", remedy)


_WORD = re.compile(r"(?:(?<!\S)-)?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?[^\W_]*%?|[^\W_]+")


def idea_of(title: str) -> str:
    """A title by its words and numbers alone, so that two ways of writing it are the same: case and punctuation do
    not count, signs and fractions of numbers do."""
    return " ".join(_WORD.findall(title.casefold()))
