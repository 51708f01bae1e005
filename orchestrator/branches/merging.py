"""Two changes put together without a checkout. Changes of neighbouring lines are no conflict here, as they are to git.

Patches to a training script change lines that stand side by side, one constant below the other: git would ask a person
each time. Where every line of the base is changed by one side alone, both changes are kept.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from orchestrator.branches.command import GitFailed, run_git, run_git_bytes

BASE, OURS, THEIRS = "1", "2", "3"
"""Git's stages of a path that it could not merge."""

_INDEX = re.compile(r"^diff --git a/(\S+) b/\1\nindex ([0-9a-f]{7,64})\.\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Files in which both sides change the same lines."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines [begin, end) of the base that become `lines`; an insertion where `begin` is `end`."""

    begin: int
    end: int
    lines: tuple[bytes, ...]


def merged_tree(repository: Path, ours: str, theirs: str) -> str | Conflict:
    """The tree of two commits put together. Raises GitFailed."""
    words = ("merge-tree", "--write-tree", "--no-messages", ours, theirs)
    tree, *unmerged = run_git(repository, *words, accept=(0, 1)).splitlines()
    stages: dict[str, dict[str, tuple[str, str]]] = {}  # by path and stage: mode, blob
    for line in unmerged:
        facts, _, path = line.partition("\t")
        mode, blob, stage = facts.split()
        stages.setdefault(path, {})[stage] = mode, blob
    solved: dict[str, str] = {}
    for path, sides in stages.items():
        both = _solved(repository, sides)
        if both is None:
            return Conflict(tuple(stages))
        solved[path] = f"{sides[OURS][0]},{both},{path}"
    return tree if not solved else _with(repository, tree, list(solved.values()))


def _solved(repository: Path, sides: dict[str, tuple[str, str]]) -> str | None:
    """The blob with both changes; None where a side has no such file, or both change the same lines."""
    if set(sides) != {BASE, OURS, THEIRS} or len({mode for mode, _ in sides.values()}) != 1:
        return None
    base, ours, theirs = (
        run_git_bytes(repository, "cat-file", "blob", sides[stage][1], strip=False).splitlines(keepends=True)
        for stage in (BASE, OURS, THEIRS)
    )
    merged = merge_lines(base, ours, theirs)
    return None if merged is None else run_git(repository, "hash-object", "-w", "--stdin", stdin=b"".join(merged))


def _with(repository: Path, tree: str, entries: Sequence[str]) -> str:
    """The tree with these entries (mode,blob,path) in the place of its own."""
    with tempfile.TemporaryDirectory() as place:
        env = {"GIT_INDEX_FILE": str(Path(place) / "index")}
        run_git(repository, "read-tree", tree, env=env)
        for entry in entries:
            run_git(repository, "update-index", "--cacheinfo", entry, env=env)
        return run_git(repository, "write-tree", env=env)


def merge_lines(base: Sequence[bytes], ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[bytes] | None:
    """Both changes of a base; None where they touch the same line, or put something into the same place."""
    edits = sorted({*_edits(base, ours), *_edits(base, theirs)}, key=lambda edit: (edit.begin, edit.end))
    merged: list[bytes] = []
    at, last = 0, None
    for edit in edits:
        if last is not None and (edit.begin < last.end or (edit.begin, edit.end) == (last.begin, last.end)):
            return None
        merged += [*base[at : edit.begin], *edit.lines]
        at, last = edit.end, edit
    return [*merged, *base[at:]]


def _edits(base: Sequence[bytes], changed: Sequence[bytes]) -> Iterator[_Edit]:
    """Line by line where as many lines stand for as many: then each is a change of its own."""
    for kind, begin, end, first, last in SequenceMatcher(None, base, changed, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if end - begin == last - first:
            yield from (_Edit(begin + i, begin + i + 1, (changed[first + i],)) for i in range(end - begin))
        else:
            yield _Edit(begin, end, tuple(changed[first:last]))


def apply_as_made(worktree: Path, diff: bytes, paths: Collection[str]) -> bool:
    """Apply a diff of these files to what it was made from, where git knows that by its `index` lines, and bring the
    change into the work tree; false, with nothing changed, where that cannot be done."""
    made_from = dict(_INDEX.findall(diff.decode("utf-8", errors="replace")))
    if set(made_from) != set(paths):
        return False
    merged: dict[str, list[bytes]] = {}
    with tempfile.TemporaryDirectory() as place:
        env = {"GIT_INDEX_FILE": str(Path(place) / "index")}
        try:
            for path, blob in made_from.items():
                run_git(
                    worktree, "update-index", "--add", "--cacheinfo", f"100644,{_whole(worktree, blob)},{path}", env=env
                )
            run_git(worktree, "apply", "--cached", "--whitespace=nowarn", "-", stdin=diff, env=env)
            for path, blob in made_from.items():
                base, theirs = (
                    run_git_bytes(worktree, "cat-file", "blob", name, env=env, strip=False).splitlines(keepends=True)
                    for name in (blob, f":{path}")
                )
                present = (worktree / path).read_bytes().splitlines(keepends=True)
                both = merge_lines(base, present, theirs)
                if both is None or both == present:  # it is there already
                    return False
                merged[path] = both
        except (GitFailed, OSError):
            return False
    for path, lines in merged.items():
        (worktree / path).write_bytes(b"".join(lines))
    return bool(merged)


def _whole(worktree: Path, blob: str) -> str:
    """The full name of a blob. Raises GitFailed."""
    return run_git(worktree, "rev-parse", "--verify", "--quiet", f"{blob}^{{blob}}")
