"""Fetching the shards of a data set from the Hub: resumed where an earlier try broke off, checked by SHA-256.

huggingface_hub's own download throws a partial file away when its process ends, so the ranges are asked for here; its
client, endpoint (HF_ENDPOINT) and token are used as they are.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nanogpt.splits import CorpusError, Report, check_space

RETRIES = 5  # in a row without a single new byte
MIB = 2**20
REMEDY = (
    "Check the network (HF_ENDPOINT, HF_TOKEN) and try again: what has arrived is kept. Without a network, name a"
    " directory of parquet files with `python -m nanogpt.corpora --profile gpu --shards DIR`, or use the profile cpu."
)


@dataclass(frozen=True, slots=True)
class Shard:
    name: str
    size: int  # bytes
    sha256: str | None  # None when the Hub keeps the file in plain git


class _Broken(Exception):
    """The connection failed in a way that may pass."""


class _NoRanges(Exception):
    """The server sends the file from its beginning."""


def fetch(dataset: str, into: Path, count: int, report: Report) -> list[Path]:
    """The first `count` parquet files of a data set, by name. Raises CorpusError."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    revision, shards = _listing(dataset, count)
    total = sum(shard.size for shard in shards)
    done = sum(_present(into, shard) for shard in shards)
    check_space(into, 3 * total - done)  # the shards, and the tokens made of them

    def arrived(size: int) -> None:
        nonlocal done
        before, done = done, done + size
        if not size or done // MIB != before // MIB:
            report(f"downloading {dataset} (MiB)", done // MIB, total // MIB)

    arrived(0)
    return [_fetch_shard(dataset, revision, shard, into, arrived) for shard in shards]


def _listing(dataset: str, count: int) -> tuple[str, list[Shard]]:
    """The commit that the data set stands at, and its first shards."""
    from huggingface_hub import HfApi

    try:
        found = HfApi().dataset_info(dataset, files_metadata=True, timeout=_timeout())
    except Exception as error:  # the client raises many kinds; each means that the Hub could not be had
        raise _unreachable(error) from error
    files = sorted((f for f in found.siblings or [] if f.rfilename.endswith(".parquet")), key=lambda f: f.rfilename)
    if not files or found.sha is None:
        raise CorpusError(f"The data set {dataset} has no parquet files.", REMEDY)
    return found.sha, [Shard(f.rfilename, f.size or 0, f.lfs.sha256 if f.lfs else None) for f in files[:count]]


def _present(into: Path, shard: Shard) -> int:
    """Bytes of a shard that earlier tries have left."""
    for path in (into / shard.name, _part(into, shard)):
        if path.exists():
            return min(path.stat().st_size, shard.size)
    return 0


def _part(into: Path, shard: Shard) -> Path:
    # The checksum in the name keeps the halves of two revisions apart.
    return into / f"{shard.name}.{(shard.sha256 or 'plain')[:12]}.part"


def _fetch_shard(dataset: str, revision: str, shard: Shard, into: Path, arrived: Callable[[int], None]) -> Path:
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(dataset, shard.name, repo_type="dataset", revision=revision)
    target, part = into / shard.name, _part(into, shard)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and _is_whole(target, shard):
        return target
    failures = 0
    while (have := part.stat().st_size if part.exists() else 0) < shard.size:
        try:
            with part.open("ab") as file:
                for chunk in _rest(url, have):
                    file.write(chunk)
                    file.flush()  # what has arrived outlives this process
                    arrived(len(chunk))
                    failures = 0
            if part.stat().st_size == have:
                raise _Broken("the connection ended early")
        except _NoRanges:
            part.unlink()
            arrived(-have)
        except _Broken as error:
            failures += 1
            if failures > RETRIES:
                raise _unreachable(error.__cause__ or error) from error
            time.sleep(min(0.25 * 2**failures, 8.0))
    if not _is_whole(part, shard):
        part.unlink()
        raise CorpusError(f"The download of {shard.name} is damaged.", "Try again; it is fetched anew.")
    os.replace(part, target)
    return target


def _rest(url: str, have: int) -> Iterator[bytes]:
    """The bytes of a file from `have` on. Raises _Broken, _NoRanges, or CorpusError where trying again is vain."""
    from huggingface_hub import get_session, get_token

    headers = {"Accept-Encoding": "identity", "User-Agent": "autolab"}
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=_timeout()) as answer:
            if answer.status_code in (408, 429) or answer.status_code >= 500:
                raise _Broken(f"the Hub answers {answer.status_code}")
            if answer.status_code not in (200, 206):
                raise CorpusError(f"The Hub answers {answer.status_code} for {url}.", REMEDY)
            if have and answer.status_code == 200:
                raise _NoRanges
            yield from answer.iter_bytes()  # as they arrive: a break loses none
    except (_Broken, _NoRanges, CorpusError):
        raise
    except Exception as error:  # the client's own kinds, which differ between its versions
        raise _Broken("the connection broke") from error


def _is_whole(path: Path, shard: Shard) -> bool:
    if path.stat().st_size != shard.size:
        return False
    if shard.sha256 is None:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == shard.sha256


def _timeout() -> float:
    """Seconds without an answer or a byte; the client itself would wait for ever."""
    return float(os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT", "30"))


def _unreachable(error: BaseException) -> CorpusError:
    line = (str(error).strip().splitlines() or ["no message"])[0]
    return CorpusError(
        f"The training data could not be downloaded from the Hub ({type(error).__name__}: {line}).", REMEDY
    )
