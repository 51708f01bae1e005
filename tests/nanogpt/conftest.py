"""Tests of the corpus and the scorer have the corpus whole, where others score a part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nanogpt import corpora


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("whole")
    corpora.prepare("cpu", cache, lambda stage, done, total: None)
    return cache / "cpu"
