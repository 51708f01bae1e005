"""What is handed to a run can be read by it and nothing else, though the file is its own user's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.runs import read_only
from orchestrator.runs.read_only import open_read_only


@pytest.mark.parametrize("opened", [open_read_only, read_only._sealed_copy])
def test_the_descriptor_reads_and_cannot_be_opened_for_writing(opened: Callable[[Path], int], tmp_path: Path) -> None:
    path = tmp_path / "mein Läb.bin"
    path.write_bytes(b"the train split")
    descriptor = opened(path)
    try:
        assert os.pread(descriptor, 100, 0) == b"the train split"
        with pytest.raises(OSError):
            os.pwrite(os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR), b"!", 0)
        with pytest.raises(OSError):
            os.truncate(f"/proc/self/fd/{descriptor}", 0)
    finally:
        os.close(descriptor)
    assert path.read_bytes() == b"the train split"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_read_only(tmp_path / "nothing")
