"""Patches that crash: caught by a smoke run before they cost a slot, or mended by the worker with the traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.patches.repairing import send_back
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement
from roles.chat import Message, ToolCall
from roles.offline.scripts import next_turn
from tests.command_line import autolab
from tests.conftest import set_key
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls
from tests.team.team_lab import PLACE, in_lab, told_of, waiting

SOUND = "    logits = model(tokens)\n"
CRASHING = SOUND + "    logits = logits + torch.zeros(3) @ torch.zeros(4)\n"
MENDED = SOUND + "    logits = logits * 1.01\n"


class Clumsy:
    """Plays every role as the offline model does, but as a worker its first patch crashes; told so, it mends it."""

    def __init__(self, mends: bool = True) -> None:
        self.mends = mends
        self.told: list[str] = []  # what it was told of the crash

    def __call__(self, request: Request) -> Scripted:
        tools = {tool["function"]["name"] for tool in request.body["tools"]}
        messages = request.body["messages"]
        if "submit_patch" not in tools:
            turn = next_turn([_message(entry) for entry in messages], tools, 0)
            return calls(*((call.name, json.loads(call.arguments)) for call in turn.calls), text=turn.words)
        return self._patch(messages)

    def _patch(self, messages: list[dict[str, object]]) -> Scripted:
        last, brief = str(messages[-1].get("content")), str(messages[1].get("content"))
        crashed = "crashed when it ran" in brief
        if "smoke run of" in last or (crashed and len(messages) == 2):
            self.told.append(last)
            if not self.mends:
                return calls(("give_up", {"reason": "beyond me"}))
            return calls(("edit_file", {"path": "train.py", "old": CRASHING, "new": MENDED}))
        if messages[-1]["role"] == "tool":
            return calls(("submit_patch", {"summary": "done"}))
        return calls(("edit_file", {"path": "train.py", "old": SOUND, "new": CRASHING}))


def _message(entry: dict[str, object]) -> Message:
    made = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in entry.get("tool_calls") or ()  # type: ignore[attr-defined]
    )
    return Message(entry["role"], entry.get("content") or "", made, entry.get("tool_call_id"))  # type: ignore[arg-type]


def run_with(lab: Path, player: Clumsy) -> dict[str, object]:
    """One experiment of a team that the player plays, to its outcome."""
    with OpenAIServer(player) as server:
        text = (lab / "autolab.toml").read_text()
        text += f'\n[models.served]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "clumsy"\n'
        (lab / "autolab.toml").write_text(text)
        for role in ("researcher", "planner", "worker", "reviewer", "reporter"):
            set_key(lab, role, '"served"')
        set_key(lab, "patch_ahead", "0")
        run = autolab("run", str(lab), "--experiments", "1", timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(autolab("results", "--json", str(lab)).stdout)
    return dict(next(entry for entry in found if entry["id"] and entry["runs"]))


def test_a_smoke_run_shows_the_worker_the_traceback_before_a_slot_is_spent(measured: Path) -> None:
    lab = measured
    set_key(lab, "smoke_run", '"on"')
    player = Clumsy()
    entry = run_with(lab, player)
    assert "smoke run" in player.told[0] and "RuntimeError" in player.told[0] and "train.py" in player.told[0]
    assert entry["val_bpb"] is not None, "its first run has a score"
    assert not list((lab / ".autolab" / "smoke").iterdir()), "nothing of the smoke runs is left"


@pytest.mark.parametrize("mends", [True, False], ids=["mended", "not mended"])
def test_a_crash_goes_back_to_the_worker_with_its_traceback(measured: Path, mends: bool) -> None:
    lab = measured
    player = Clumsy(mends)
    entry = run_with(lab, player)
    assert "The end of its log, which is data" in player.told[0] and "> RuntimeError" in player.told[0]
    if mends:
        assert str(entry["branch"]).startswith(f"exp/{entry['id']}.2-"), "the repair is an attempt of its own"
        assert entry["val_bpb"] is not None
    else:
        assert entry["state"] == "given_up" and "not mended: beyond me" in str(entry["reason"])
        assert str(entry["branch"]).startswith(f"exp/{entry['id']}-")


async def crash(context: Context, experiment: Experiment) -> Experiment:
    """A worker's patch of it runs and crashes, and it goes where the lab sends it."""
    master = await context.store.master()
    assert master is not None
    made = {"commit_id": master.commit_id, "parent": master.commit_id, "role_model": "a model"}
    if experiment.state is not State.READY:
        await context.store.move(experiment.id, State.READY, "approved", **made)
    experiment = await context.store.move(experiment.id, State.READY, "on master as it is", **made)
    run = await context.store.begin_run(experiment, RunKind.SCREEN, 1, PLACE, master.commit_id)
    run = await context.store.end_run(run.id, Measurement("crash", "RuntimeError", None))
    crashed = await context.store.move(experiment.id, State.CRASHED, "it crashed")
    return await send_back(context, crashed, run) or crashed


@pytest.mark.parametrize("team", ["person", "one that left"])
def test_an_idea_that_no_team_at_work_had_is_mended_by_the_one_that_patched_it(bare: Path, team: str) -> None:
    async def play(context: Context) -> None:
        idea = await waiting(context, "an idea of its own", team=team)
        first = await crash(context, idea)
        assert (first.state, first.attempt) == (State.QUEUED, 2)
        second = await crash(context, first)
        assert (second.state, second.attempt) == (State.QUEUED, 3)
        assert "repair 2 of 2" in await told_of(context, idea.id)
        third = await crash(context, second)
        assert third.state is State.CRASHED, "its repairs are used up"

    in_lab(bare, play)


def test_a_persons_requeues_are_no_repairs(bare: Path) -> None:
    async def play(context: Context) -> None:
        found = await waiting(context, "an idea")
        for attempt in range(2, 5):
            await context.store.move(found.id, State.READY, "approved")
            await context.store.move(found.id, State.REJECTED, "rejected", actor="the reviewer")
            found = await context.store.move(found.id, State.QUEUED, "requeued", actor="person", attempt=attempt)
        found = await crash(context, found)
        assert (found.state, found.attempt) == (State.QUEUED, 5)
        assert "repair 1 of 2" in found.reason

    in_lab(bare, play)
