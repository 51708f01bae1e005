"""Anomalies: each is found from what the store holds, told once, and told again only when it is another."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.context import Context
from orchestrator.store.agents import StoredCall
from orchestrator.store.anomalies import standing
from orchestrator.store.records import AT_WORK, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal, Writer
from orchestrator.watching import anomalies
from orchestrator.watching.alerts import alerts_after
from orchestrator.watching.anomalies import Anomalies
from orchestrator.watching.idling import awaited
from roles.circuit import FAILURES, Circuit
from tests.team.team_lab import waiting
from tests.watching.outcomes import PLACE, ended, in_lab, told
from tui.changes import Changing


def test_a_refused_result_is_told_once_with_its_reason(bare: Path) -> None:
    async def play(context: Context) -> None:
        number = await ended(context, State.INVALID, "the assigned seed is ignored", outcome="invalid")
        (sentence,) = await told(context)
        assert sentence == f"the result of experiment {number} was refused: the assigned seed is ignored"
        assert await told(context) == []

    in_lab(bare, play)


def test_crashes_that_differ_only_in_numbers_and_places_are_one_anomaly(bare: Path) -> None:
    async def play(context: Context) -> None:
        for size in (3, 4):
            await ended(context, State.CRASHED, f"ValueError: size {size} (train.py, line {size})", outcome="crash")
        await ended(context, State.CRASHED, "KeyError: 'x' (train.py, line 7)", outcome="crash")
        assert await told(context) == []
        await ended(context, State.CRASHED, "ValueError: size 5 (train.py, line 12)", outcome="crash")
        (sentence,) = await told(context)
        assert "3 of the last 4 outcomes crashed alike" in sentence and "size N" in sentence

    in_lab(bare, play)


def test_two_programs_with_the_very_same_score_are_told_and_a_repeated_program_is_not(bare: Path) -> None:
    async def play(context: Context) -> None:
        await ended(context, State.DISCARDED, "no better", 3.25, program="one")
        await ended(context, State.DISCARDED, "no better", 3.25, program="one")
        assert await told(context) == []
        last = await ended(context, State.DISCARDED, "no better", 3.25, program="other")
        (sentence,) = await told(context)
        assert f"and {last} score exactly the same (3.250000)" in sentence

    in_lab(bare, play)


def test_what_waits_and_repeats_another_by_title_or_program_is_told(bare: Path) -> None:
    async def play(context: Context) -> None:
        store = context.store
        first = await ended(context, State.DISCARDED, "no better", 3.1, program="one")
        again = await store.add_experiment(
            Proposal("an IDEA!", "It may help.", "a test"), author="a test", team="none", state=State.QUEUED
        )
        (sentence,) = await told(context)
        assert sentence == f"experiment {again.id} (queued) repeats experiment {first} (discarded): 'an IDEA!'"
        assert await told(context) == []
        other = await store.add_experiment(
            Proposal("Quite another", "It may help.", "a test"), author="a test", team="none", state=State.QUEUED
        )
        await store.annotate(other.id, "patched", actor="a test", program="one")
        (sentence,) = await told(context)
        assert f"experiment {other.id} (queued) repeats experiment {first}" in sentence and "same program" in sentence

    in_lab(bare, play)


def test_teams_that_compete_may_have_the_same_idea_and_a_team_that_repeats_its_own_is_told(bare: Path) -> None:
    settings = bare / "autolab.toml"
    settings.write_text(settings.read_text().replace("[lab]", '[lab]\nteams = ["offline", "specialists"]', 1))

    async def play(context: Context) -> None:
        idea = Proposal("An idea", "It may help.", "a test")
        for team in ("offline", "specialists", "specialists"):
            made = await context.store.add_experiment(idea, author="a test", team=team, state=State.QUEUED)
        (sentence,) = await told(context)
        assert f"experiment {made.id} (queued) repeats experiment {made.id - 1} (queued)" in sentence

    in_lab(bare, play)


def test_a_run_that_outlives_its_limits_is_stuck_and_a_paused_one_is_not(bare: Path) -> None:
    async def play(context: Context) -> None:
        store = context.store
        start = await store.experiment(0)
        assert start is not None and start.commit_id is not None
        await store.set_slots([("cpu0", "a core")])
        run = await store.begin_run(start, RunKind.BASELINE, 1, PLACE, start.commit_id)
        assert await told(context) == []
        await store.connection.execute(
            "UPDATE runs SET started_at = '2020-01-01T00:00:00.000Z' WHERE id = ?", (run.id,)
        )
        await store.set_slot("cpu0", phase="paused")
        assert await told(context) == []
        await store.set_slot("cpu0", phase="training")
        (sentence,) = await told(context)
        assert f"run {run.id} of experiment 0 holds slot cpu0" in sentence and "`autolab kill 0`" in sentence

    in_lab(bare, play)


def test_an_agent_that_gives_up_job_after_job_is_told_with_its_last_reason(bare: Path) -> None:
    async def play(context: Context) -> None:
        for number in range(2):
            await context.store.event("agent", "worker-1", f"gave up a job: it goes round ({number})")
        await context.store.event("agent", "worker-2", "gave up a job: no idea")
        assert await told(context) == []
        await context.store.event("agent", "worker-1", "gave up a job: the model was silent")
        (sentence,) = await told(context)
        assert sentence == "worker-1 gave up 3 jobs within half an hour, the last: the model was silent"
        assert await told(context) == []

    in_lab(bare, play)


def test_a_slot_that_has_nothing_to_run_is_told_once_and_not_while_the_queue_is_paused(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing that runs since the lab went to work, a while ago."""

    async def play(context: Context) -> None:
        await context.store.set_slots([("cpu0", "a core")])
        await waiting(context, "An idea")
        assert await told(context) == []
        monkeypatch.setattr(anomalies, "IDLE_SECONDS", -1.0)
        await context.store.set_meta("paused", "yes")
        assert await told(context) == []
        await context.store.set_meta("paused", "")
        watch = Anomalies(context)
        assert await watch.look() == 1 and await watch.look() == 0
        (event,) = await context.store.newest_events("anomaly", 1)
        assert event.reason.startswith("slot cpu0 has had nothing to run since")
        assert "0 proposed, 1 queued, 0 patching, 0 ready" in event.reason

    in_lab(bare, play)


