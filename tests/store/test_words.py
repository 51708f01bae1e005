"""How a reason reads where the word for the state stands beside it."""

from __future__ import annotations

import pytest

from orchestrator.store.states import beside


@pytest.mark.parametrize(
    ("state", "reason", "read"),
    [
        ("given_up", "given up: no edit of the catalogue", "no edit of the catalogue"),
        ("queued", "queued: by its gain", "by its gain"),
        ("queued", "queued as it came", "queued as it came"),
        ("ready", "approved: one change", "approved: one change"),
        (None, "None: of these", "None: of these"),
    ],
)
def test_the_states_own_word_is_not_said_twice(state: str | None, reason: str, read: str) -> None:
    assert beside(state, reason) == read
