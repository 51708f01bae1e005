"""Files of a run's directory, where untrusted code can write: read without being held up, written complete or not.

A trainer may put a pipe, a link, a directory or gigabytes where the harness looks. Nothing here follows a link, waits
for a pipe or reads more than it was told to.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

MOST_JSON_BYTES = 2**20


@contextmanager
def open_plain(path: Path) -> Iterator[tuple[int, int]]:
    """Descriptor and size of a regular file. Raises OSError, also for anything that is not one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "Not a plain file", str(path))
        yield descriptor, found.st_size
    finally:
        os.close(descriptor)


def read_piece(descriptor: int, begin: int, most: int) -> bytes:
    """At most `most` bytes from the offset `begin` on; less only at the end of the file."""
    pieces: list[bytes] = []
    while most > 0 and (piece := os.pread(descriptor, min(most, 2**20), begin)):
        pieces.append(piece)
        begin, most = begin + len(piece), most - len(piece)
    return b"".join(pieces)


def is_plain(path: Path) -> bool:
    """Whether a regular file stands there, itself and not a link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def clear_the_way(path: Path) -> None:
    """Remove whatever stands at a path. Raises OSError."""
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        import shutil

        shutil.rmtree(path)


def open_up(directory: Path) -> None:
    """Make a directory that may have been removed or shut usable again. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(directory.stat().st_mode | stat.S_IRWXU)


def write_whole(path: Path, content: bytes, *, sync: bool) -> None:
    """By rename: a reader finds it complete or not at all. With `sync` it survives a power cut. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        try:
            os.replace(temporary, path)
        except IsADirectoryError:
            clear_the_way(path)
            os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_directory(path.parent)


def bytes_in(directory: Path, enough: int) -> int:
    """What the files below a directory take on the disk; stops counting beyond `enough`."""
    total, waiting = 0, [directory]
    while waiting and total <= enough:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                found = entry.stat(follow_symlinks=False)
                total += found.st_blocks * 512 + 512  # a name alone takes room as well
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                if total > enough:
                    break
    return total


def sync_directory(directory: Path) -> None:
    """Names in it that were made before now survive a power cut. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: dict[str, Any], *, sync: bool) -> None:
    """See `write_whole`."""
    write_whole(path, json.dumps(value).encode(), sync=sync)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None when it is not there, is not one, or is larger than MOST_JSON_BYTES."""
    try:
        with open_plain(path) as (descriptor, size):
            if size > MOST_JSON_BYTES:
                return None
            value = json.loads(read_piece(descriptor, 0, MOST_JSON_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def known(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values that a dataclass has a field for: a supervisor may be older or newer than its daemon."""
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
