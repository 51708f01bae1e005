"""What agents can call: each tool's words and parameters, defined once. The engine binds handlers to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roles.chat import ToolSpec
from roles.errors import ToolRefusal

__all__ = ["PARAMETERS", "Answer", "Tool", "ToolRefusal", "bind", "spec_of"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A tool's answer to the model; `finished` ends the job."""

    text: str
    finished: bool = False


Handler = Callable[[dict[str, Any]], Awaitable[Answer]]


class Parameters(BaseModel):
    """Base of every tool's parameters; a tool's description is its class's docstring."""

    model_config = ConfigDict(extra="forbid")


class ReadFile(Parameters):
    """Read a file of the tree at hand. Gives its raw text."""

    path: str = Field(description="for example train.py")
    start: int = Field(default=1, ge=1, description="first line")
    lines: int = Field(default=1000, ge=1, description="how many lines")


class ListExperiments(Parameters):
    """List the baseline and the experiments so far, newest first, with what came of each. JSON."""

    limit: int = Field(default=50, ge=1, le=5000)
    state: str | None = Field(default=None, description="only those in this state, for example promoted")


class ReadDiff(Parameters):
    """Read the patch of an experiment as a unified diff."""

    id: int


class Propose(Parameters):
    """Propose one experiment: one idea, one change, with where the idea comes from."""

    title: str = Field(min_length=3, max_length=120, description="a few words, for example: Squared ReLU in the MLP")
    hypothesis: str = Field(min_length=10, description="what you change and why it should lower val_bpb")
    source: str = Field(min_length=2, description="arXiv id or link, an earlier experiment, or your own reasoning")
    variable: str = Field(min_length=1, description="the single thing that varies, for example: activation")
    edit: str = Field(default="", description="the smallest edit of train.py that does it, in words or code")


class FinishWork(Parameters):
    """Say that this job is done. Call it last."""

    summary: str = Field(default="", description="one sentence")


class QueueExperiment(Parameters):
    """Queue an experiment, or change the priority of one that waits. Higher priorities run first."""

    id: int
    priority: int = Field(ge=-1000, le=1000)
    reason: str


class DropExperiment(Parameters):
    """Take a waiting experiment out: a repetition, a contradiction of what is known, or not worth a run."""

    id: int
    reason: str


class EditFile(Parameters):
    """Replace a piece of a file. `old` must occur exactly once, with its exact spaces and line breaks."""

    path: str
    old: str = Field(min_length=1)
    new: str


class ShowDiff(Parameters):
    """Show what you have changed so far as a unified diff."""


class SubmitPatch(Parameters):
    """Submit the change that stands in the tree. Ends the job unless the rules refuse the patch."""

    summary: str = Field(default="", description="what was changed, in one sentence")


class GiveUp(Parameters):
    """End the job without a patch, when the change cannot be made."""

    reason: str = Field(min_length=3)


class Approve(Parameters):
    """Let the patch run. Ends the job."""

    reason: str = Field(min_length=2)


class Reject(Parameters):
    """Refuse the patch: a repetition, more than one idea, or against the rules. Ends the job."""

    reason: str = Field(min_length=3)


class Priority(BaseModel):
    id: int
    priority: int = Field(ge=-1000, le=1000)
    reason: str


class HandOver(Parameters):
    """Hand what the wave taught, and priorities for what waits, to the planner. Ends the job."""

    findings: str = Field(min_length=3)
    priorities: list[Priority] = Field(default_factory=list)


class Report(Parameters):
    """Report to the person in charge. Ends the job."""

    works: str
    does_not_work: str
    looks_wrong: str


PARAMETERS: dict[str, type[Parameters]] = {
    "read_file": ReadFile,
    "list_experiments": ListExperiments,
    "read_diff": ReadDiff,
    "propose": Propose,
    "finish": FinishWork,
    "queue": QueueExperiment,
    "drop": DropExperiment,
    "edit_file": EditFile,
    "show_diff": ShowDiff,
    "submit_patch": SubmitPatch,
    "give_up": GiveUp,
    "approve": Approve,
    "reject": Reject,
    "hand_over": HandOver,
    "report": Report,
}
FINISHING = frozenset({"finish", "submit_patch", "give_up", "approve", "reject", "hand_over", "report"})


def spec_of(name: str) -> ToolSpec:
    """What a model is told of the tool `name`."""
    model = PARAMETERS[name]
    schema = model.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    return ToolSpec(name, " ".join((model.__doc__ or "").split()), schema)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with the handler that answers it."""

    spec: ToolSpec
    handler: Handler

    async def __call__(self, arguments: dict[str, Any]) -> Answer:
        """Check the arguments against the schema and answer. Raises ToolRefusal with what is wrong."""
        try:
            checked = PARAMETERS[self.spec.name].model_validate(arguments)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in one['loc']) or 'arguments'}: {one['msg']}" for one in error.errors()
            )
            raise ToolRefusal(f"The arguments of {self.spec.name} are wrong: {wrong}.") from error
        return await self.handler(checked.model_dump())


def bind(name: str, handler: Handler) -> Tool:
    return Tool(spec_of(name), handler)
