"""A lab that is only written to, never started: made in this process, so that a test of a tool starts none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import set_key

from orchestrator.create import create_lab


@pytest.fixture
def bare(tmp_path: Path, corpus: Path) -> Path:
    """A cpu lab with a budget of one second."""
    root = tmp_path / "mein Läb"
    asyncio.run(create_lab(root, "cpu"))
    set_key(root, "budget_seconds", "1")
    return root
