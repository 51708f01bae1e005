"""Builds and checks the corpora: token files for the splits train, validation and vault, divided by document.

A corpus is a directory `<cache>/<profile>` with `<split>/tokens.bin` (one id a token) and `<split>/meta.json`; for BPE
also `tokenizer.json` and `token_bytes.bin` (the bytes that each id stands for, uint16), and `ready.json` with the
fingerprint. It is built aside and renamed, so it is complete or not there.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from nanogpt.prepare import BUDGET_SECONDS, VOCABULARIES, cache_directory

SPLITS = ("train", "validation", "vault")
FORMAT = 1
BLOCK = 2**20
SAMPLED_BLOCKS = 64

Report = Callable[[str, int, int], None]


class CorpusError(Exception):
    """A sentence for people, and a remedy."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.sentence = sentence
        self.remedy = remedy


def split_of(name: str, held_out: int) -> str:
    """The split of a document by a hash of its name or text: `held_out` in 1000 each for validation and vault."""
    place = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big") % 1000
    if place < held_out:
        return "validation"
    return "vault" if place < 2 * held_out else "train"


# The text of Python's standard library, bytes as tokens


def standard_library() -> Iterator[tuple[str, bytes]]:
    """Relative path and content of every module of the running Python's standard library, tests left out."""
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"}
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if not skipped.intersection(relative.parts):
            with contextlib.suppress(OSError):
                yield relative.as_posix(), path.read_bytes()


def build_cpu(into: Path, report: Report) -> None:
    documents = list(standard_library())
    if sum(len(content) for _, content in documents) < 2 * BLOCK:
        raise CorpusError(
            "This Python came without the source text of its standard library.",
            "Use a Python that was installed with it (python.org, uv, pyenv, or your distribution's full package).",
        )
    # Neighbours in a directory resemble each other: a fixed shuffle spreads them.
    documents.sort(key=lambda document: hashlib.sha256(document[0].encode()).digest())
    with contextlib.ExitStack() as files:
        outputs = {split: files.enter_context(_token_file(into / split)) for split in SPLITS}
        for number, (name, content) in enumerate(documents, start=1):
            outputs[split_of(name, 50)](np.frombuffer(content + b"\n\n", dtype=np.uint8), len(content) + 2)
            if number % 100 == 0 or number == len(documents):
                report("reading Python's standard library", number, len(documents))


@contextlib.contextmanager
def _token_file(directory: Path) -> Iterator[Callable[[np.ndarray, int], None]]:
    """A split being written: call it with a document's ids and its length in bytes."""
    directory.mkdir(parents=True)
    totals = {"documents": 0, "tokens": 0, "bytes": 0}
    with (directory / "tokens.bin").open("wb") as file:

        def write(ids: np.ndarray, length: int) -> None:
            file.write(ids.tobytes())
            totals["documents"] += 1
            totals["tokens"] += len(ids)
            totals["bytes"] += length

        yield write
        file.flush()
        os.fsync(file.fileno())
    (directory / "meta.json").write_text(json.dumps(totals))


# climbmix from the Hub, a BPE of 8192

HUB_DATASET = "karpathy/climbmix-400b-shuffle"
SHARDS = 10
TOKENIZER_SAMPLE_CHARACTERS = 200_000_000
END_OF_DOCUMENT = "<|end|>"


def fetch_shards(into: Path, report: Report, count: int = SHARDS) -> list[Path]:
    """Download the first shards, resumed where an earlier try broke off, each checked against the Hub's SHA-256."""
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "30")
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "15")
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # plain ranges resume after a broken line
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import HfApi, hf_hub_download

    try:
        listing = HfApi().dataset_info(HUB_DATASET, files_metadata=True, timeout=30)
        files = sorted(
            (f for f in listing.siblings or [] if f.rfilename.endswith(".parquet")), key=lambda f: f.rfilename
        )
        wanted = files[:count]
        if not wanted:
            raise CorpusError(f"The dataset {HUB_DATASET} has no parquet files.", "Check HF_ENDPOINT.")
        _check_space(into, 3 * sum(file.size or 0 for file in wanted))
        shards = []
        for number, file in enumerate(wanted):
            report(f"downloading {file.rfilename}", number, len(wanted))
            path = Path(
                hf_hub_download(HUB_DATASET, file.rfilename, repo_type="dataset", revision=listing.sha, local_dir=into)
            )
            expected = file.lfs.sha256 if file.lfs is not None else None
            if expected is not None and _sha256(path) != expected:
                path.unlink()
                raise CorpusError(f"The download of {file.rfilename} is damaged.", "Try again; it is fetched anew.")
            shards.append(path)
        report("downloading", len(wanted), len(wanted))
        return shards
    except CorpusError:
        raise
    except Exception as error:  # the client raises many kinds; each means that the Hub could not be had
        raise CorpusError(
            f"The training data could not be downloaded from the Hub ({type(error).__name__}: {_first_line(error)}).",
            "Check the network (HF_ENDPOINT, HF_TOKEN) and try again: finished parts are kept. Without a network use"
            " `--profile cpu`.",
        ) from error


def documents_of(shards: Iterable[Path]) -> Iterator[str]:
    """The `text` column of parquet shards, document by document."""
    import pyarrow.parquet as parquet

    for shard in shards:
        with parquet.ParquetFile(shard) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, columns=["text"]).column("text").to_pylist()


