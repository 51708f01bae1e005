"""Git as the lab uses it: real repositories, real conflicts, real people's edits."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.branches import Conflict, NotMeasuredAsItStands, PatchDoesNotApply, Repository
from orchestrator.branches.merging import merge_lines
from orchestrator.branches.naming import commit_message, slug, trailer
from orchestrator.branches.refs import Heads
from orchestrator.errors import LabError

MASTER = "refs/heads/master"
TRAIN = "".join(f"line {number}\n" for number in range(1, 31)).encode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root = tmp_path / "mein Läb"
    root.mkdir()
    return Repository.create(root, {"train.py": TRAIN, "prepare.py": b"fixed\n"}, "Start", [".autolab/"])


def tree_of(repository: Repository) -> Path:
    return repository.path / ".autolab" / "worktrees" / "w"


def experiment(repository: Repository, number: int, line: int | str, base: str | None = None) -> str:
    """An experiment that changes one line, committed on its branch; returns the commit."""
    base = base or repository.head()
    tree = tree_of(repository)
    repository.checkout_commit(tree, base)
    file = tree / "train.py"
    file.write_text(file.read_text().replace(f"line {line}\n", f"line {line} by {number}\n"))
    trailers = {"Experiment": str(number), "Parent": base, "Team": "t", "Role-Model": "m"}
    commit = repository.commit(tree, f"Change line {line}", "Because.\n\nParent: not a trailer", trailers, "worker-1")
    repository.set_branch(repository.branch_name(number, 1, f"Change line {line}"), commit)
    return commit


def promote(repository: Repository, commit: str) -> str:
    master = repository.head()
    merged = repository.merge(master, commit, "Promote\n")
    assert repository.advance(MASTER, merged, master)
    return merged


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, text=True).stdout


def test_a_commit_carries_its_trailers_whatever_its_body_says(repository: Repository) -> None:
    commit = experiment(repository, 7, 3)
    message = repository.message(commit)
    assert trailer(message, "Experiment") == "7"
    assert trailer(message, "Parent") == repository.head()
    shown = git(repository.path, "log", "-1", "--format=%(trailers:key=Experiment,valueonly)", commit)
    assert shown.strip() == "7"


def test_master_takes_the_very_tree_that_was_measured(repository: Repository) -> None:
    commit = experiment(repository, 1, 3)
    merged = promote(repository, commit)
    assert repository.tree(merged) == repository.tree(commit)
    assert len(repository.parents(merged)) == 2
    assert repository.update_checkout().updated
    assert "line 3 by 1" in (repository.path / "train.py").read_text()
    assert git(repository.path, "status", "--porcelain") == ""


def test_what_was_measured_on_an_older_master_is_not_merged(repository: Repository) -> None:
    first, second = experiment(repository, 1, 3), experiment(repository, 2, 20)
    promote(repository, first)
    with pytest.raises(NotMeasuredAsItStands):
        repository.merge(repository.head(), second, "no")


def test_a_rebase_brings_the_change_onto_master_and_keeps_the_old_commit(repository: Repository) -> None:
    first, second = experiment(repository, 1, 3), experiment(repository, 2, 20)
    master = promote(repository, first)
    rebased = repository.rebase(second, master)
    assert isinstance(rebased, str)
    assert repository.parents(rebased) == [master]
    text = repository.show_file(rebased, "train.py").decode()
    assert "line 3 by 1" in text and "line 20 by 2" in text
    assert trailer(repository.message(rebased), "Parent") == master
    repository.set_branch("exp/2-change-line-20", rebased)
    assert repository.head(f"refs/autolab/kept/{second}") == second


def test_changes_of_neighbouring_lines_are_no_conflict(repository: Repository) -> None:
    first, second = experiment(repository, 1, 3), experiment(repository, 2, 4)
    master = promote(repository, first)
    rebased = repository.rebase(second, master)
    assert isinstance(rebased, str)
    text = repository.show_file(rebased, "train.py").decode()
    assert "line 2\nline 3 by 1\nline 4 by 2\nline 5\n" in text
    assert repository.diff(master, rebased).count("\n+line") == 1


def test_a_diff_against_an_earlier_master_applies_where_its_lines_are_untouched(repository: Repository) -> None:
    stale = repository.diff(repository.head(), experiment(repository, 2, 4))
    promote(repository, experiment(repository, 1, 3))
    tree = tree_of(repository)
    repository.checkout_commit(tree, repository.head())
    repository.apply_patch(tree, stale, ["train.py"])
    assert "line 2\nline 3 by 1\nline 4 by 2\nline 5\n" in (tree / "train.py").read_text()
    repository.checkout_commit(tree, promote(repository, experiment(repository, 3, 4)))
    with pytest.raises(PatchDoesNotApply, match="does not apply to master"):
        repository.apply_patch(tree, stale, ["train.py"])
    assert "by 2" not in (tree / "train.py").read_text()
    with pytest.raises(PatchDoesNotApply, match="does not apply to master"):
        repository.apply_patch(tree, stale.replace("index ", "index f00"), ["train.py"])


BASE = [b"one\n", b"two\n", b"three\n", b"four\n"]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("one TWO three four", "one two THREE four", "one TWO THREE four"),
        ("one TWO three four", "one TWO three four", "one TWO three four"),
        ("one TWO three four", "one 2 three four", None),
        ("one two new three four", "one two THREE four", "one two new THREE four"),
        ("one two new three four", "one TWO three four", "one TWO new three four"),
        ("one two new three four", "one two other three four", None),
        ("one two new three four", "one two new three four", "one two new three four"),
        ("one four", "one TWO three four", None),
        ("one four", "one two three FOUR", "one FOUR"),
        ("one two three", "one two three four five", "one two three five"),
        ("", "one two three four five", "five"),
    ],
)
def test_both_changes_are_kept_where_no_line_is_changed_by_both(ours: str, theirs: str, expected: str | None) -> None:
    def lines(words: str) -> list[bytes]:
        return [f"{word}\n".encode() for word in words.split()]

    wanted = None if expected is None else lines(expected)
    assert merge_lines(BASE, lines(ours), lines(theirs)) == wanted
    assert merge_lines(BASE, lines(theirs), lines(ours)) == wanted


def test_a_conflict_is_told_with_its_files(repository: Repository) -> None:
    first, second = experiment(repository, 1, 3), experiment(repository, 2, 3)
    assert repository.rebase(second, promote(repository, first)) == Conflict(("train.py",))


def test_master_moves_by_compare_and_swap_for_one_of_many(repository: Repository) -> None:
    start = repository.head()
    commits = [experiment(repository, number, number) for number in range(1, 9)]
    merges = [repository.merge(start, commit, "Promote\n") for commit in commits]
    with ThreadPoolExecutor(8) as pool:
        moved = list(pool.map(lambda merged: repository.advance(MASTER, merged, start), merges))
    assert moved.count(True) == 1
    assert repository.head() == merges[moved.index(True)]


def test_eight_threads_make_and_drop_worktrees_at_once(repository: Repository) -> None:
    start = repository.head()

    def work(number: int) -> str:
        tree = repository.path / ".autolab" / "worktrees" / f"w{number}"
        repository.checkout_commit(tree, start)
        text = (tree / "train.py").read_text()
        repository.remove_worktree(tree)
        return text

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(16))) == {TRAIN.decode()}
    assert git(repository.path, "worktree", "list").count("\n") == 1


def test_a_persons_uncommitted_edits_are_never_touched(repository: Repository) -> None:
    file = repository.path / "train.py"
    file.write_text(file.read_text() + "my idea\n")
    promote(repository, experiment(repository, 1, 3))
    update = repository.update_checkout()
    assert not update.updated and "train.py" in update.sentence
    assert file.read_text().endswith("my idea\n") and "line 3 by 1" not in file.read_text()
    file.write_text(file.read_text().removesuffix("my idea\n"))
    assert repository.update_checkout().updated
    assert "line 3 by 1" in file.read_text()


def test_an_edit_of_another_file_stays_and_does_not_hold_the_checkout_back(repository: Repository) -> None:
    (repository.path / "prepare.py").write_text("my settings\n")
    promote(repository, experiment(repository, 1, 3))
    assert repository.update_checkout().updated
    assert (repository.path / "prepare.py").read_text() == "my settings\n"
    assert git(repository.path, "status", "--porcelain") == " M prepare.py\n"


def test_a_checkout_on_another_branch_is_left_alone(repository: Repository) -> None:
    git(repository.path, "switch", "-q", "-c", "mine")
    promote(repository, experiment(repository, 1, 3))
    update = repository.update_checkout()
    assert not update.updated and "mine" in update.sentence


def test_a_kill_between_moving_master_and_the_checkout_is_understood(repository: Repository) -> None:
    promote(repository, experiment(repository, 1, 3))  # the checkout was not updated: killed here
    promote(repository, experiment(repository, 2, 20))
    assert Repository.open(repository.path).update_checkout().updated
    assert git(repository.path, "status", "--porcelain") == ""


def test_a_foreign_branch_of_the_same_name_is_left_alone(repository: Repository) -> None:
    git(repository.path, "branch", "exp/1-change-line-3")
    before = repository.head("refs/heads/exp/1-change-line-3")
    commit = experiment(repository, 1, 3)
    assert repository.head("refs/heads/exp/1-change-line-3") == before
    assert repository.set_branch("exp/1-change-line-3", commit) == "exp/1-change-line-3-2"


def test_locks_that_a_crash_left_are_removed_and_told_but_fresh_ones_stay(repository: Repository) -> None:
    old, fresh = repository.path / ".git" / "index.lock", repository.path / ".git" / "HEAD.lock"
    old.touch()
    os.utime(old, (1, 1))
    fresh.touch()
    told = repository.prune()
    assert not old.exists() and fresh.exists()
    assert any("index.lock" in sentence for sentence in told)


def test_worktrees_that_a_crash_left_are_cleared_away(repository: Repository) -> None:
    tree = tree_of(repository)
    repository.checkout_commit(tree, repository.head())
    kept = tree.with_name("kept")
    repository.checkout_commit(kept, repository.head())
    repository.prune([kept], tree.parent)
    assert not tree.exists() and kept.exists()
    repository.checkout_commit(tree, repository.head())


def test_a_diff_is_applied_or_refused_with_the_place(repository: Repository) -> None:
    tree = tree_of(repository)
    diff = repository.diff(repository.head(), experiment(repository, 1, 3))
    repository.checkout_commit(tree, repository.head())
    repository.apply_patch(tree, diff, ["train.py"])
    assert "line 3 by 1" in (tree / "train.py").read_text()
    for bad, word in (
        (diff, "does not apply"),
        (diff.replace("train.py", "prepare.py"), "touches prepare.py"),
        (diff.replace("train.py", "../../../etc/passwd"), "passwd"),
        ("hello", "not a unified diff"),
        ("", "not a unified diff"),
    ):
        with pytest.raises(PatchDoesNotApply, match=word):
            repository.apply_patch(tree, bad, ["train.py"])


def test_a_persons_hooks_and_settings_do_not_interfere(repository: Repository) -> None:
    hook = repository.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\nexit 1\n")
    hook.chmod(0o755)
    git(repository.path, "config", "commit.gpgSign", "true")
    git(repository.path, "config", "core.autocrlf", "true")
    commit = experiment(repository, 1, 3)
    assert not list(repository.path.rglob("ran"))
    assert b"\r" not in repository.show_file(commit, "train.py")


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not a git repository"):
        Repository.open(tmp_path)


def test_names_are_plain_whatever_the_title() -> None:
    assert slug("Méthode d'Adam: pas doublé") == "methode-d-adam-pas-double"
    assert slug("Größe: β2 = 0.95, λ und ø") == "grosse-beta2-0-95-lambda-und-o"
    assert slug("☃") == "patch"
    assert len(slug("word " * 40)) <= 40
    assert Repository.branch_name(12, 1, "Muon optimizer") == "exp/12-muon-optimizer"
    assert Repository.branch_name(12, 2, "Muon optimizer") == "exp/12.2-muon-optimizer"


def test_a_message_ends_with_its_trailers() -> None:
    message = commit_message("T", "Experiment: 9\n# comment\n", {"Experiment": "1"})
    assert trailer(message, "Experiment") == "1"


def test_one_win_is_taken_out_and_the_later_ones_stay(repository: Repository) -> None:
    first = promote(repository, experiment(repository, 1, 3))
    promote(repository, experiment(repository, 2, 12))
    diff = repository.without(first, repository.head())
    assert isinstance(diff, str)
    tree = tree_of(repository)
    repository.checkout_commit(tree, repository.head())
    repository.apply_patch(tree, diff, ["train.py"])
    left = (tree / "train.py").read_text()
    assert "line 3\n" in left and "by 1" not in left and "line 12 by 2\n" in left


def test_a_win_that_a_later_one_builds_on_cannot_be_taken_out_by_itself(repository: Repository) -> None:
    first = promote(repository, experiment(repository, 1, 3))
    promote(repository, experiment(repository, 2, "3 by 1"))
    assert isinstance(repository.without(first, repository.head()), Conflict)


def test_a_ref_is_asked_of_git_only_after_it_has_moved_been_packed_or_gone(repository: Repository) -> None:
    asked: list[str] = []

    def ask(ref: str) -> str | None:
        asked.append(ref)
        return repository.head(ref) if repository.exists(ref) else None

    heads, start = Heads(repository.path, ask), repository.head()
    assert [heads.of(MASTER) for _ in range(3)] == [start] * 3 and len(asked) == 1
    moved = promote(repository, experiment(repository, 1, 3))
    assert [heads.of(MASTER), heads.of(MASTER)] == [moved] * 2 and len(asked) == 2
    git(repository.path, "pack-refs", "--all")
    assert [heads.of(MASTER), heads.of(MASTER)] == [moved] * 2 and len(asked) == 3
    git(repository.path, "update-ref", MASTER, start)
    assert heads.of(MASTER) == start and len(asked) == 4
    git(repository.path, "branch", "other", moved)
    assert heads.of("refs/heads/other") == moved
    git(repository.path, "branch", "-D", "other")
    assert [heads.of("refs/heads/other"), heads.of("refs/heads/other")] == [None, None]
    assert repository.seen_head(MASTER) == start and repository.seen_head("refs/heads/none") is None
