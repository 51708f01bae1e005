"""The parameters of every tool, each defined once: the models see the schema, the loop checks against it.

A class's docstring is the tool's description, as the models read it; its `example` is shown to one that got it wrong.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from roles.bounds import HIGHEST_PRIORITY, LARGEST_ID, LEAST_PRIORITY
from roles.idea_parameters import SOURCE, Idea
from roles.judging_parameters import Cancel, Lesson
from roles.paper_parameters import ListPapers, ReadPaper, SearchPapers
from roles.patching_parameters import CheckPatch, ReplaceFunction, SmokeRun
from roles.planning_parameters import Combine, MergeDuplicates, RequestFollowUp, StateBalance, TuneConstant
from roles.schema import Parameters
from roles.solo_parameters import SOLO_PARAMETERS


class ReadFile(Parameters):
    """Read a file of the tree at hand, such as train.py. The answer is its raw text, so that a piece of it can be
    copied into edit_file as it stands. A longer file is read in several calls, by `start` and `lines`."""

    example: ClassVar[dict[str, Any]] = {"path": "train.py"}
    looks = True

    path: str = Field(min_length=1, description="the file, for example train.py")
    start: int = Field(default=1, ge=1, description="the first line to read, counted from 1")
    lines: int = Field(default=1000, ge=1, description="how many lines to read at most")


ExperimentState = Literal[
    "proposed",
    "queued",
    "patching",
    "ready",
    "running",
    "scored",
    "confirming",
    "promoted",
    "discarded",
    "not_confirmed",
    "dropped",
    "given_up",
    "rejected",
    "crashed",
    "killed",
    "pruned",
    "invalid",
    "lost",
]
"""As the lab knows them. A server that holds a reply to a schema leaves a model no other word."""


class ListExperiments(Parameters):
    """List the baseline and the experiments so far, newest first, as JSON: what each changed, its state, its val_bpb,
    its `delta` against the baseline it was measured on (negative is better), and why it ended. Look here before you
    propose, queue or judge anything, so that nothing is done twice. 30 are usually enough; `before` goes on from there
    to older ones."""

    example: ClassVar[dict[str, Any]] = {"limit": 30}
    looks = True
    whole = True

    limit: int = Field(default=30, ge=1, le=5000, description="how many experiments, the newest first; 100 at most")
    before: int | None = Field(
        default=None,
        ge=1,
        le=LARGEST_ID,
        description="only those with a smaller number than this, to read further back",
    )
    state: ExperimentState | None = Field(
        default=None,
        description="only those in this state: proposed, queued, patching, ready, running, scored, confirming, promoted"
        " (merged: a real gain), discarded (no gain), not_confirmed (the gain was noise), dropped, given_up, rejected,"
        " crashed, killed, pruned, invalid or lost",
    )


class ReadDiff(Parameters):
    """Read the patch of one experiment as a unified diff."""

    example: ClassVar[dict[str, Any]] = {"id": 12}
    looks = True

    id: int = Field(ge=0, le=LARGEST_ID, description="the experiment's number")


class Propose(Idea):
    """Propose one experiment: one idea, one change, and where the idea comes from. Call it once for every idea. It is
    refused when the same idea was proposed before; then propose another one."""

    example: ClassVar[dict[str, Any]] = {
        "title": "Squared ReLU in the MLP",
        "hypothesis": "Squared ReLU instead of GELU lowers val_bpb by about 0.05: sparser features at no cost.",
        "expected": -0.05,
        "source": "arXiv:2109.08668 (Primer)",
        "variable": "activation function of the MLP",
        "edit": "In activation(): return F.relu(x).square() instead of F.gelu(x)",
    }

    source: str = Field(min_length=2, description=SOURCE)
    follows: int | None = Field(
        default=None,
        ge=1,
        le=LARGEST_ID,
        description="the experiment whose requested follow-up this is; else leave it out",
    )
    edit: str = Field(
        default="",
        description="the smallest edit of train.py that does it: the place, the old code and the new code",
    )


class FinishWork(Parameters):
    """Say that this job is done. Call it last, when everything that the job asks for has been called."""

    example: ClassVar[dict[str, Any]] = {"summary": "Proposed three experiments on the optimiser."}
    finishing = True

    summary: str = Field(default="", description="one sentence on what was done")


class QueueExperiment(Parameters):
    """Queue a proposed experiment, or change the priority of one that waits already. Higher priorities run first."""

    example: ClassVar[dict[str, Any]] = {
        "id": 12,
        "priority": 40,
        "reason": "a large gain in the paper, and nothing like it was tried",
    }
    own_words = True

    id: int = Field(ge=0, le=LARGEST_ID, description="the experiment's number")
    priority: int = Field(
        ge=LEAST_PRIORITY, le=HIGHEST_PRIORITY, description="usually 0 to 100; the highest runs first"
    )
    reason: str = Field(min_length=2, description="why it stands where it stands, in one sentence")


class DropExperiment(Parameters):
    """Take a waiting experiment out of the queue for good: it contradicts what was measured, is stale, or is not
    worth a run. One that is being patched or run cannot be dropped. For a duplicate call merge_duplicates."""

    example: ClassVar[dict[str, Any]] = {"id": 12, "reason": "the same change as experiment 4, which lost 0.03"}
    own_words = True

    id: int = Field(ge=0, le=LARGEST_ID, description="the experiment's number")
    reason: str = Field(min_length=2, description="why it is not worth a run, in one sentence")


class EditFile(Parameters):
    """Replace one piece of a file by another. `old` must be copied from the file exactly, with its spaces and line
    breaks, and be long enough to occur there only once. Several edits may make one patch."""

    example: ClassVar[dict[str, Any]] = {
        "path": "train.py",
        "old": "    return F.gelu(x)\n",
        "new": "    return F.relu(x).square()\n",
    }

    path: str = Field(min_length=1, description="the file, for example train.py")
    old: str = Field(min_length=1, description="the piece to replace, exactly as it stands in the file")
    new: str = Field(description="what stands there instead; empty to take the piece out")


class ShowDiff(Parameters):
    """Show what you have changed so far as a unified diff. Look at it before you submit."""

    example: ClassVar[dict[str, Any]] = {}
    looks = True


class SubmitPatch(Parameters):
    """Submit the change that stands in the tree. It ends the job, unless the rules refuse the patch: then the answer
    says why, and you can correct it and submit again."""

    example: ClassVar[dict[str, Any]] = {"summary": "activation() squares a ReLU instead of calling GELU"}
    finishing = True

    summary: str = Field(default="", description="what was changed, in one sentence")


class GiveUp(Parameters):
    """End the job without a patch, when the change cannot be made in today's files. Say what stands in the way."""

    example: ClassVar[dict[str, Any]] = {
        "reason": "train.py uses rotary positions already, so there is no position table left to replace"
    }
    own_words = True
    finishing = True

    reason: str = Field(min_length=3, description="what stands in the way, in one sentence")


