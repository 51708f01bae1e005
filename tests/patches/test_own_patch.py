"""A person's own patch goes its way whatever it changes, and one that is several changes says so."""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.command_line import autolab


@pytest.mark.parametrize(
    ("changed", "ends"),
    [
        ({"BETA2 = 0.95": "BETA2 = 0.99"}, "the guard let it pass"),
        (
            {"BETA2 = 0.95": "BETA2 = 0.99", "WEIGHT_DECAY = 0.1": "WEIGHT_DECAY = 0.2"},
            "though it changes WEIGHT_DECAY and BETA2 at once: which of them does it will not be known",
        ),
    ],
)
def test_two_constants_at_once_are_told_of(bare: Path, changed: dict[str, str], ends: str) -> None:
    before = (bare / "train.py").read_text()
    after = before
    for old, new in changed.items():
        assert old in after
        after = after.replace(old, new)
    patch = bare.parent / "own.diff"
    patch.write_text("".join(unified_diff(before.splitlines(True), after.splitlines(True), "a/train.py", "b/train.py")))
    added = autolab("add", str(bare), "--title", "Mine", "--hypothesis", "It is better.", "--patch", str(patch))
    assert added.returncode == 0, added.stderr
    assert (ends in added.stderr) == ends.startswith("though"), added.stderr
    [waiting] = json.loads(autolab("queue", str(bare), "--json").stdout)
    assert waiting["state"] == "ready" and waiting["reason"].endswith(ends), waiting
