"""The vault split: scored at promotions from the weights that are kept, shown to people, and never to agents."""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psutil

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.measurement.vault import Vault
from orchestrator.runs.identity import marked_processes
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.vault import due_runs
from orchestrator.store.writer import Measurement, Place, Proposal
from orchestrator.team import briefs
from orchestrator.team.toolbox import Toolbox
from orchestrator.watching.notebook import Notebook
from roles.playing import Playing
from roles.tools import Tool
from tests.command_line import autolab
from tests.conftest import eventually, set_key

RESULT_FIELDS = {
    *("id", "title", "hypothesis", "state", "val_bpb", "delta", "runs", "branch", "commit", "parent", "team"),
    *("source", "self_reported", "reason"),
}


def rows(lab: Path, sql: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql).fetchall()


def add_a_win(lab: Path) -> None:
    """A rate that learns far more within a second; what is better once is merged, so that a win costs four runs."""
    set_key(lab, "rule", '"greedy"')
    before = (lab / "train.py").read_text()
    after = before.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 5e-3")
    assert after != before
    patch = lab.parent / "one.diff"
    patch.write_text(
        "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/train.py", "b/train.py"))
    )
    words = ("--title", "Five times the rate", "--hypothesis", "It learns faster.")
    added = autolab("add", str(lab), *words, "--patch", str(patch))
    assert added.returncode == 0, added.stderr


