"""Orders of people on a real store and repository: adding, requeueing with a change, setting, and undoing one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.branches import Repository
from orchestrator.engine.setting import set_setting
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.patches.offline import OFFLINE_WORKERS
from orchestrator.review.wins import accepted_by
from orchestrator.settings import read_settings
from orchestrator.store.records import Command, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Writer
from orchestrator.team.crew import Crew
from orchestrator.undoable import require_last
from roles.offline import NAME
from tests.tui.answering import answered, context_of
from tests.tui.lab_maker import TRAIN_PY
from tests.tui.room_lab import a_real_master, make_room_lab
from tui.drafts import unified_diff

ADA, BOB = "ada@box", "bob@box"


def diff(new: str) -> str:
    """The program with another learning rate."""
    after = TRAIN_PY.replace("LEARNING_RATE = 1e-3", new, 1)
    return unified_diff({"train.py": TRAIN_PY}, {"train.py": after})


DIFF = diff("LEARNING_RATE = 2e-3")


class Desk:
    """People's orders and their answers."""

    def __init__(self, lab: Lab, store: Writer) -> None:
        self.lab, self.store = lab, store

    async def order(self, verb: str, actor: str = ADA, **words: object) -> Command:
        number = await self.store.post_command(verb, words, actor)
        return await self.store.answer(number, 30)

    async def undo(self, actor: str = ADA) -> Command:
        return await self.order("undo", actor, command=(await require_last(self.store, actor)).command.id)

    async def state(self, number: int) -> State:
        experiment = await self.store.experiment(number)
        assert experiment is not None
        return experiment.state


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    lab = await make_room_lab(tmp_path / "lab")
    await a_real_master(lab)
    async with answered(lab) as store:
        yield Desk(lab, store)


async def test_an_idea_without_a_patch_waits_for_a_worker_with_its_author_and_source(desk: Desk) -> None:
    made = await desk.order("add", title="Wider", hypothesis="more memory", source="arXiv:2104.09864", priority=7)
    experiment = await desk.store.experiment(int(made.answer))
    assert experiment is not None and experiment.state is State.QUEUED and experiment.patch is None
    assert (experiment.author, experiment.source, experiment.priority) == (ADA, "arXiv:2104.09864", 7)
    refused = await desk.order("add", title=" ", hypothesis="x")
    assert refused.state == "refused" and "no title" in refused.answer


async def test_a_strict_patch_that_the_guard_refuses_leaves_nothing_behind(desk: Desk) -> None:
    before = await desk.store.counts()
    bad = diff("LEARNING_RATE = (")
    refused = await desk.order("add", title="T", hypothesis="h", patch=bad, strict=True)
    assert refused.state == "refused" and "guard refuses" in refused.answer, refused.answer
    assert await desk.store.counts() == before
    assert not list(desk.lab.worktrees.glob("add-*"))


async def test_a_requeue_with_a_patch_is_a_new_attempt_on_a_branch_of_its_own(desk: Desk) -> None:
    before = await desk.store.experiment(4)
    told = await desk.order("requeue", id=4, patch=DIFF, hypothesis="half as fast")
    assert told.state == "done" and "exp/4.2-idea-number-4" in told.answer, told.answer
    after = await desk.store.experiment(4)
    assert before is not None and after is not None and after.commit_id is not None
    assert (after.state, after.attempt, after.hypothesis) == (State.READY, 2, "half as fast")
    repository = Repository(desk.lab.root)
    assert repository.show_file("exp/4.2-idea-number-4", "train.py") == TRAIN_PY.replace("1e-3", "2e-3", 1).encode()
    assert before.commit_id is not None and repository.exists(before.commit_id)
    again = await desk.order("requeue", id=4)
    assert again.state == "refused" and "has no outcome yet" in again.answer


