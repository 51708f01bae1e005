"""All ideas, the most promising first."""

from __future__ import annotations

from roles.offline import architecture, optimisation, shape
from roles.offline.idea import Idea

CATALOGUE: tuple[Idea, ...] = tuple(
    sorted((*optimisation.IDEAS, *architecture.IDEAS, *shape.IDEAS), key=lambda idea: -idea.expected)
)
BY_TITLE: dict[str, Idea] = {idea.title.lower(): idea for idea in CATALOGUE}


def idea_of(title: str) -> Idea | None:
    """The idea of that title, if the catalogue has it."""
    return BY_TITLE.get(" ".join(title.split()).lower())
