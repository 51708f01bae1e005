"""The tools of a conversation that does everything: it begins an experiment, hands it in, and reads its result."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from roles.bounds import LARGEST_ID
from roles.idea_parameters import SOURCE, Idea
from roles.schema import Parameters


class BeginExperiment(Idea):
    """Begin one experiment: one idea, one change. The tree at hand is then today's master, and edit_file changes it
    until you hand it in with run_experiment, or take the idea back with abandon. Refused when the same idea was tried
    before; then begin another one."""

    example: ClassVar[dict[str, Any]] = {
        "title": "Squared ReLU in the MLP",
        "hypothesis": "Squared ReLU instead of GELU lowers val_bpb by about 0.05: sparser features at no cost.",
        "expected": -0.05,
        "source": "arXiv:2109.08668 (Primer)",
        "variable": "activation function of the MLP",
    }

    source: str = Field(default="own reasoning", min_length=2, description=SOURCE)


class RunExperiment(Parameters):
    """Hand in the change that stands in the tree: it is trained and measured as it stands. Refused when the rules do
    not let it pass; the answer says why, and you can correct the tree and hand it in again."""

    example: ClassVar[dict[str, Any]] = {"summary": "activation() squares a ReLU instead of calling GELU"}

    summary: str = Field(default="", description="what was changed, in one sentence")


class WaitForResult(Parameters):
    """Wait for the result of what you handed in, and read it. With several under way it is the first that ends, or the
    one whose number you give. A run that crashed comes back with the end of its log and its patch in the tree."""

    example: ClassVar[dict[str, Any]] = {}

    id: int | None = Field(default=None, ge=0, le=LARGEST_ID, description="the experiment's number; may be left out")


class Abandon(Parameters):
    """Take the experiment back that is begun and not handed in, when the change cannot be made in today's files."""

    example: ClassVar[dict[str, Any]] = {"reason": "train.py uses rotary positions already"}

    reason: str = Field(min_length=3, description="what stands in the way, in one sentence")


SOLO_PARAMETERS: dict[str, type[Parameters]] = {
    "begin_experiment": BeginExperiment,
    "run_experiment": RunExperiment,
    "wait_for_result": WaitForResult,
    "abandon": Abandon,
}
