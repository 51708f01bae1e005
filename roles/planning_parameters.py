"""The parameters of the planner's tools beyond queue and drop."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from roles.bounds import HIGHEST_PRIORITY, LARGEST_ID, LEAST_PRIORITY
from roles.schema import Parameters


class MergeDuplicates(Parameters):
    """Let one experiment absorb another one that would test the same thing: the other is dropped, and both say so in
    their story. What is absorbed must wait still without a patch; what absorbs it may be at any point of its life."""

    example: ClassVar[dict[str, Any]] = {"keep": 4, "absorb": 9, "reason": "both set the MLP's activation to ReLU^2"}
    own_words = True

    keep: int = Field(ge=1, le=LARGEST_ID, description="the experiment that stays")
    absorb: int = Field(ge=1, le=LARGEST_ID, description="the waiting experiment that is dropped for it")
    reason: str = Field(min_length=2, description="why they are the same, in one sentence")


class RequestFollowUp(Parameters):
    """Ask the researcher for a follow-up of a near miss: an idea that came close, or lost for a reason that can be
    mended. The researcher reads the request with its next job and answers with a new proposal."""

    example: ClassVar[dict[str, Any]] = {
        "id": 12,
        "reason": "-0.008 within a noise of 0.011; a stronger form, such as a factor of 4, may show",
    }
    own_words = True

    id: int = Field(ge=1, le=LARGEST_ID, description="the measured experiment to follow up")
    reason: str = Field(min_length=5, description="what came close, and what the follow-up should try, in one sentence")


class Combine(Parameters):
    """Queue a combination of two experiments that each scored better than their baseline: both patches on today's
    master. Where the patches do not touch the same lines the worker finds them in its tree already. What master holds
    already need not be combined."""

    example: ClassVar[dict[str, Any]] = {
        "first": 7,
        "second": 12,
        "priority": 60,
        "reason": "each gained a little, by a smaller step cost and by a better start, so the gains may add up",
    }
    own_words = True

    first: int = Field(ge=1, le=LARGEST_ID, description="one experiment")
    second: int = Field(ge=1, le=LARGEST_ID, description="the other experiment")
    priority: int = Field(
        default=50, ge=LEAST_PRIORITY, le=HIGHEST_PRIORITY, description="usually 0 to 100; the highest runs first"
    )
    reason: str = Field(min_length=5, description="why their gains should add up, in one sentence")


class TuneConstant(Parameters):
    """Hand a numeric constant of the program to the tuner. It looks at how earlier values of that constant did and
    chooses the next ones by Bayesian optimisation (TPE); each becomes an experiment that is ready to run, without a
    worker. Cheaper and better than guessing numbers. Call it again when their results are there."""

    example: ClassVar[dict[str, Any]] = {
        "name": "LEARNING_RATE",
        "values": 2,
        "priority": 30,
        "reason": "Muon won, and the rate was set for AdamW",
    }

    name: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]*$", description="a constant at the top of the program, for example LEARNING_RATE"
    )
    values: int = Field(default=1, ge=1, le=3, description="how many values to try next")
    priority: int = Field(
        default=20, ge=LEAST_PRIORITY, le=HIGHEST_PRIORITY, description="usually 0 to 100; the highest runs first"
    )
    reason: str = Field(min_length=2, description="why this constant, in one sentence")


class StateBalance(Parameters):
    """State which share of the runs is to explore something new, the rest refining what is known. People see it beside
    the share that the last runs really had, and your next briefs repeat both."""

    example: ClassVar[dict[str, Any]] = {"exploring": 0.4, "reason": "two wins this wave; their neighbours come first"}
    own_words = True

    exploring: float = Field(ge=0, le=1, description="the share of runs on something new, from 0 to 1")
    reason: str = Field(min_length=2, description="why, in one sentence")
