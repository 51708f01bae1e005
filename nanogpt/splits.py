"""What both corpora share: the three splits, which document belongs to which, and how a split is written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

SPLITS = ("train", "validation", "vault")

Report = Callable[[str, int, int], None]
"""Called with what is being done, in words for people, and how much of how much."""

Write = Callable[[npt.NDArray[np.unsignedinteger], int], None]
"""Called with a document's token ids and its length in bytes."""


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


@contextlib.contextmanager
def writing(corpus: Path) -> Iterator[dict[str, Write]]:
    """The three splits being written, each `tokens.bin` and `meta.json` in a directory of its own."""
    with contextlib.ExitStack() as files:
        yield {split: files.enter_context(_writing_split(corpus / split)) for split in SPLITS}


@contextlib.contextmanager
def _writing_split(directory: Path) -> Iterator[Write]:
    directory.mkdir(parents=True)
    totals = {"documents": 0, "tokens": 0, "bytes": 0}
    with (directory / "tokens.bin").open("wb") as file:

        def write(ids: npt.NDArray[np.unsignedinteger], length: int) -> None:
            file.write(ids.tobytes())
            totals["documents"] += 1
            totals["tokens"] += len(ids)
            totals["bytes"] += length

        yield write
        file.flush()
        os.fsync(file.fileno())
    (directory / "meta.json").write_text(json.dumps(totals))


def check_space(directory: Path, needed: int) -> None:
    """Raises CorpusError unless `needed` bytes are free."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise CorpusError(
            f"{needed / 2**30:.1f} GiB are needed at {directory}, {free / 2**30:.1f} GiB are free.",
            "Free some disk space, or set AUTOLAB_CACHE to a directory on a larger disk.",
        )
