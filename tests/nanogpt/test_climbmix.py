"""The corpus of web text: tokens, exact byte counts, documents apart, and a download that survives a bad line."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from tokenizers import Tokenizer

from nanogpt import climbmix, evaluate
from nanogpt.splits import SPLITS, split_of
from tests.nanogpt.hub_server import Hub
from tests.nanogpt.worktree import INSTALLED, kept_environment, last_line, lay_out, prepare, train

SPECIAL = "a text that spells <|end|> out, with bytes beyond ASCII: żółć, 東京, 🙂"


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    with kept_environment():
        yield


def write_shard(path: Path, documents: int, seed: int) -> None:
    """A parquet file with a column `text` of made-up documents."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(400)]
    texts = [" ".join(chance.choices(words, k=chance.randint(40, 160))) + "." for _ in range(documents)]
    texts[0] = SPECIAL
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), path, row_group_size=1000)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of two small parquet shards."""
    directory = tmp_path_factory.mktemp("shards")
    for number in range(2):
        write_shard(directory / f"shard_{number:05d}.parquet", 2500, seed=number)
    return directory


@pytest.fixture(scope="module")
def web_corpus(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gpu corpus, built from the small shards."""
    cache = tmp_path_factory.mktemp("web")
    done = prepare("--profile", "gpu", "--cache", str(cache), "--shards", str(shards))
    assert done.returncode == 0, done.stdout + done.stderr
    return cache / "gpu"


def documents_of(corpus: Path, split: str) -> list[str]:
    """A split's documents, decoded."""
    tokenizer = Tokenizer.from_file(str(corpus / "tokenizer.json"))
    ids = np.fromfile(corpus / split / "tokens.bin", dtype=np.uint16)
    ends = np.flatnonzero(ids == tokenizer.token_to_id(climbmix.END_OF_DOCUMENT))
    pieces = np.split(ids, ends)[1:]
    decoded: list[str] = tokenizer.decode_batch([piece[1:].tolist() for piece in pieces], skip_special_tokens=False)
    return decoded


def test_every_document_comes_back_from_its_split_and_from_no_other(web_corpus: Path, shards: Path) -> None:
    texts = list(climbmix.documents(sorted(shards.glob("*.parquet"))))
    for split in SPLITS:
        home = [text for text in texts if split_of(text, climbmix.HELD_OUT) == split]
        assert documents_of(web_corpus, split) == home
    assert SPECIAL in texts


def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(web_corpus: Path) -> None:
    for split in SPLITS:
        ids = np.fromfile(web_corpus / split / "tokens.bin", dtype=np.uint16)
        lengths = np.fromfile(web_corpus / split / "token_bytes.bin", dtype=np.uint16)
        text = "".join(documents_of(web_corpus, split)).encode()
        totals = json.loads((web_corpus / split / "meta.json").read_text())
        assert int(lengths[ids].sum()) == len(text) == totals["bytes"]
        assert len(lengths) == 8192 and totals["tokens"] == len(ids) < len(text)


UNIFORM = """
import torch
import prepare


class Even(torch.nn.Module):
    def forward(self, tokens):
        return torch.zeros(*tokens.shape, prepare.VOCABULARY)


def build_model():
    return Even()
"""


def test_a_uniform_model_is_scored_by_the_bytes_of_the_tokens(tmp_path: Path, web_corpus: Path) -> None:
    (tmp_path / "train.py").write_text(UNIFORM)
    torch.save({}, tmp_path / "weights.pt")
    validation = web_corpus / "validation"
    score = evaluate.score(evaluate.answer_command(tmp_path / "train.py", tmp_path / "weights.pt"), validation, "gpu")
    tokens = np.fromfile(validation / "tokens.bin", dtype=np.uint16)
    assert score.val_bpb == pytest.approx(13 * score.tokens / score.bytes, rel=1e-6)
    totals = json.loads((validation / "meta.json").read_text())
    assert score.bytes / score.tokens == pytest.approx(totals["bytes"] / len(tokens), rel=0.05)


def test_the_gpu_profile_trains_and_scores_from_the_same_file(tmp_path: Path, web_corpus: Path) -> None:
    # Made small, since there need not be a GPU here; then it runs in float32 on the CPU.
    small = (INSTALLED / "train.py").read_text()
    for name, value in (("DEPTH", 1), ("WIDTH", 32), ("SEQUENCE", 64), ("BATCH", 2), ("ACCUMULATION", 2)):
        small, count = re.subn(rf"^({name} = .*gpu=)\d+", rf"\g<1>{value}", small, flags=re.MULTILINE)
        assert count == 1
    tree = lay_out(tmp_path / "tree", small)
    run = train(tree, web_corpus, profile="gpu")
    score = evaluate.score(
        evaluate.answer_command(tree / "train.py", run / "weights.pt"), web_corpus / "validation", "gpu"
    )
    assert 1.0 < score.val_bpb < 13 and score.tokens < score.bytes


