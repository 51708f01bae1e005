"""The agent loop: one job, until a finishing call or a reason why there is none.

Whatever a model replies is answered with what it needs to do better. When that leads nowhere the job begins again in a
fresh context, then with the next model of the list; what was done so far stands, and the new context is told. Nothing
is repeated for ever: replies, nudges, contexts and models are counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roles.chat import ChatModel, tool_mode_of
from roles.conversation import Conversation
from roles.desk import Desk, Done
from roles.habits import calls_in_text, learn
from roles.journal import Journal
from roles.limits import Limits
from roles.playing import Playing
from roles.record import CallRecord, Trouble
from roles.tally import Player, Tally
from roles.tools import FINISHING, Tool

__all__ = ["CallRecord", "Finished", "GaveUp", "Journal", "Limits", "Trouble", "converse"]


@dataclass(frozen=True, slots=True)
class Finished:
    """The job came to its end by a finishing call; `text` is the tool's answer to it, `model` who made it."""

    tool: str
    arguments: dict[str, Any]
    text: str
    tokens_in: int
    tokens_out: int
    money: float = field(default=0.0, compare=False)
    model: str = field(default="", compare=False)
    troubles: Mapping[Trouble, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The job came to no end; the reason is for people. `endpoint` says that every model was stopped by a failure of
    its endpoint that may pass."""

    reason: str
    tokens_in: int
    tokens_out: int
    money: float = field(default=0.0, compare=False)
    troubles: Mapping[Trouble, int] = field(default_factory=dict, compare=False)
    endpoint: bool = field(default=False, compare=False)


LIMITS = Limits()


def _unheard(_: CallRecord) -> None:
    """Nobody keeps the records."""


async def _at_once() -> None:
    """Nobody holds the agent back."""


async def converse(
    models: ChatModel | Sequence[ChatModel],
    system: str,
    brief: str,
    tools: Sequence[Tool],
    journal: Journal,
    limits: Limits = LIMITS,
    on_call: Callable[[CallRecord], None] = _unheard,
    turn: Callable[[], Awaitable[None]] = _at_once,
    playing: Playing | None = None,
) -> Finished | GaveUp:
    """Hold a job to its end with the first of `models` that can. Cancelling it stops the model's stream at once.

    `on_call` gets the record of every call of a model, as it ends; `turn` is waited for before each. `playing` is told
    which of the models plays.
    """
    listed = list(models) if isinstance(models, Sequence) else [models]
    tally, desk = Tally(on_call), Desk(tools, limits)
    if not any(tool.name in FINISHING for tool in tools):
        return _gave_up("none of the tools at hand ends the job: the role file takes them all away", tally)
    if not listed:
        return _gave_up("no model is named for this job", tally)
    reasons: list[str] = []
    unreachable = True
    told = brief
    for number, model in enumerate(listed):
        if playing is not None:
            playing.model = model.name
        mode = tool_mode_of(model)
        player = Player(
            model,
            limits.calls,
            as_text=mode == "text" or (mode == "auto" and calls_in_text(model)),
            native=mode == "native",
        )
        contexts = 0
        while True:
            contexts += 1
            came = await Conversation(player, desk, system, told, journal, limits, tally, turn).hold()
            learn(player)
            if isinstance(came, Done):
                return _finished(came, model.name, tally)
            told = _told_anew(brief, desk)
            if not came.fresh or contexts > limits.fresh_contexts or player.left <= 0:
                break
            journal.note(f"{came.reason}; the job begins again in a fresh context")
            tally.troubles[Trouble.FRESH_CONTEXT] += 1
            if player.turn_to_text():
                journal.note("no tool was ever called natively: the tools are explained as text from now on")
                tally.troubles[Trouble.TOOLS_UNSEEN] += 1
        tried = f" (in {contexts} contexts)" if contexts > 1 and came.fresh else ""
        reasons.append(f"{came.reason}{tried}")
        unreachable &= came.endpoint
        if number + 1 < len(listed):
            journal.note(f"{reasons[-1]}; {listed[number + 1].name} takes over")
            tally.troubles[Trouble.NEXT_MODEL] += 1
    if len(listed) == 1:
        return _gave_up(reasons[0], tally, unreachable)
    told = "; then ".join(f"{m.name}: {reason}" for m, reason in zip(listed, reasons, strict=True))
    return _gave_up(told, tally, unreachable)


def _told_anew(brief: str, desk: Desk) -> str:
    """The brief for a context that follows on another one."""
    if not desk.work:
        return brief
    done = "\n".join(desk.work)
    return (
        f"{brief}\n\nThis job was begun before and not ended. What was done then stands, newest last:\n{done}\n"
        "Do not do it again: do what is missing, then end the job."
    )


def _finished(done: Done, model: str, tally: Tally) -> Finished:
    return Finished(
        done.tool.name,
        done.arguments,
        done.answer.text,
        tally.tokens_in,
        tally.tokens_out,
        tally.money,
        model,
        dict(tally.troubles),
    )


def _gave_up(reason: str, tally: Tally, endpoint: bool = False) -> GaveUp:
    return GaveUp(reason, tally.tokens_in, tally.tokens_out, tally.money, dict(tally.troubles), endpoint)