async def test_a_requeue_that_still_waits_is_taken_back_with_all_that_it_changed(desk: Desk) -> None:
    before = await desk.store.experiment(4)
    assert before is not None and before.state is State.DISCARDED and before.val_bpb is not None
    for words in ({"patch": DIFF, "hypothesis": "half as fast"}, {"hypothesis": "a worker may do it"}, {}):
        asked = await desk.order("requeue", id=4, **words)
        assert asked.state == "done", asked.answer
        how = await require_last(desk.store, ADA)
        assert (
            how.what.startswith("the requeue of experiment 4.2, ") and how.then == "it is discarded again, as attempt 1"
        )
        undone = await desk.order("undo", command=asked.id)
        assert undone.state == "done" and undone.answer.endswith("is undone: it is discarded again, as attempt 1")
        assert await desk.store.experiment(4) == before
    told = (await desk.store.events(experiment_id=4))[-1]
    assert told.reason == f"{ADA} has undone the requeue: attempt 1 is discarded as before"


async def test_a_requeue_is_not_taken_back_from_under_a_run_and_what_waited_comes_back_step_by_step(desk: Desk) -> None:
    made = await desk.order("add", title="Faster", hypothesis="it may help")
    number = int(made.answer)
    as_made = await desk.store.experiment(number)
    patched = await desk.order("requeue", id=number, patch=DIFF)
    with_patch = await desk.store.experiment(number)
    other = await desk.order("requeue", id=number, hypothesis="it surely helps")
    dropped = await desk.order("drop", id=number)
    assert [one.state for one in (patched, other, dropped)] == ["done"] * 3, other.answer
    for order, was in ((dropped, None), (other, with_patch), (patched, as_made)):
        undone = await desk.order("undo", command=order.id)
        assert undone.state == "done", undone.answer
        assert was is None or await desk.store.experiment(number) == was
    again = await desk.order("requeue", id=number, patch=DIFF)
    ready = await desk.store.experiment(number)
    assert ready is not None and ready.commit_id is not None
    await desk.store.begin_run(ready, RunKind.SCREEN, 1, Place("cpu0", "a core", "off"), ready.commit_id)
    refused = await desk.order("undo", command=again.id)
    assert refused.state == "refused" and "only what still waits is taken back" in refused.answer


async def test_a_requeue_throws_no_patch_of_a_persons_own_away(desk: Desk) -> None:
    """Where it conflicts with the present master, the person is told; a worker would make something else of it."""
    added = await desk.order("add", title="A higher rate", hypothesis="it may help", patch=DIFF)
    number = int(added.answer)
    assert (await desk.order("drop", id=number)).state == "done"
    repository = Repository(desk.lab.root)
    repository.commit_files({"train.py": TRAIN_PY.replace("1e-3", "5e-3", 1).encode()}, "Another rate")
    await desk.store.adopt_master(repository.head(), 0, "another rate")
    before = await desk.store.experiment(number)
    told = await desk.order("requeue", id=number)
    assert told.state == "refused" and "a person's own, conflicts" in told.answer and "--patch FILE" in told.answer
    assert await desk.store.experiment(number) == before


