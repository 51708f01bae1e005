"""One idea a patch: a constant that was to change alone does, and no honest idea is held up by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.guard import beyond_variable, changed_units, constants_alone
from roles.offline.catalogue import CATALOGUE

TRAIN = (Path(__file__).parents[2] / "nanogpt" / "train.py").read_text()


def test_a_second_constant_is_refused_with_its_line() -> None:
    after = TRAIN.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3").replace("BETA2 = 0.95", "BETA2 = 0.99")
    line = next(number for number, text in enumerate(after.splitlines(), 1) if text.startswith("BETA2"))
    (sentence,) = beyond_variable({"train.py": TRAIN}, {"train.py": after}, "LEARNING_RATE")
    assert sentence == f"train.py, line {line}: it was to change LEARNING_RATE alone, and it changes BETA2 too."
    assert beyond_variable({"train.py": TRAIN}, {"train.py": after}, "the learning rate") == []


def test_constants_alone_are_named_where_nothing_else_changes() -> None:
    two = TRAIN.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3").replace("BETA2 = 0.95", "BETA2 = 0.99")
    assert constants_alone({"train.py": TRAIN}, {"train.py": two}) == ["LEARNING_RATE", "BETA2"]
    assert constants_alone({"train.py": TRAIN}, {"train.py": two.replace("return 1.0", "return 0.5")}) == []
    assert constants_alone({"train.py": TRAIN}, {"train.py": TRAIN}) == []


def test_code_that_a_constant_needs_may_change_with_it() -> None:
    after = TRAIN.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3").replace("return 1.0", "return 0.5")
    assert beyond_variable({"train.py": TRAIN}, {"train.py": after}, "LEARNING_RATE") == []
    assert changed_units({"train.py": TRAIN}, {"train.py": after}) == ["constant LEARNING_RATE", "function rate_at"]


@pytest.mark.parametrize("idea", CATALOGUE, ids=lambda idea: idea.title)
def test_every_idea_of_the_built_in_catalogue_changes_no_more_than_it_says(idea) -> None:  # type: ignore[no-untyped-def]
    after = idea.apply(TRAIN)
    if after is not None:
        assert beyond_variable({"train.py": TRAIN}, {"train.py": after}, idea.variable) == []