def test_a_promotion_is_scored_on_the_vault_even_when_the_daemon_is_killed_meanwhile(lab: Path) -> None:
    add_a_win(lab)
    assert autolab("start", str(lab)).returncode == 0
    eventually(lambda: rows(lab, "SELECT 1 FROM vault_scores WHERE state = 'scoring'"), 240, "a scoring on the vault")
    (state,) = rows(lab, "SELECT state FROM experiments WHERE id = 1")
    assert state["state"] == "promoted", "the merge did not wait for it"
    pid = json.loads(autolab("status", "--json", str(lab)).stdout)["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 10, "the daemon's end")

    assert autolab("start", str(lab)).returncode == 0
    assert autolab("pause", str(lab)).returncode == 0, "no more runs; what is under way on the vault goes on"
    eventually(lambda: rows(lab, "SELECT 1 FROM vault_verdicts WHERE experiment_id = 1"), 200, "the vault's verdict")
    assert autolab("stop", "--now", str(lab)).returncode == 0
    scores = rows(
        lab,
        "SELECT v.*, r.experiment_id, r.val_bpb FROM vault_scores AS v JOIN runs AS r ON r.id = v.run_id"
        " WHERE r.experiment_id < 2 AND v.state != 'again'",
    )
    assert sorted(score["experiment_id"] for score in scores) == [0, 0, 0, 1]
    assert {score["state"] for score in scores} == {"scored"}
    assert all(score["bpb"] != score["val_bpb"] and abs(score["bpb"] - score["val_bpb"]) < 1 for score in scores)
    assert not list((lab / ".autolab" / "vault").glob("*")), "what a model printed about the vault stays nowhere"
    assert not list((lab / ".autolab" / "worktrees").glob("vault-*"))
    assert not [score for score in scores if marked_processes(f"{lab}#vault-{score['run_id']}")], "no orphan is left"


# -- on record: a promotion whose gain on validation is not there on the vault


async def recorded(context: Context, old: str, new: str, scores: Sequence[float]) -> Experiment:
    """An experiment that is being confirmed, with these scores on record."""
    store, repository = context.store, context.repository
    start = await store.experiment(0)
    assert start is not None and start.commit_id is not None
    made = await store.add_experiment(
        Proposal(f"Set {new}"[:40], "It helps.", "a test"), author="a test", team="none", state=State.QUEUED
    )
    tree = context.lab.worktrees / "recorded"
    repository.checkout_commit(tree, start.commit_id)
    text = (tree / "train.py").read_text()
    assert old in text
    (tree / "train.py").write_text(text.replace(old, new))
    commit = repository.commit(tree, made.title, made.hypothesis, {"Experiment": str(made.id)}, "worker-1")
    branch = repository.set_branch(repository.branch_name(made.id, 1, made.title), commit)
    ready = await store.move(made.id, State.READY, "ready", branch=branch, commit_id=commit, parent=start.commit_id)
    place = Place("cpu0", (await store.runs_of(0))[0].device, "off")
    for seed, score in enumerate(scores, start=1):
        run = await store.begin_run(ready, RunKind.SCREEN if seed == 1 else RunKind.CONFIRM, seed, place, commit)
        await store.end_run(run.id, Measurement("scored", "on record", score, training_seconds=1.0))
    await store.move(made.id, State.SCORED, "scored")
    return await store.move(made.id, State.CONFIRMING, "again")


async def a_win_on_validation_alone(context: Context) -> int:
    """Validation gains 0.2, the vault nothing: 7.7 bits per byte and a little for everybody."""
    made = await recorded(context, "WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.05", (0.80, 0.81, 0.82))
    await Judging(context).merge(made, "a real gain", "autolab")
    for number, run in enumerate(await due_runs(context.store)):
        await context.store.end_vault(run, "scored", f"run {run.id}: 7.7{number}", bpb=7.7 + number % 3 / 100)
    await Vault(context).look(idle=True)
    return made.id


def test_a_gain_on_validation_that_the_vault_lacks_is_told_to_people(measured: Path) -> None:
    async def play() -> int:
        async with opened(Lab(measured)) as context:
            return await a_win_on_validation_alone(context)

    number = asyncio.run(play())
    sentence = f"experiment {number} improved on validation and not on the vault: +0.1900 bits per byte"
    assert sentence in autolab("status", str(measured)).stdout
    assert sentence.replace("-", "\\-") in autolab("report", str(measured)).stdout.replace("-", "\\-")
    shown = autolab("show", str(number), str(measured)).stdout
    assert "7.7100; the gain is not there on the vault" in shown and "(vault 7.7000)" in shown
    assert "7.7100" in autolab("results", str(measured)).stdout
    exported = json.loads(autolab("results", "--json", str(measured)).stdout)
    assert all(set(entry) - {"unsandboxed"} == RESULT_FIELDS for entry in exported), "the contract's fields alone"
    assert "7.7" not in json.dumps(exported)
    (told,) = rows(measured, "SELECT actor, experiment_id FROM events WHERE kind = 'anomaly'")
    assert (told["actor"], told["experiment_id"]) == ("vault", number)


async def everything_an_agent_can_read(context: Context, number: int) -> list[str]:
    """Every brief that there is, and the answer of every tool that reads."""
    experiment = await context.store.experiment(number)
    assert experiment is not None
    asked = {
        "research_brief": briefs.research_brief(context, "researcher", 3),
        "planning_brief": briefs.planning_brief(context, "planner"),
        "patching_brief": briefs.patching_brief(context, "worker-1", experiment, None, False),
        "review_brief": briefs.review_brief(context, "reviewer", experiment),
        "wave_brief": briefs.wave_brief(context, "reviewer"),
        "report_brief": briefs.report_brief(context, "reporter"),
        "solo_brief": briefs.solo_brief(context, "solo", 2, experiment, "is begun"),
    }
    assert set(asked) == {name for name in vars(briefs) if name.endswith("_brief")}, "a brief that is not looked into"
    found = [await brief for brief in asked.values()]
    box = Toolbox(context, "researcher", Playing("a model"))
    questions: dict[str, list[dict[str, object]]] = {
        "list_experiments": [{}, {"state": "promoted"}],
        "read_diff": [{"id": number}],
        "read_file": [{"path": path} for path in ("train.py", "prepare.py", "program.md", "notebook.md")],
    }
    tools: list[Tool] = box.reading()
    assert {tool.spec.name for tool in tools} == set(questions), "a tool that is not asked"
    for tool in tools:
        for arguments in questions[tool.spec.name]:
            found.append((await tool.handler(arguments)).text)
    found += [path.read_text(errors="replace") for path in context.lab.agents.glob("*")]
    return found


def test_no_brief_no_tool_no_notebook_and_no_merge_message_holds_a_word_of_the_vault(measured: Path) -> None:
    async def play() -> list[str]:
        async with opened(Lab(measured)) as context:
            number = await a_win_on_validation_alone(context)
            await context.store.event("anomaly", "autolab", "a slot stands idle")
            assert await Notebook(context).keep()
            found = await everything_an_agent_can_read(context, number)
            found += [path.read_text() for path in (Path(measured) / "roles").glob("*.md")]
            found.append(context.repository.message(context.repository.head("refs/heads/master")))
            return found

    found = asyncio.run(play())
    assert any("a slot stands idle" in text for text in found), "other anomalies do reach agents"
    assert not [text for text in found if "7.7" in text or "vault" in text.lower()]


def test_a_promotion_whose_weights_are_gone_is_told_as_unscored_and_never_tried_again(measured: Path) -> None:
    async def play() -> None:
        async with opened(Lab(measured)) as context:
            made = await recorded(context, "WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.05", (0.80, 0.81, 0.82))
            await Judging(context).merge(made, "a real gain", "autolab")
            assert await Vault(context).look(idle=True) == 0

    asyncio.run(play())
    scores = rows(measured, "SELECT * FROM vault_scores")
    assert len(scores) == 6 and {score["state"] for score in scores} == {"unscored"}
    assert "no longer there" in scores[0]["reason"]
    (verdict,) = rows(measured, "SELECT sentence FROM vault_verdicts")
    assert verdict["sentence"].startswith("nothing to compare")


# -- promotions that only simplify


def simplified(lab: Path, scores: Sequence[float], change: tuple[str, str]) -> tuple[State, str, str]:
    """State, reason and merge message of an experiment with these scores, once it is judged."""

    async def play() -> tuple[State, str, str]:
        async with opened(Lab(lab)) as context:
            for number in (3, 4):  # replicated runs, by which the noise is well known
                change_beside = ("WEIGHT_DECAY = 0.1", f"WEIGHT_DECAY = 0.{number}")
                await recorded(context, *change_beside, (1.31, 1.32, 1.3, 1.311, 1.321))
            made = await recorded(context, *change, scores)
            await Judging(context).judge()
            after = await context.store.experiment(made.id)
            assert after is not None
            message = context.repository.message(context.repository.head("refs/heads/master"))
            return after.state, f"{after.promoted_as}: {after.reason}", message

    return asyncio.run(play())


EQUAL = (1.001, 1.0, 0.999)
REMOVED = (", weight_decay=WEIGHT_DECAY", "")


def test_a_smaller_program_with_the_same_score_is_merged_as_a_simplification_where_that_is_wanted(
    measured: Path,
) -> None:
    set_key(measured, "simplification", "true")
    state, reason, message = simplified(measured, EQUAL, REMOVED)
    assert state is State.PROMOTED and reason.startswith("simplification: a simplification, the score is the same")
    assert "A simplification, the score is the same" in message and "\nPromoted-As: simplification\n" in message
    assert "[simplification]" in autolab("results", str(measured)).stdout
    assert rows(measured, "SELECT 1 FROM events WHERE after = 'promoted' AND reason LIKE 'a simplification%'")


def test_without_that_wish_it_is_not_merged(measured: Path) -> None:
    assert simplified(measured, EQUAL, REMOVED)[0] is State.NOT_CONFIRMED


def test_a_program_of_the_same_size_is_no_simplification(measured: Path) -> None:
    set_key(measured, "simplification", "true")
    change = ("WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.2  # another number")
    assert simplified(measured, EQUAL, change)[0] is State.NOT_CONFIRMED
