"""What reviewer and reporter can do with single results: lessons that reach everybody, and hopeless work cancelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from orchestrator.context import Context
from orchestrator.lessons import without_lesson
from orchestrator.measurement.judging import Judging
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Proposal
from orchestrator.team import briefs
from orchestrator.team.toolbox import Toolbox
from roles.parameters import ExperimentState
from roles.playing import Playing
from tests.team.team_lab import PLACE, baseline, call, ended, in_lab, told_of, waiting

RATE = ("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3")
MOMENT = ("BETA2 = 0.95", "BETA2 = 0.99")
TAUGHT = "A rate of 2e-3 gains nothing within the noise: the schedule, not the peak, is what limits the model."


def test_lessons_are_asked_for_kept_with_their_experiment_and_told_in_the_next_briefs(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        one = await ended(context, "A higher rate", RATE, 3.01, State.DISCARDED)
        other = await ended(context, "A slower moment", MOMENT, None, State.CRASHED)
        brief = await briefs.wave_brief(context, "reviewer")
        assert f"Results without a lesson:\n- {one.id} A higher rate: discarded" in brief
        tools = Toolbox(context, "reviewer", Playing("a model")).handing_over()
        early = await call(tools, "hand_over", findings="Nothing won.", priorities=[])
        assert early.startswith("refused: ") and f"experiments {one.id}, {other.id} teach" in early
        told = await call(tools, "lesson", id=one.id, lesson=TAUGHT)
        assert "is written down" in told and f"Left of the job: what experiments {other.id} teach" in told
        waits = await waiting(context, "Not run")
        assert "has taught nothing yet" in await call(tools, "lesson", id=waits.id, lesson=TAUGHT)
        assert (
            await call(tools, "hand_over", findings="Nothing won.", priorities=[]) == "The planner has your findings."
        )
        assert [left.id for left in await without_lesson(context.store, 10)] == [other.id]
        assert TAUGHT in await told_of(context, one.id)
        for brief in (await briefs.research_brief(context, "r", 2), await briefs.planning_brief(context, "p")):
            assert f"It taught: {TAUGHT}" in brief
        listed = await call(Toolbox(context, "researcher", Playing("a model")).researching(), "list_experiments")
        assert TAUGHT in listed

    in_lab(bare, play)


class Stops:
    """An executor that only notes which runs it was told to stop."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.stopped: list[tuple[str, bool]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def stop(self, directory: Path, *, now: bool) -> None:
        self.stopped.append((directory.name, now))


def test_a_reporter_cancels_what_waits_or_runs_first_and_nothing_else(bare: Path) -> None:
    async def play(context: Context) -> None:
        start = await baseline(context)
        store, executor = context.store, Stops(context.executor)
        context = replace(context, executor=executor)  # type: ignore[arg-type]
        waits, runs, third = [await waiting(context, title) for title in ("Waits", "Runs", "Waits too")]
        own = await store.add_experiment(
            Proposal("Mine", "It may help.", "me"), author="me", team="person", state=State.QUEUED
        )
        ready = await store.move(runs.id, State.READY, "ready", commit_id="c" * 40, parent=start)
        run = await store.begin_run(ready, RunKind.SCREEN, 1, PLACE, "c" * 40)
        done = await ended(context, "Done", RATE, 3.01, State.DISCARDED)
        tools = Toolbox(context, "reporter", Playing("a model")).reporting()
        why = "three patches of this kind died in the same line"
        assert "a person's own" in await call(tools, "cancel", id=own.id, reason=why)
        assert "is discarded; only what waits, or a first run" in await call(tools, "cancel", id=done.id, reason=why)
        assert "is dropped" in await call(tools, "cancel", id=waits.id, reason=why)
        assert "is being stopped" in await call(tools, "cancel", id=runs.id, reason=why)
        assert executor.stopped == [(str(run.id), False)]
        assert "2 are cancelled in this job already" in await call(tools, "cancel", id=third.id, reason=why)
        await store.end_run(run.id, Measurement("killed", "stopped on order"))
        await Judging(context).judge()
        gone = await store.experiment(runs.id)
        assert gone is not None and gone.state is State.KILLED
        assert gone.reason == f"cancelled by the reporter: {why}"

    in_lab(bare, play)


