"""The parameters of what the reviewer and the reporter can do with single experiments."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from roles.bounds import LARGEST_ID
from roles.schema import Parameters


class Lesson(Parameters):
    """Write down what one result teaches, in one or two sentences. It stands on the experiment for good: people read it
    there, and researcher and planner read it before their next idea. Call it once for each result; several calls in one
    reply are welcome."""

    example: ClassVar[dict[str, Any]] = {
        "id": 12,
        "lesson": "ReLU^2 gains 0.09, eight times the noise, at the same step time: the MLP was the bottleneck.",
    }
    own_words = True

    id: int = Field(ge=1, le=LARGEST_ID, description="the experiment's number")
    lesson: str = Field(
        min_length=10,
        max_length=600,
        description="what was learnt, with the number that shows it; not the plan for next",
    )


class Cancel(Parameters):
    """Cancel work that is hopeless: take a waiting experiment out of the queue, or stop a first run that is under way.
    Baselines, confirming runs and a person's own experiments cannot be cancelled. At most two in one job."""

    example: ClassVar[dict[str, Any]] = {
        "id": 15,
        "reason": "the third of three patches that crash in the same line of the data loader",
    }
    own_words = True

    id: int = Field(ge=1, le=LARGEST_ID, description="the experiment's number")
    reason: str = Field(min_length=5, description="why it cannot lead to anything, in one sentence with a fact in it")
