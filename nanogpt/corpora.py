"""Prepares and checks the corpora, for `python -m nanogpt.corpora`.

A corpus is a directory `<cache>/<profile>` with `<split>/tokens.bin` (one id a token) for the splits train, validation
and vault, for BPE also `<split>/token_bytes.bin` (how many bytes each id stands for) and `tokenizer.json`; `ready.json`
holds the fingerprint. It is built aside and renamed, so it is complete or not there.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nanogpt.prepare import BUDGET_SECONDS, VOCABULARIES, cache_directory
from nanogpt.splits import SPLITS, CorpusError, Report, check_space

FORMAT = 1
BLOCK = 2**20
SAMPLED_BLOCKS = 64
LEAST_FREE = 64 * 2**20


def prepare(profile: str, cache: Path, report: Report, shards: Path | None = None) -> dict[str, object]:
    """Build the corpus unless it is there; safe when two processes do so at once. Raises CorpusError."""
    corpus = cache / profile
    if (corpus / "ready.json").exists():  # first of all: a finished cache may be read-only
        return check(corpus, profile)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / f".{profile}.lock", report):
            if not (corpus / "ready.json").exists():
                _build(profile, corpus, report, shards)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise CorpusError(
            f"The corpus cannot be written at {cache} ({error.strerror or error}).",
            "Free some disk space there." if full else "Set AUTOLAB_CACHE to a directory that you can write to.",
        ) from error
    return check(corpus, profile)


def check(corpus: Path, profile: str) -> dict[str, object]:
    """The last line that `prepare` prints. Raises CorpusError when the corpus is not there or damaged."""
    build = f"build it with `python -m nanogpt.corpora --profile {profile}`."
    anew = f"Delete {corpus}, then {build}"
    try:
        ready = json.loads((corpus / "ready.json").read_text())
        if ready["format"] != FORMAT:
            raise CorpusError(f"The corpus at {corpus} was built by another version of Autolab.", anew)
        found = fingerprint(corpus)
    except FileNotFoundError:
        sentence = f"There is no corpus of profile {profile} at {corpus}."
        raise CorpusError(sentence, build[0].upper() + build[1:]) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"The corpus at {corpus} cannot be read ({error}).", anew) from error
    if found != ready["fingerprint"]:
        raise CorpusError(f"The corpus at {corpus} is damaged: its content is not what was built.", anew)
    return {
        "ready": True,
        "profile": profile,
        "fingerprint": found,
        **{split: str(corpus / split) for split in SPLITS},
        "vocab": VOCABULARIES[profile],
        "budget_seconds": BUDGET_SECONDS[profile],
    }


def fingerprint(corpus: Path) -> str:
    """Of the format and every file's name, size and content; of very large files 64 blocks of 1 MiB, evenly spread."""
    digest = hashlib.sha256(f"format {FORMAT}".encode())
    for path in sorted([*corpus.rglob("*.bin"), *corpus.glob("tokenizer.json")]):
        size = path.stat().st_size
        digest.update(f"\0{path.relative_to(corpus).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= SAMPLED_BLOCKS * BLOCK:
                digest.update(file.read())
            else:
                for number in range(SAMPLED_BLOCKS):
                    file.seek((size - BLOCK) * number // (SAMPLED_BLOCKS - 1))
                    digest.update(file.read(BLOCK))
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(lock: Path, report: Report) -> Iterator[None]:
    """One builder at a time; whoever comes second waits and finds the corpus ready. Raises OSError."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another process that prepares the same corpus", 0, 1)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(profile: str, corpus: Path, report: Report, local: Path | None) -> None:
    """Build aside, then rename. Only under the lock."""
    for left in corpus.parent.glob(f".{profile}-*"):  # of a process that was killed in the middle
        shutil.rmtree(left, ignore_errors=True)
    check_space(corpus.parent, LEAST_FREE)
    aside = Path(tempfile.mkdtemp(prefix=f".{profile}-", dir=corpus.parent))
    downloads = corpus.parent / "downloads"
    try:
        if profile == "cpu":
            from nanogpt import standard_library

            standard_library.build(aside, report)
        else:
            from nanogpt import climbmix

            found = _local_shards(local) if local is not None else _download(downloads, report)
            climbmix.build(aside, report, found, VOCABULARIES[profile])
        (aside / "ready.json").write_text(json.dumps({"fingerprint": fingerprint(aside), "format": FORMAT}))
        aside.chmod(0o755)
        if corpus.exists():
            shutil.rmtree(corpus)
        os.rename(aside, corpus)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if profile == "gpu":  # everything that is needed is in the corpus now
        shutil.rmtree(downloads, ignore_errors=True)


def _download(into: Path, report: Report) -> list[Path]:
    from nanogpt import climbmix, hub

    into.mkdir(exist_ok=True)
    return hub.fetch(climbmix.DATASET, into, climbmix.SHARDS, report)


def _local_shards(directory: Path) -> list[Path]:
    found = sorted(directory.glob("*.parquet"))
    if not found:
        raise CorpusError(f"There is no parquet file in {directory}.", "Name the directory with the shards.")
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m nanogpt.corpora", description="Build or check a corpus.")
    parser.add_argument("--profile", choices=sorted(VOCABULARIES), required=True)
    parser.add_argument("--cache", type=Path, default=cache_directory())
    parser.add_argument("--check", action="store_true", help="build nothing, only verify")
    parser.add_argument("--shards", type=Path, help="parquet shards with a `text` column, instead of a download")
    words = parser.parse_args(arguments)

    def report(stage: str, done: int, total: int) -> None:
        print(json.dumps({"stage": stage, "done": done, "total": total}), flush=True)

    cache = words.cache.absolute()
    try:
        if words.check:
            ready = check(cache / words.profile, words.profile)
        else:
            ready = prepare(words.profile, cache, report, words.shards)
    except CorpusError as error:
        print(json.dumps({"error": error.sentence, "remedy": error.remedy}), flush=True)
        return 1
    print(json.dumps(ready), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