def test_shards_that_are_no_parquet_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "shard.parquet").write_text("not parquet")
    done = prepare("--profile", "gpu", "--cache", str(tmp_path / "cache"), "--shards", str(tmp_path))
    assert done.returncode == 1 and "is not a parquet file with a column `text`" in last_line(done)["error"]


def test_too_few_documents_get_a_sentence(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard.parquet", 20, seed=1)
    done = prepare("--profile", "gpu", "--cache", str(tmp_path / "cache"), "--shards", str(tmp_path))
    assert done.returncode == 1 and "hold too few documents" in last_line(done)["error"]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [".gpu.lock"]


# The download


def surroundings(hub_port: int) -> dict[str, str]:
    return {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub_port}",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DOWNLOAD_TIMEOUT": "20",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def prepared_from(hub: Hub, cache: Path) -> subprocess.CompletedProcess[str]:
    server = hub.serve()
    try:
        return prepare("--profile", "gpu", "--cache", str(cache), env=surroundings(server.server_port))
    finally:
        server.shutdown()
        server.server_close()


def test_a_download_goes_on_after_a_broken_connection(tmp_path: Path, shards: Path, web_corpus: Path) -> None:
    hub = Hub.of(shards)
    hub.break_after = 300_000
    done = prepared_from(hub, tmp_path)
    ready = last_line(done)
    assert ready.get("ready"), done.stdout + done.stderr
    assert hub.ranges == ["", "bytes=300000-", ""]
    assert hub.sent == sum(map(len, hub.files.values()))
    built = json.loads((web_corpus / "ready.json").read_text())
    assert ready["fingerprint"] == built["fingerprint"]  # the same shards, the same corpus
    assert not (tmp_path / "downloads").exists()


def test_a_download_goes_on_in_another_process(tmp_path: Path, shards: Path) -> None:
    hub = Hub.of(shards)
    hub.break_after, hub.hang = 200_000, threading.Event()
    server = hub.serve()
    command = [sys.executable, "-m", "nanogpt.corpora", "--profile", "gpu", "--cache", str(tmp_path)]
    env = {**os.environ, **surroundings(server.server_port)}
    try:
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env)
        wait_for(lambda: sum(path.stat().st_size for path in (tmp_path / "downloads").glob("*.part")) >= 200_000)
        first.send_signal(signal.SIGKILL)
        first.wait()
        hub.hang.set()
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    finally:
        server.shutdown()
        server.server_close()
    assert last_line(done).get("ready"), done.stdout + done.stderr
    assert hub.ranges[1] == "bytes=200000-" and hub.sent == sum(map(len, hub.files.values()))


def test_a_server_that_knows_no_ranges_sends_the_file_again(tmp_path: Path, shards: Path) -> None:
    hub = Hub.of(shards)
    hub.break_after, hub.knows_ranges = 300_000, False
    assert last_line(prepared_from(hub, tmp_path)).get("ready")
    assert hub.ranges == ["", "bytes=300000-", "", ""]


def test_a_download_with_a_wrong_checksum_is_refused(tmp_path: Path, shards: Path) -> None:
    hub = Hub.of(shards)
    hub.wrong_checksum = True
    done = prepared_from(hub, tmp_path)
    assert done.returncode == 1
    assert last_line(done)["error"] == "The download of shard_00000.parquet is damaged."
    assert not any((tmp_path / "downloads").iterdir())


def test_a_hub_that_cannot_be_reached_gets_a_sentence_and_a_remedy(tmp_path: Path) -> None:
    server = Hub({}).serve()
    server.shutdown()
    server.server_close()
    done = prepare("--profile", "gpu", "--cache", str(tmp_path), env=surroundings(server.server_port))
    assert done.returncode == 1 and done.stderr == ""
    assert "could not be downloaded from the Hub" in last_line(done)["error"]
    assert "--shards DIR" in last_line(done)["remedy"]


def test_a_hub_that_refuses_gets_a_sentence(tmp_path: Path, shards: Path) -> None:
    hub = Hub.of(shards)
    hub.status = 403
    done = prepared_from(hub, tmp_path)
    assert done.returncode == 1 and "could not be downloaded from the Hub" in last_line(done)["error"]


def wait_for(condition: Callable[[], object], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.02)
