"""The standard library without its text, as programs in a sandbox see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.sandbox import library


@pytest.fixture(scope="module")
def without_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library.build(tmp_path_factory.mktemp("library"))