class Approve(Parameters):
    """Let the patch run: it is one change, it is what was proposed, and it was not tried before. Ends the job."""

    example: ClassVar[dict[str, Any]] = {"reason": "one change, as proposed, and not tried before"}
    own_words = True
    finishing = True

    reason: str = Field(min_length=2, description="in one sentence")


class Reject(Parameters):
    """Refuse the patch before it costs a run: it repeats an experiment, changes more than one thing, is not what was
    proposed, or breaks a rule. Ends the job."""

    example: ClassVar[dict[str, Any]] = {
        "reason": "it changes the learning rate besides the activation, so the result would not say which helped"
    }
    own_words = True
    finishing = True

    reason: str = Field(min_length=3, description="which of these it is, and where, in one sentence")


class Priority(BaseModel):
    """A wish for one waiting experiment."""

    model_config = ConfigDict(extra="ignore")

    id: int = Field(ge=0, le=LARGEST_ID, description="the number of an experiment that waits")
    priority: int = Field(
        ge=LEAST_PRIORITY, le=HIGHEST_PRIORITY, description="usually 0 to 100; the highest runs first"
    )
    reason: str = Field(default="no reason given", description="in one sentence")


class HandOver(Parameters):
    """Hand to the planner what the last experiments taught, and the priorities that follow from it. Ends the job."""

    example: ClassVar[dict[str, Any]] = {
        "findings": "Faster warm-up won (-0.04, experiment 7); deeper models lose at this budget (+0.2, experiment 9).",
        "priorities": [{"id": 11, "priority": 60, "reason": "builds on the win of experiment 7"}],
    }
    own_words = True
    finishing = True

    findings: str = Field(
        min_length=3, description="what won, what lost, what failed and why, with the numbers of the experiments"
    )
    priorities: list[Priority] = Field(
        default_factory=list, description="wishes for waiting experiments; may be empty when nothing follows"
    )


class Report(Parameters):
    """Report to the person in charge. Ends the job."""

    example: ClassVar[dict[str, Any]] = {
        "works": "Master stands at 2.91, 0.42 below the start: Muon (-0.31) and rotary positions (-0.11).",
        "does_not_work": "Depth 4 (+0.24) and batch 32 (+0.18): too few steps within the budget.",
        "looks_wrong": "Experiments 14 and 15 crashed with the same KeyError.",
        "open_questions": "Does the rate of Muon want to be lower once positions rotate?",
    }
    own_words = True
    finishing = True

    works: str = Field(min_length=2, description="what was merged, with its gain in val_bpb")
    does_not_work: str = Field(min_length=2, description="what brought no gain, and why, where it is known")
    looks_wrong: str = Field(
        min_length=2, description="crashes, repetitions, scores too good to be true; `nothing` when nothing does"
    )
    open_questions: str = Field(
        default="", description="what the results leave open and a run could answer, one question a line; may be empty"
    )


PARAMETERS: dict[str, type[Parameters]] = {
    "read_file": ReadFile,
    "list_experiments": ListExperiments,
    "read_diff": ReadDiff,
    "search_papers": SearchPapers,
    "list_papers": ListPapers,
    "read_paper": ReadPaper,
    "propose": Propose,
    "finish": FinishWork,
    "queue": QueueExperiment,
    "drop": DropExperiment,
    "merge_duplicates": MergeDuplicates,
    "request_follow_up": RequestFollowUp,
    "combine": Combine,
    "tune_constant": TuneConstant,
    "state_balance": StateBalance,
    "edit_file": EditFile,
    "replace_function": ReplaceFunction,
    "show_diff": ShowDiff,
    "check_patch": CheckPatch,
    "smoke_run": SmokeRun,
    "submit_patch": SubmitPatch,
    "give_up": GiveUp,
    "approve": Approve,
    "reject": Reject,
    "lesson": Lesson,
    "cancel": Cancel,
    "hand_over": HandOver,
    "report": Report,
    **SOLO_PARAMETERS,
}
"""Every tool there is, by the name that models call."""