async def test_what_waits_is_edited_before_anything_runs_for_it(desk: Desk) -> None:
    added = await desk.order("add", title="A slower rate", hypothesis="it may help")
    number = int(added.answer)
    told = await desk.order("requeue", id=number, hypothesis="it surely helps")
    assert told.answer == f"experiment {number} waits with your hypothesis", told.answer
    waiting = await desk.store.experiment(number)
    assert waiting is not None and waiting.hypothesis == "it surely helps"
    assert (waiting.state, waiting.attempt, waiting.branch) == (State.QUEUED, 1, None)

    told = await desk.order("requeue", id=number, patch=DIFF)
    assert told.state == "done" and f"exp/{number}-a-slower-rate" in told.answer, told.answer
    ready = await desk.store.experiment(number)
    assert ready is not None and (ready.state, ready.attempt, ready.patch) == (State.READY, 1, DIFF)

    other = diff("LEARNING_RATE = 4e-3")
    told = await desk.order("requeue", id=number, patch=other)
    assert told.state == "done" and f"exp/{number}.2-a-slower-rate" in told.answer, told.answer
    refused = await desk.order("requeue", id=number, patch=diff("LEARNING_RATE = ("))
    ready = await desk.store.experiment(number)
    assert refused.state == "refused" and ready is not None and ready.patch == other

    told = await desk.order("requeue", id=number, title="A much slower rate", hypothesis="it may hurt")
    back = await desk.store.experiment(number)
    assert told.answer == f"experiment {number} waits with your title and hypothesis; its patch stays", told.answer
    assert back == replace(ready, title="A much slower rate", hypothesis="it may hurt", updated_at=back.updated_at)
    undone = await desk.order("undo", command=told.id)
    assert undone.state == "done" and await desk.store.experiment(number) == ready, undone.answer
    assert (await desk.order("drop", id=number)).state == "done"
    told = await desk.order("requeue", id=number, hypothesis="it may hurt")
    again = await desk.store.experiment(number)
    assert again is not None and (again.state, again.attempt, again.patch) == (State.READY, 3, other), told.answer
    assert (again.hypothesis, again.commit_id) == ("it may hurt", ready.commit_id)

    proposed = await desk.order("requeue", id=13, patch=diff("LEARNING_RATE = 6e-3"))
    assert proposed.state == "done" and await desk.state(13) is State.READY, proposed.answer