def test_a_report_with_open_questions_reaches_the_researcher_and_the_notebook(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        tools = Toolbox(context, "reporter", Playing("a model")).reporting()
        question = "Does the rate want to be lower once positions rotate?"
        await call(
            tools, "report", works="Muon.", does_not_work="Depth.", looks_wrong="nothing", open_questions=question
        )
        (note,) = await context.store.notes("report", 1)
        assert note.text.endswith(f"Open questions\n{question}")
        assert f"Open questions, from the last report:\n{question}" in await briefs.research_brief(context, "r", 2)

    in_lab(bare, play)


def test_the_program_and_the_persons_messages_reach_every_role(bare: Path) -> None:
    (bare / "program.md").write_text("# Program\n\nLook at the optimiser first.\n")

    async def play(context: Context) -> None:
        await baseline(context)
        experiment = await ended(context, "A higher rate", RATE, 3.01, State.DISCARDED)
        await context.store.add_letter("all", "No wider models, please.\nNor deeper ones.", "me")
        told = {
            "researcher": await briefs.research_brief(context, "researcher", 2),
            "planner": await briefs.planning_brief(context, "planner"),
            "worker": await briefs.patching_brief(context, "worker-1", experiment, None, False),
            "reviewer": await briefs.review_brief(context, "reviewer", experiment),
            "reviewer after a wave": await briefs.wave_brief(context, "reviewer"),
            "reporter": await briefs.report_brief(context, "reporter"),
        }
        for role, brief in told.items():
            assert (
                "Look at the optimiser first." in brief and "- No wider models, please.\n  Nor deeper ones." in brief
            ), role
        for role in ("worker", "planner", "reporter"):
            await context.store.add_letter(role, f"For the {role} alone.", "me")
        assert "For the reporter alone." in await briefs.report_brief(context, "reporter")
        assert "For the reporter alone." not in await briefs.planning_brief(context, "planner")

    in_lab(bare, play)


def test_lists_stay_short_for_a_language_model_and_are_read_on_page_by_page(bare: Path) -> None:
    async def play(context: Context) -> None:
        for number in range(130):
            proposal = Proposal(f"Idea {number}", "It may help. " * 60, "a test", f"v{number}", "edit " * 200)
            await context.store.add_experiment(proposal, author="r", team="offline", state=State.QUEUED)
        tools = Toolbox(context, "researcher", Playing("a model")).researching()
        first = await call(tools, "list_experiments", limit=5000)
        assert first.count('"title"') == 100 and len(first) < 100_000
        assert 'list_experiments with {\\"before\\": 31}' in first
        rest = await call(tools, "list_experiments", limit=5000, before=31)
        assert rest.count('"title"') == 30 and '"older"' not in rest
        assert (await call(tools, "list_experiments")).count('"title"') == 30

    in_lab(bare, play)


def two_teams(lab: Path) -> None:
    """The lab's teams are the specialists and the control arm."""
    settings = lab / "autolab.toml"
    before = settings.read_text()
    after = before.replace('# teams = ["specialists", "solo", "offline"]', 'teams = ["specialists", "offline"]')
    assert after != before
    settings.write_text(after)


def test_among_several_teams_each_has_its_own_balance_and_its_own_lessons_to_write(bare: Path) -> None:
    two_teams(bare)

    async def play(context: Context) -> None:
        await baseline(context)
        of_offline = await ended(context, "A higher rate", RATE, 3.01, State.DISCARDED)  # the helper's team: offline
        specialists = context.of(next(team for team in context.settings.teams_at_work if team.name == "specialists"))
        planner = Toolbox(specialists, "planner", Playing("a model")).planning()
        stated = await call(planner, "state_balance", exploring=0.8, reason="the wins are few")
        assert "80%" in stated
        told = [await brief(specialists, "r", 2) for brief in (briefs.research_brief, research_of_planner)]
        assert all("80%" in one for one in told), told
        tools = Toolbox(specialists, "reviewer", Playing("a model")).handing_over()
        brief = await briefs.wave_brief(specialists, "reviewer")
        assert "Results without a lesson" not in brief, f"experiment {of_offline.id} is the other team's"
        foreign = await call(tools, "lesson", id=of_offline.id, lesson="Their rate is too high.")
        assert "competes with yours" in foreign
        handed = await call(tools, "hand_over", findings="Nothing of ours ran.", priorities=[])
        assert handed == "The planner has your findings."

    in_lab(bare, play)


async def research_of_planner(context: Context, agent: str, _: int) -> str:
    return await briefs.planning_brief(context, agent)


def test_the_states_that_a_model_may_ask_for_are_those_of_the_lab() -> None:
    assert set(get_args(ExperimentState)) == {state.value for state in State}
