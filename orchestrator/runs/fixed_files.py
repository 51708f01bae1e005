"""Files that a run must leave alone: the harness's own in the worktree, and what the scorer reads there."""

from __future__ import annotations

from pathlib import Path

from orchestrator.runs.files import clear_the_way, open_plain, read_piece
from orchestrator.runs.provenance import hash_of_files, hash_of_listing
from orchestrator.runs.result import Cut, Outcome
from orchestrator.runs.spec import RunSpec

MOST_BYTES = 16 * 2**20


class FixedFiles:
    """`provenance` is there once they were checked: hashes of the program, the fixed files and the data, as far as the
    run has any.

    Compared before and after training. By content: size and times can be set back by whoever changed a file."""

    def __init__(self, spec: RunSpec) -> None:
        self._tree = Path(spec.worktree)
        self._protected = spec.protected
        self._scripted = spec.scripted
        self._judged = _inside(self._tree, spec.score_command or [])
        self._code = [*self._judged, *(self._tree / path for path in spec.code)]
        self._data = spec.data
        self._before: dict[Path, bytes | None] = {}
        self.provenance: dict[str, str] = {}

    def check_before(self) -> None:
        """Raises Cut when a protected file is not as it must be."""
        self._check_protected("before")
        self.provenance = self._hashes()
        self._before = {path: _content(path) for path in self._judged}

    def _hashes(self) -> dict[str, str]:
        found = {}
        if self._code:
            found["code"] = hash_of_files((str(path.relative_to(self._tree)), path) for path in self._code)
        if self._protected:
            found["fixed"] = hash_of_files((name, Path(original)) for name, original in self._protected.items())
        if (data := hash_of_listing(self._data)) is not None:
            found["data"] = data
        return found

    def check_after(self) -> None:
        """Raises Cut when training changed a protected file, or one that the score depends on."""
        self._check_protected("during")
        for path, before in self._before.items():
            if _content(path) != before:
                raise Cut(Outcome.INVALID, f"{path.relative_to(self._tree)} was changed during the run")
            # A compiled copy beside it would be taken for the file itself.
            clear_the_way(path.parent / "__pycache__")

    def _check_protected(self, when: str) -> None:
        whose = "committed" if self._scripted else "installed"
        for name, original in self._protected.items():
            ours = _content(Path(original))
            if ours is None:
                raise Cut(Outcome.INVALID, f"the {whose} {name} cannot be read")
            if _content(self._tree / name) != ours:
                raise Cut(Outcome.INVALID, f"{name} differs from the {whose} one {when} the run")


def _inside(tree: Path, command: list[str]) -> list[Path]:
    """The words of a command that name a file in a directory."""
    return [path for word in command if (path := Path(word)).is_relative_to(tree) and path != tree]


def _content(path: Path) -> bytes | None:
    """None for what is not there, not a plain file, or larger than MOST_BYTES."""
    try:
        with open_plain(path) as (descriptor, size):
            if size > MOST_BYTES:
                return None
            return read_piece(descriptor, 0, MOST_BYTES)
    except OSError:
        return None
