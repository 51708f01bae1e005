"""What every idea for an experiment says, whoever has it."""

from __future__ import annotations

from pydantic import Field

from roles.schema import Parameters

SOURCE = "where the idea comes from: an arXiv id with the paper's name, `experiment N`, or `own reasoning`"


class Idea(Parameters):
    """What every idea for an experiment says."""

    title: str = Field(min_length=3, max_length=120, description="a few words, for example: Squared ReLU in the MLP")
    hypothesis: str = Field(
        min_length=10, description="what you change, why it should lower val_bpb, and by about how much"
    )
    expected: float | None = Field(
        default=None,
        ge=-10,
        le=10,
        description="the change of val_bpb that you expect; negative is better, as in -0.05",
    )
    variable: str = Field(
        min_length=1, description="the one thing that varies, for example: activation function, or LEARNING_RATE"
    )
