"""Commands that a sentence names, as the person would have to type them: with the lab, where it is not the default."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

from orchestrator.actions import BY_VERB
from orchestrator.errors import LabError
from orchestrator.lab import Lab, find_lab

_COMMAND = re.compile(r"`(autolab(?:-tui)?)((?: [^`]*)?)`")
_GIT = re.compile(r"`git (?=(?:branch|checkout|status)\b)")
_WITH_LAB_LAST = BY_VERB.keys() - {"init"}


def lab_word(lab: Lab) -> str:
    """What names the lab on a command line from here, quoted for the shell; empty for the default one."""
    with contextlib.suppress(LabError):
        if find_lab(None).root == lab.root:
            return ""
    return _path(lab)


def _path(lab: Lab) -> str:
    """Where the lab is, seen from here, quoted for the shell."""
    here = Path.cwd()
    return shlex.quote(str(lab.root.relative_to(here) if lab.root.is_relative_to(here) else lab.root))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # an apostrophe in what is no command line
        return command.split()


def _names_lab(words: list[str]) -> bool:
    return "LAB" in words or any(Path(word).is_absolute() and Lab(Path(word)).exists for word in words)


def for_lab(text: str, lab: Lab) -> str:
    """The text with this lab behind every command in backquotes that takes one and names none: neither LAB, nor a lab
    by its whole path, which may be another. What git does is done in the lab's directory."""
    word = lab_word(lab)
    if Path.cwd() != lab.root:
        text = _GIT.sub(lambda git: f"{git.group()}-C {_path(lab)} ", text)

    def named(command: re.Match[str]) -> str:
        program, rest = command.groups()
        words = _words(rest)
        takes_lab = program == "autolab-tui" or (bool(words) and words[0] in _WITH_LAB_LAST)
        if not takes_lab or "--help" in words or _names_lab(words) or rest.endswith(f" {word}"):
            return command.group()
        return f"`{program}{rest} {word}`"

    return _COMMAND.sub(named, text) if word else text
