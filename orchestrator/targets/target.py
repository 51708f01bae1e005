"""What a target is: the files that may change, the files that may not, how a run starts and how it is scored.

Two kinds. `nanogpt` is Autolab's own: a trusted process computes its score. A `script` is any other program: what it
prints is its score, so every such score is self-reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from orchestrator.errors import LabError

OF_THE_LAB = ("autolab.toml", "runs.db", "runs.db-shm", "runs.db-wal", ".git", ".autolab", ".gitignore")
"""First parts of paths that no target may claim: the lab itself lives there."""

SEED_VARIABLE = "AUTOLAB_SEED"
"""Where a program finds the seed that its run is assigned."""


SELF_REPORTED = "self-reported"
"""The mark of what a target prints of itself."""

SIGN_CHANGED = "self-reported, sign changed"
"""Of a metric that is maximised: it is kept so that less is better."""


class Direction(StrEnum):
    """Which way a metric gets better."""

    MINIMISE = "minimise"
    MAXIMISE = "maximise"

    @classmethod
    def spelled(cls, word: str) -> str:
        """The word, in the one of two spellings that stands here."""
        return word.replace("imize", "imise")

    @classmethod
    def _missing_(cls, value: object) -> Direction | None:
        word = cls.spelled(str(value))
        return next((one for one in cls if one.value == word), None)

    def cost(self, metric: float) -> float:
        """The metric as a number of which less is better; it is its own inverse."""
        return metric if self is Direction.MINIMISE else -metric


@dataclass(frozen=True, slots=True)
class NanogptTarget:
    """train.py and its fixed companions; the harness's own scorer computes val_bpb."""

    editable: tuple[str, ...]
    protected: tuple[str, ...]

    @property
    def self_reported(self) -> bool:
        return False

    @property
    def seeding(self) -> str:
        """What a program has to do about its seed, as a remedy."""
        return "seed everything with prepare.set_seed() and prepare.seed()"


@dataclass(frozen=True, slots=True)
class ScriptTarget:
    """A command that prints its own score. Made by `script_target`, which checks what a person wrote."""

    command: tuple[str, ...]  # the words of the command, run without a shell at the top of the work tree
    editable: tuple[str, ...]  # paths from the top of the work tree
    protected: tuple[str, ...]
    metric: re.Pattern[str]  # one group: the number
    direction: Direction
    progress: re.Pattern[str] | None  # one group: per cent done; two groups: done and total
    budget_seconds: float  # what a run is granted
    timeout_seconds: float  # wall seconds of the whole command, start-up and evaluation included
    readable: tuple[str, ...] = ()  # outside the work tree: data, environments; `~` is the home directory
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def self_reported(self) -> bool:
        return True

    @property
    def seeding(self) -> str:
        """What a program has to do about its seed, as a remedy."""
        return f"seed everything with {SEED_VARIABLE} from the environment and print the score in full"

    @property
    def program(self) -> str:
        """What people call it: the file that is run, else the command's first word, without directories."""
        files = [word for word in self.command if word in (*self.editable, *self.protected) or word.endswith(".py")]
        return PurePosixPath((files or list(self.command))[0]).name


Target = NanogptTarget | ScriptTarget

SEED_UNREAD = (
    f"no editable or protected file reads {SEED_VARIABLE}: repeated runs then show only how far the program is not"
    " deterministic, and where it is, nothing can be promoted"
)


def reads_seed(target: ScriptTarget, root: Path) -> bool:
    """Whether the files of a script, or its command, name the variable that holds the assigned seed. Blocks."""
    if any(SEED_VARIABLE in word for word in target.command):
        return True
    for path in (*target.editable, *target.protected):
        try:
            if SEED_VARIABLE.encode() in (root / path).read_bytes():
                return True
        except OSError:
            continue  # what is not there reads nothing
    return False


def script_target(
    *,
    command: tuple[str, ...],
    editable: tuple[str, ...],
    protected: tuple[str, ...],
    metric: str,
    direction: str,
    progress: str,
    budget_seconds: float,
    timeout_seconds: float,
    readable: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> ScriptTarget:
    """A script as a person described it. Raises LabError that names the key, says what is wrong, and what to do.

    Patterns are regular expressions of Python's `re`; an empty `progress` means none.
    """
    if not command or not command[0].strip():
        raise LabError("target.command is empty.", 'Give the words of the command, as in ["python", "train.py"].')
    check_paths("editable", editable)
    check_paths("protected", protected)
    check_apart(editable, protected)
    check_readable(readable)
    if timeout_seconds < budget_seconds:
        raise LabError(
            f"target.timeout_seconds ({timeout_seconds:g}) is less than run.budget_seconds ({budget_seconds:g}):"
            " no run would reach its end.",
            "Leave room for start-up and evaluation, for example twice the budget.",
        )
    return ScriptTarget(
        command=command,
        editable=editable,
        protected=protected,
        metric=_pattern("metric", metric, (1,), "the number, as in '^val_loss: (\\S+)'"),
        direction=Direction(direction),
        progress=_pattern(
            "progress",
            progress,
            (1, 2),
            "per cent done, as in '(\\d+)%', or two, done and total, as in '(\\d+)/(\\d+)'",
        )
        if progress
        else None,
        budget_seconds=budget_seconds,
        timeout_seconds=timeout_seconds,
        readable=readable,
        environment=dict(environment or {}),
    )


def check_readable(paths: tuple[str, ...]) -> None:
    """Raises LabError for a path that is not absolute, or that shows everything."""
    for path in paths:
        pure = PurePosixPath(path)
        if not (pure.is_absolute() or path.startswith("~/")) or ".." in pure.parts or str(pure) in ("/", "~"):
            raise LabError(
                f"target.readable names {path!r}, which is no path from / or ~/ to something in particular.",
                "Name the directory that holds the data, as in '~/.cache/autoresearch'.",
            )


def check_paths(key: str, paths: tuple[str, ...]) -> None:
    """Raises LabError for a path that is not a plain one below the top of the work tree, or that is the lab's own."""
    for path in paths:
        pure = PurePosixPath(path)
        if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or str(pure) != path or path == ".":
            raise LabError(
                f"target.{key} names {path!r}, which is no plain path inside the repository.",
                "Write it as git does, from the top and with slashes, as in 'src/train.py'.",
            )
        if pure.parts[0] in OF_THE_LAB:
            raise LabError(f"target.{key} names {path!r}, which is the lab's own.", "Take it out.")
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise LabError(f"target.{key} names {twice[0]!r} twice.", "Take one out.")


def check_apart(editable: tuple[str, ...], protected: tuple[str, ...]) -> None:
    """Raises LabError for a file that is both editable and protected."""
    both = sorted(set(editable) & set(protected))
    if both:
        raise LabError(
            f"{', '.join(both)} stands in both target.editable and target.protected.",
            "A file may change or must not: take it out of one of the two.",
        )


def _pattern(key: str, text: str, groups: tuple[int, ...], meaning: str) -> re.Pattern[str]:
    if not text:
        raise LabError(f"target.{key} is empty.", f"Give a regular expression with a group for {meaning}.")
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise LabError(
            f"target.{key} is no regular expression: {error} in {text!r}.",
            "Correct it; in TOML, 'single quotes' keep backslashes as they are.",
        ) from error
    if pattern.groups not in groups:
        wanted = " or ".join(("no", "one", "two")[number] for number in groups)
        raise LabError(
            f"target.{key} has {pattern.groups} groups, and {wanted} is wanted: {text!r}.",
            f"Put brackets round {meaning}; write other brackets as '(?:...)'.",
        )
    return pattern