async def test_an_edit_that_comes_too_late_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The experiment began to run while the guard looked at the new patch."""
    added = await desk.order("add", title="A slower rate", hypothesis="it may help", patch=DIFF)
    number = int(added.answer)

    async def meanwhile(*words: object, **more: object) -> list[str]:
        await desk.store.move(number, State.RUNNING, "it got a slot")
        return []

    monkeypatch.setattr("orchestrator.patches.requeueing.against_guard", meanwhile)
    late = await desk.order("requeue", id=number, patch=diff("LEARNING_RATE = 4e-3"))
    assert late.state == "refused" and "is running by now, no longer ready" in late.answer, late.answer
    running = await desk.store.experiment(number)
    assert running is not None and (running.state, running.patch) == (State.RUNNING, DIFF)


async def test_another_hypothesis_goes_to_a_worker_and_a_refused_patch_changes_nothing(desk: Desk) -> None:
    refused = await desk.order("requeue", id=4, patch=diff("LEARNING_RATE = ("))
    assert refused.state == "refused" and "guard" in refused.answer and await desk.state(4) is State.DISCARDED
    told = await desk.order("requeue", id=4, hypothesis="slower is better")
    experiment = await desk.store.experiment(4)
    assert experiment is not None and "a worker makes its patch anew" in told.answer
    assert (experiment.state, experiment.commit_id, experiment.attempt) == (State.QUEUED, None, 2)


async def test_what_the_built_in_model_cannot_patch_is_told_where_it_waits(desk: Desk) -> None:
    await desk.store.set_agents([("worker-1", "worker", "offline", NAME)])
    told = await desk.order("requeue", id=4, hypothesis="slower is better")
    experiment = await desk.store.experiment(4)
    promise = f"a worker is to make its patch anew, but {OFFLINE_WORKERS}"
    assert told.state == "done" and told.answer.endswith(promise), told.answer
    assert experiment is not None and experiment.state is State.QUEUED
    assert experiment.reason.endswith(f"a worker is to make the patch anew, but {OFFLINE_WORKERS}"), experiment.reason
    again = await desk.order("requeue", id=4, hypothesis="faster is better")
    assert again.answer == f"experiment 4 waits with your hypothesis, but {OFFLINE_WORKERS}"


async def test_set_changes_file_and_lab_and_says_who_and_undo_takes_it_back(desk: Desk) -> None:
    told = await desk.order("set", key="team.wave", value="9")
    assert told.answer == "the setting team.wave is 9, was 5"
    events = await desk.store.newest_events("setting", 1)
    assert (events[0].actor, events[0].before, events[0].after) == (ADA, "5", "9")
    assert read_settings(desk.lab.settings_file).team.wave == 9
    assert (await desk.order("set", key="team.wave", value="9")).answer == "the setting team.wave is 9 already"
    assert (await desk.order("set", key="run.budget_seconds", value="9")).state == "refused"
    undone = await desk.undo()
    assert undone.answer == "the change of team.wave to 9 is undone: it is 5 again"
    assert read_settings(desk.lab.settings_file).team.wave == 5


async def test_workers_come_and_go_with_the_setting(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        crew = Crew(context)
        crew.closed = True  # nobody takes a job
        work = asyncio.create_task(crew.run())

        async def workers() -> list[str]:
            return [agent.name for agent in await store.agents() if agent.role == "worker"]

        for wanted in (1, 3, 2):
            await set_setting(context, {"key": "team.workers", "value": str(wanted)}, ADA)
            async with asyncio.timeout(30):
                while await workers() != [f"worker-{number}" for number in range(1, wanted + 1)]:
                    assert not work.done(), work.exception()
                    await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_undo_takes_back_ones_own_orders_one_after_the_other_newest_first(desk: Desk) -> None:
    await desk.order("drop", id=13)
    await desk.order("priority", id=14, value=30)
    await desk.order("pause")
    await desk.order("accept", id=1)
    await desk.order("pause", BOB)  # did nothing
    said = [(await desk.undo()).answer for _ in range(4)]
    assert said[0].startswith("your mark on experiment 1") and said[1] == (
        "the pause of the queue is undone: the queue is resumed"
    )
    assert said[2].endswith("is undone: it is 0 again") and said[3].endswith("is undone: it is proposed again")
    assert await desk.state(13) is State.PROPOSED and await desk.store.meta("paused") == "no"
    with pytest.raises(LabError, match="ordered nothing"):
        await desk.undo()
    with pytest.raises(LabError, match=r"bob@box has ordered nothing"):
        await desk.undo(BOB)


async def test_a_mark_is_taken_off_by_whoever_set_it_and_comes_back_by_undo(desk: Desk) -> None:
    await desk.order("accept", id=1)
    other = await desk.order("accept", BOB, id=1, off=True)
    assert other.state == "refused" and "Only one's own mark comes off" in other.answer
    off = await desk.order("accept", id=1, off=True)
    assert off.state == "done" and await accepted_by(desk.store, 1) is None
    assert (await desk.order("accept", id=1, off=True)).answer.startswith("Experiment 1 carries no mark")
    assert (await desk.undo()).answer.endswith("is undone: it is accepted again")
    assert await accepted_by(desk.store, 1) is not None
    assert (await desk.undo()).answer.startswith("your mark on experiment 1")
    assert await accepted_by(desk.store, 1) is None


async def test_what_stands_for_good_is_refused_with_the_reason(desk: Desk) -> None:
    await desk.order("message", agent="all", text="hello")
    with pytest.raises(LabError, match="message, cannot be undone: what was said stays said"):
        await desk.undo()
    await desk.order("drop", id=13)
    await desk.order("requeue", BOB, id=13)
    with pytest.raises(LabError, match="Experiment 13 is queued by now"):
        await desk.undo()
    assert (await desk.undo(BOB)).answer.endswith("is undone: it is dropped again, as attempt 1")
    made = int((await desk.order("add", title="Slow", hypothesis="h", patch=DIFF)).answer)
    picked = await desk.order("pick", id=made, onto="master")
    assert picked.state == "done", picked.answer
    with pytest.raises(LabError, match=rf"pick of experiment {made}, .* `git branch -D pick/{made}-slow` removes it"):
        await desk.undo()
    other = await desk.order("undo", BOB, command=1)
    assert other.state == "refused" and "not your last order" in other.answer


async def test_what_cannot_be_undone_is_passed_over_for_somebody_who_is_asked(desk: Desk) -> None:
    await desk.order("drop", id=13)
    await desk.order("message", agent="all", text="hello")
    with pytest.raises(LabError, match="message, cannot be undone"):
        await desk.undo()
    older = await require_last(desk.store, ADA, further=True)
    done = await desk.order("undo", command=older.command.id)
    assert done.state == "done" and done.answer.startswith("the drop of experiment 13"), done.answer
    assert await desk.state(13) is State.PROPOSED
    await desk.order("pause", BOB)
    await desk.order("message", BOB, agent="all", text="hello")
    lost = await desk.order("add", BOB, title="Mine", hypothesis="h")
    await desk.store.move(int(lost.answer), State.DROPPED, "gone")
    with pytest.raises(LabError, match="message, cannot be undone"):
        await require_last(desk.store, BOB)
    assert (await require_last(desk.store, BOB, further=True)).what == "the pause of the queue"


async def test_the_priority_of_what_has_ended_hides_no_older_order(desk: Desk) -> None:
    made = int((await desk.order("add", title="Mine", hypothesis="h")).answer)
    await desk.order("pause")
    await desk.order("priority", id=made, value=7)
    assert (await require_last(desk.store, ADA)).what.startswith("the priority 7 of")
    await desk.store.move(made, State.DROPPED, "gone", actor="planner")
    assert (await require_last(desk.store, ADA)).what == "the pause of the queue"


async def test_an_experiment_of_ones_own_is_taken_back_while_it_waits(desk: Desk) -> None:
    made = int((await desk.order("add", title="Mine", hypothesis="h")).answer)
    assert (await desk.undo()).answer == f"experiment {made}, Mine is undone: it is dropped"
    assert await desk.state(made) is State.DROPPED


async def test_the_pause_of_a_run_that_has_ended_is_passed_over_and_refused(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with Writer(lab.database) as store:
        [run] = await store.runs_underway()
        given = {}
        for verb, words, answer in (
            ("priority", {"id": 14, "value": 5}, "experiment 14 has priority 5"),
            ("pause", {"id": 15}, f"run {run.id} of experiment 15 is paused"),
            ("resume", {"id": 15}, f"run {run.id} of experiment 15 is resumed"),
        ):
            given[verb] = await store.post_command(verb, words, ADA)
            await store.answer_command((await store.waiting_commands())[0], True, answer)
        await store.set_priority(14, 5, f"set by {ADA}", actor=ADA)
        how = await require_last(store, ADA)
        assert (how.what, how.verb) == ("the resume of the run of experiment 15", "pause")
        assert how.arguments == {"id": 15, "run": run.id}, "no later run of the experiment is meant"
        await store.end_run(run.id, Measurement("killed", "killed by ada@box"))
        assert (await require_last(store, ADA)).command.id == given["priority"]
        assert (await require_last(store, ADA, further=True)).command.id == given["priority"]
    async with answered(lab) as store:
        desk = Desk(lab, store)
        late = await desk.order("undo", command=given["resume"])
        assert late.state == "refused" and "The run of experiment 15 has ended (killed)" in late.answer, late.answer
        undone = await desk.undo()
        assert undone.state == "done" and "priority 5 of experiment 14" in undone.answer, undone.answer


async def test_a_team_is_paused_and_resumed_as_one_and_undone_for_those_whom_it_changed(desk: Desk) -> None:
    await desk.store.pause_agent("planner", BOB, True)
    told = await desk.order("pause", agent="offline")
    assert told.answer == "1 agent of offline is paused after the reply at hand"
    assert await desk.store.paused_by("researcher") == ADA
    assert (await desk.order("pause", agent="offline")).answer == "all agents of offline are paused already"
    undone = await desk.undo()
    assert undone.answer == "the pause of offline is undone: offline goes on"
    assert not await desk.store.paused_by("researcher")
    assert await desk.store.paused_by("planner") == BOB, "that was so before"
    assert (await desk.order("pause", BOB, agent="planner")).answer == f"planner is paused by {BOB} already"
    assert (await desk.order("resume", BOB, agent="offline")).answer == "1 agent of offline goes on"
    assert (await desk.undo(BOB)).answer == "the resume of offline is undone: offline is paused again"
    assert await desk.store.paused_by("planner") == BOB
