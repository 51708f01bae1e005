"""The corpus of the standard library: its splits, its fingerprint, and what can go wrong while it is built."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nanogpt import corpora, standard_library
from nanogpt.splits import SPLITS, CorpusError, split_of
from tests.nanogpt.worktree import kept_environment, last_line, prepare


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody watches."""


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A corpus that a test may damage."""
    return Path(shutil.copytree(corpus, tmp_path / "cache/cpu"))


def test_every_document_lies_whole_in_its_split_and_in_no_other(corpus: Path) -> None:
    texts = {split: (corpus / split / "tokens.bin").read_bytes() for split in SPLITS}
    long = [document for document in standard_library.documents() if len(document[1]) > 3000]
    for name, content in long[::12]:
        home = split_of(name, standard_library.HELD_OUT)
        assert [split for split in SPLITS if content in texts[split]] == [home], name


def test_the_splits_have_their_sizes(corpus: Path) -> None:
    sizes = {split: (corpus / split / "tokens.bin").stat().st_size for split in SPLITS}
    assert sizes["train"] > 5 * 2**20
    assert sizes["validation"] > 2**17 < sizes["vault"]  # the scorer's targets
    for split in SPLITS:
        totals = json.loads((corpus / split / "meta.json").read_text())
        assert totals["tokens"] == totals["bytes"] == sizes[split]


def test_a_corpus_that_is_built_again_has_the_same_fingerprint(corpus: Path, tmp_path: Path) -> None:
    again = corpora.prepare("cpu", tmp_path / "other", quiet)
    assert again["fingerprint"] == corpora.check(corpus, "cpu")["fingerprint"]
    assert again["train"] == str(tmp_path / "other/cpu/train")


def test_the_corpus_is_prepared_in_a_process_that_reports_and_does_not_load_torch(tmp_path: Path) -> None:
    code = "import sys; from nanogpt import corpora; corpora.main(); assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code, "--profile", "cpu", "--cache", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0].keys() == {"stage", "done", "total"} and lines[-2]["done"] == lines[-2]["total"]
    assert lines[-1]["ready"] is True and lines[-1]["vocab"] == 256 and lines[-1]["budget_seconds"] == 15


def test_a_flipped_bit_is_found(copy: Path) -> None:
    with (copy / "validation/tokens.bin").open("r+b") as file:
        file.seek(4321)
        byte = file.read(1)[0]
        file.seek(4321)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(CorpusError, match="is damaged"):
        corpora.check(copy, "cpu")


def test_a_missing_split_is_found(copy: Path) -> None:
    shutil.rmtree(copy / "vault")
    done = prepare("--profile", "cpu", "--cache", str(copy.parent))
    assert done.returncode == 1
    assert "is damaged" in last_line(done)["error"] and f"Delete {copy}" in last_line(done)["remedy"]


def test_a_corpus_of_another_format_is_not_called_damaged(copy: Path) -> None:
    (copy / "ready.json").write_text('{"fingerprint": "0", "format": 0}')
    with pytest.raises(CorpusError, match="another version"):
        corpora.check(copy, "cpu")


def test_check_builds_nothing_and_names_the_remedy(tmp_path: Path) -> None:
    done = prepare("--profile", "cpu", "--cache", str(tmp_path / "none"), "--check")
    assert done.returncode == 1 and not (tmp_path / "none").exists()
    assert last_line(done) == {
        "error": f"There is no corpus of profile cpu at {tmp_path / 'none/cpu'}.",
        "remedy": "Build it with `python -m nanogpt.corpora --profile cpu`.",
    }


def test_a_finished_cache_is_only_read(copy: Path) -> None:
    corpora.prepare("cpu", copy.parent, quiet)
    assert [path.name for path in copy.parent.iterdir()] == ["cpu"]


def test_two_that_prepare_at_once_get_the_same_corpus(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nanogpt.corpora", "--profile", "cpu", "--cache", str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    first, second = (json.loads(output.splitlines()[-1]) for output in outputs)
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cpu.lock", "cpu"]


def test_what_a_killed_builder_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".cpu-left/train").mkdir(parents=True)
    (tmp_path / "cpu/train").mkdir(parents=True)
    corpora.prepare("cpu", tmp_path, quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cpu.lock", "cpu"]


def test_a_cache_that_cannot_be_written_gets_a_sentence_and_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = prepare("--profile", "cpu", "--cache", str(tmp_path / "file/cache"))
    assert done.returncode == 1 and done.stderr == ""
    assert "cannot be written at" in last_line(done)["error"] and "Not a directory" in last_line(done)["error"]
    assert "AUTOLAB_CACHE" in last_line(done)["remedy"]


def test_a_write_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    done = subprocess.run(
        [sys.executable, "-m", "nanogpt.corpora", "--profile", "cpu", "--cache", str(tmp_path)],
        capture_output=True,
        text=True,
        preexec_fn=no_large_files,
        check=False,
    )
    assert done.returncode == 1 and "cannot be written at" in last_line(done)["error"]
    assert [path.name for path in tmp_path.iterdir()] == [".cpu.lock"]


def test_the_default_cache_follows_the_environment() -> None:
    with kept_environment():
        os.environ.pop("AUTOLAB_CACHE")
        os.environ["XDG_CACHE_HOME"] = "/some/where"
        assert corpora.cache_directory() == Path("/some/where/autolab")
        os.environ["AUTOLAB_CACHE"] = "/else"
        assert corpora.cache_directory() == Path("/else")
