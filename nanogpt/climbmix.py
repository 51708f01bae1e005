"""The corpus of profile `gpu`: web text of climbmix, as tokens of a BPE that is trained on its own train split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nanogpt.splits import SPLITS, CorpusError, Report, split_of, writing

DATASET = "karpathy/climbmix-400b-shuffle"
SHARDS = 10  # of about 90 MB: some 2.5 billion characters, more tokens than one GPU reads in the budget
HELD_OUT = 5  # documents in 1000, for validation and for the vault
TOKENIZER_SAMPLE_CHARACTERS = 200_000_000
END_OF_DOCUMENT = "<|end|>"
DOCUMENTS_AT_ONCE = 2000
LEAST_TOKENS = 2048 + 1  # one window of the scorer in every split


def documents(shards: Iterable[Path]) -> Iterator[str]:
    """The `text` column of parquet shards, document by document. Raises CorpusError for another kind of file."""
    import pyarrow
    import pyarrow.parquet as parquet

    for shard in shards:
        try:
            with parquet.ParquetFile(shard) as file:
                for group in range(file.num_row_groups):
                    yield from file.read_row_group(group, columns=["text"]).column("text").to_pylist()
        except (pyarrow.ArrowException, KeyError) as error:
            raise CorpusError(
                f"{shard} is not a parquet file with a column `text`.", "Delete it and prepare the corpus again."
            ) from error


def build(into: Path, report: Report, shards: list[Path], vocabulary: int) -> None:
    """Train the BPE on the train split's documents and write every document's ids, once. Raises CorpusError."""
    report("training the tokenizer", 0, 1)
    tokenizer = train_tokenizer(shards, vocabulary)
    report("training the tokenizer", 1, 1)
    tokenizer.save(str(into / "tokenizer.json"))
    end = tokenizer.token_to_id(END_OF_DOCUMENT)
    counts = dict.fromkeys(SPLITS, 0)
    with writing(into) as splits:
        for number, shard in enumerate(shards):
            report("tokenising", number, len(shards))
            texts = documents([shard])
            while some := list(islice(texts, DOCUMENTS_AT_ONCE)):
                for text, encoded in zip(some, tokenizer.encode_batch(some), strict=True):
                    ids = np.asarray([end, *encoded.ids], dtype=np.uint16)
                    split = split_of(text, HELD_OUT)
                    splits[split](ids, len(text.encode()))
                    counts[split] += len(ids)
        report("tokenising", len(shards), len(shards))
    lengths = token_bytes(tokenizer, vocabulary)
    for split in SPLITS:
        lengths.tofile(into / split / "token_bytes.bin")
        if counts[split] < LEAST_TOKENS:
            raise CorpusError(
                f"The shards hold too few documents: {counts[split]} tokens fall to the split {split}.",
                "Add shards; a few thousand documents are the least.",
            )


def train_tokenizer(shards: list[Path], vocabulary: int) -> Any:
    """A byte-level BPE with a token for the end of a document."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_DOCUMENT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample(shards), trainer)
    tokenizer.encode_special_tokens = True  # a text that spells the special token out is text, too
    return tokenizer


def _sample(shards: Iterable[Path]) -> Iterator[str]:
    """Documents of the train split, up to the sample's size: the tokenizer must not learn from held-out text."""
    left = TOKENIZER_SAMPLE_CHARACTERS
    for text in documents(shards):
        if split_of(text, HELD_OUT) == "train":
            yield text
            left -= len(text)
            if left <= 0:
                return


def token_bytes(tokenizer: Any, vocabulary: int) -> npt.NDArray[np.uint16]:
    """How many bytes of text each id stands for [V]; 0 for the end of a document. Each byte is one character here."""
    lengths = np.zeros(vocabulary, dtype=np.uint16)
    for token, number in tokenizer.get_vocab().items():
        lengths[number] = 0 if token == END_OF_DOCUMENT else len(token)
    return lengths