def test_a_disk_that_fills_up_is_told_at_every_gibibyte_and_loudly_at_the_end(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(context: Context) -> None:
        for free, expected, level in ((50.0, [], ""), (4.5, ["4.5 GiB left"], "warn"), (0.5, ["0.5 GiB"], "error")):
            usage = SimpleNamespace(free=int(free * 2**30))
            monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
            sentences = await told(context)
            assert len(sentences) == len(expected)
            assert all(words in one for words, one in zip(expected, sentences, strict=True)), sentences
            assert await told(context) == [], "told already"
            if level:
                (event,) = await context.store.newest_events("anomaly", 1)
                assert (event.after == "error") is (level == "error"), event

    in_lab(bare, play)


def test_a_model_server_that_does_not_answer_is_told_and_when_none_is_left_loudly(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(context: Context) -> None:
        one, other = Circuit("http://one.example/v1"), Circuit("http://other.example/v1")
        monkeypatch.setattr(anomalies, "circuits", lambda: [one.shown, other.shown])
        for _ in range(FAILURES):
            one.failed("cannot be reached")
        (sentence,) = await told(context)
        assert "http://one.example/v1 has failed 5 times in a row (cannot be reached)" in sentence
        for _ in range(FAILURES):
            other.failed("fails (502)")
        (sentence,) = await told(context)
        assert "no server of models answers" in sentence and "agents without another model wait" in sentence
        assert [str(one.level) for one in await alerts_after(context.store, 0, 100)] == ["warn", "error"]

    in_lab(bare, play)


def stored_call(agent: str, outcome: str) -> StoredCall:
    return StoredCall(
        agent, "researcher", "propose", None, "m", "", "", "[]", 0, 0, 0, 0.0, 1.0, None, "", outcome, "[]"
    )


async def holding(context: Context) -> list[str]:
    """What is to be looked at still, newest first."""
    return [event.reason for event in await standing(context.store, 10)]


def test_many_jobs_given_up_for_another_cause_are_told_again_and_the_old_cause_is_over(bare: Path) -> None:
    async def play(context: Context) -> None:
        for seconds in (5, 10, 20):
            await context.store.event("agent", "researcher", f"gave up a job: no server, tried for {seconds} s")
        (first,) = await told(context)
        await context.store.event("agent", "researcher", "gave up a job: no server, tried for 40 s")
        assert await told(context) == [] and await holding(context) == [first]
        await context.store.event("agent", "researcher", "gave up a job: the key is not set")
        (sentence,) = await told(context)
        assert sentence == "researcher gave up 5 jobs within half an hour, the last: the key is not set"
        assert await holding(context) == [sentence]

    in_lab(bare, play)


@pytest.mark.parametrize("mended", ["a daemon that begins anew", "a server that answers", "a finished job"])
def test_what_an_agent_gave_up_for_is_over_when_it_gets_on(bare: Path, mended: str) -> None:
    async def play(context: Context) -> None:
        store = context.store
        await store.add_call(stored_call("researcher", "went on" if mended == "a finished job" else "failed"))
        for _ in range(3):
            await store.event("agent", "researcher", "gave up a job: a reason")
        (sentence,) = await told(context)
        await asyncio.sleep(0.01)
        if mended == "a daemon that begins anew":
            await store.event("lab", "autolab", AT_WORK)
        else:
            await store.add_call(stored_call("researcher", "went on"))
            assert await told(context) == []
            assert await holding(context) == ([sentence] if mended == "a finished job" else [])
            await store.add_call(stored_call("researcher", "finished"))
        assert await told(context) == [] and await holding(context) == []

    in_lab(bare, play)


def test_a_server_that_answers_again_or_is_asked_no_more_is_nothing_to_look_at(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(context: Context) -> None:
        old, new = Circuit("http://old.example/v1"), Circuit("http://new.example/v1")
        asked = [old]
        monkeypatch.setattr(anomalies, "circuits", lambda: [one.shown for one in asked])
        for one in (old, new):
            for _ in range(FAILURES):
                one.failed("cannot be reached")
        (before,) = await told(context)
        changes = Changing()
        since = "2020-01-01T00:00:00.000Z"
        assert await holding(context) == [before] and "old.example" in before
        asked[:] = [new]
        (after,) = await told(context)
        assert await holding(context) == [after] and "old.example" not in after
        seen = await changes.look(context.store, since)
        assert seen is not None and seen.anomalies == 1
        new.worked()
        assert await told(context) == [] and await holding(context) == []
        seen = await changes.look(context.store, since)
        assert seen is not None and seen.anomalies == 0
        for _ in range(FAILURES):
            new.failed("cannot be reached")
        assert await told(context) == [] and await holding(context) == [after], "it is so again in the same half hour"

    in_lab(bare, play)


def test_a_refused_result_stays_to_be_looked_at(bare: Path) -> None:
    async def play(context: Context) -> None:
        number = await ended(context, State.INVALID, "the assigned seed is ignored", outcome="invalid")
        (sentence,) = await told(context)
        await context.store.move(number, State.QUEUED, "requeued")
        assert await told(context) == [] and await holding(context) == [sentence]

    in_lab(bare, play)


async def test_what_an_idle_slot_waits_for_is_whoever_brings_on_what_stands_there(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        assert await awaited(store, {}) == ""
        await store.set_agents([(name, name, "t", "small") for name in ("researcher", "planner", "worker", "reviewer")])
        assert await awaited(store, {}) == "it waits for researcher, which has no job"
        await store.set_agent("researcher", "thinking", "propose 3 experiments")
        (agent,) = [one for one in await store.agents() if one.name == "researcher"]
        asked = f"which is at a job since {agent.since[11:16]} UTC (propose 3 experiments) on small"
        assert await awaited(store, {}) == f"it waits for researcher, {asked}; `autolab doctor` tries its model"
        await store.pause_agent("planner", "ada@box", pause=True)
        told = await awaited(store, {State.PROPOSED: 2})
        assert told == "it waits for planner, which is paused: `autolab resume planner` lets it go on"
        await store.set_agent("worker", "waiting", "next try in 5 s: The key is not set.")
        told = await awaited(store, {State.PROPOSED: 2, State.QUEUED: 1})
        assert "worker, which waits since" in told and "(next try in 5 s: The key is not set)" in told
        assert await awaited(store, {State.READY: 1}) == "", "that waits for no agent"