def build_gpu(into: Path, report: Report, shards: list[Path], vocabulary: int = VOCABULARIES["gpu"]) -> None:
    """Train the BPE on the train split's documents and write every document's ids, once."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    report("training the tokenizer", 0, 1)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[END_OF_DOCUMENT], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_sample(shards), trainer)
    tokenizer.save(str(into / "tokenizer.json"))
    _token_bytes(tokenizer, vocabulary).tofile(into / "token_bytes.bin")
    end = tokenizer.token_to_id(END_OF_DOCUMENT)
    with contextlib.ExitStack() as files:
        outputs = {split: files.enter_context(_token_file(into / split)) for split in SPLITS}
        for number, shard in enumerate(shards):
            report("tokenising", number, len(shards))
            for texts in _chunks(documents_of([shard]), 1000):
                for text, encoded in zip(texts, tokenizer.encode_batch(texts), strict=True):
                    ids = np.asarray([end, *encoded.ids], dtype=np.uint16)
                    outputs[split_of(text, 5)](ids, len(text.encode()))
        report("tokenising", len(shards), len(shards))


def _sample(shards: Iterable[Path]) -> Iterator[str]:
    """Documents of the train split, up to the sample's size: the tokenizer must not learn from held-out text."""
    left = TOKENIZER_SAMPLE_CHARACTERS
    for text in documents_of(shards):
        if split_of(text, 5) == "train":
            yield text
            left -= len(text)
            if left <= 0:
                return


def _token_bytes(tokenizer: object, vocabulary: int) -> np.ndarray:
    """How many bytes of text each id stands for; 0 for the end of a document. Each byte is one character here."""
    lengths = np.zeros(vocabulary, dtype=np.uint16)
    for token, number in tokenizer.get_vocab().items():  # type: ignore[attr-defined]
        lengths[number] = 0 if token == END_OF_DOCUMENT else len(token)
    return lengths


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# Building, checking


def _check_space(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise CorpusError(
            f"{needed / 2**30:.1f} GiB are needed at {directory}, {free / 2**30:.1f} GiB are free.",
            "Free some disk space, or set AUTOLAB_CACHE to a directory on a larger disk.",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def fingerprint(corpus: Path) -> str:
    """Of every file's name, size and content; of very large files 64 blocks of 1 MiB, evenly spread."""
    digest = hashlib.sha256(f"format {FORMAT}".encode())
    for path in sorted(corpus.rglob("*.bin")) + sorted(corpus.glob("tokenizer.json")):
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


def check(corpus: Path, profile: str) -> dict[str, object]:
    """The last line that `prepare` prints. Raises CorpusError when the corpus is not there or damaged."""
    remedy = f"Build it with `python -m nanogpt.prepare --profile {profile}`."
    try:
        known = json.loads((corpus / "ready.json").read_text())["fingerprint"]
        found = fingerprint(corpus)
    except FileNotFoundError:
        raise CorpusError(f"There is no corpus of profile {profile} at {corpus}.", remedy) from None
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"The corpus at {corpus} cannot be read ({error}).", f"Delete {corpus}. {remedy}") from error
    if found != known:
        raise CorpusError(f"The corpus at {corpus} is damaged.", f"Delete {corpus}. {remedy}")
    return {
        "ready": True,
        "profile": profile,
        "fingerprint": found,
        **{split: str(corpus / split) for split in SPLITS},
        "vocab": VOCABULARIES[profile],
        "budget_seconds": BUDGET_SECONDS[profile],
    }


def prepare(profile: str, cache: Path, report: Report, shards: Path | None = None) -> dict[str, object]:
    """Build the corpus unless it is there; safe when two processes do so at once. Raises CorpusError."""
    corpus = cache / profile
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f".{profile}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (corpus / "ready.json").exists():
                _build(profile, corpus, report, shards)
    except OSError as error:
        raise CorpusError(
            f"The corpus cannot be written at {cache} ({error.strerror or error}).",
            "Free some disk space there, or set AUTOLAB_CACHE to a directory that you can write to.",
        ) from error
    return check(corpus, profile)


def _build(profile: str, corpus: Path, report: Report, local: Path | None) -> None:
    _check_space(corpus.parent, 64 * 2**20)
    aside = Path(tempfile.mkdtemp(prefix=f".{profile}-", dir=corpus.parent))
    try:
        if profile == "cpu":
            build_cpu(aside, report)
        else:
            downloads = corpus.parent / "downloads"
            downloads.mkdir(exist_ok=True)
            found = sorted(local.glob("*.parquet")) if local is not None else fetch_shards(downloads, report)
            if not found:
                raise CorpusError(f"There is no parquet file in {local}.", "Name the directory with the shards.")
            build_gpu(aside, report, found)
        (aside / "ready.json").write_text(json.dumps({"fingerprint": fingerprint(aside), "format": FORMAT}))
        aside.chmod(0o755)
        if corpus.exists():
            shutil.rmtree(corpus)
        os.rename(aside, corpus)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m nanogpt.prepare", description="Build or check a corpus.")
    parser.add_argument("--profile", choices=sorted(VOCABULARIES), required=True)
    parser.add_argument("--cache", type=Path, default=cache_directory())
    parser.add_argument("--check", action="store_true", help="build nothing, only verify")
    parser.add_argument("--shards", type=Path, help="parquet shards with a `text` column, instead of a download")
    words = parser.parse_args(arguments)

    def report(stage: str, done: int, total: int) -> None:
        print(json.dumps({"stage": stage, "done": done, "total": total}), flush=True)

    try:
        if words.check:
            ready = check(words.cache / words.profile, words.profile)
        else:
            ready = prepare(words.profile, words.cache, report, words.shards)
    except CorpusError as error:
        print(json.dumps({"error": error.sentence, "remedy": error.remedy}), flush=True)
        return 1
    print(json.dumps(ready), flush=True)
    return 0
