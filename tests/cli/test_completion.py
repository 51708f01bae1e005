"""The completion rate: what counts as a try of a model at a job, and what as its end."""

from __future__ import annotations

from typing import Any

from orchestrator.report.completion import Completion, counted


def calls(
    *told: tuple[str, str, str, str], agent: str = "worker-1", role: str = "worker", troubles: str = "[]"
) -> list[dict[str, Any]]:
    """Each as (at, job, model, outcome)."""
    same = {"agent": agent, "role": role, "experiment_id": None, "troubles": troubles}
    return [{**same, "at": at, "job": job, "model": model, "outcome": outcome} for at, job, model, outcome in told]


def test_several_calls_of_a_job_are_one_try_and_it_is_complete_when_one_finished_it() -> None:
    found = counted(
        calls(
            ("01", "patch 1", "small", "went on"),
            ("02", "patch 1", "small", "no call"),
            ("03", "patch 1", "small", "finished"),
            ("04", "patch 2", "small", "went on"),
            ("05", "patch 3", "small", "finished"),
        ),
        [],
    )
    assert found == [Completion("worker", "small", 3, 2)]
    assert found[0].as_json()["rate"] == 0.6667


def test_a_job_that_the_next_model_finishes_is_a_failure_of_the_one_before_it() -> None:
    found = counted(calls(("01", "p", "small", "no call"), ("02", "p", "large", "finished")), [])
    assert found == [Completion("worker", "large", 1, 1), Completion("worker", "small", 1, 0)]


def test_the_same_job_given_up_twice_is_two_tries() -> None:
    tried = calls(
        ("01", "propose", "m", "refused"), ("03", "propose", "m", "refused"), ("05", "propose", "m", "finished")
    )
    given_up = [{"agent": "worker-1", "at": "02"}, {"agent": "worker-1", "at": "04"}]
    assert counted(tried, given_up) == [Completion("worker", "m", 3, 1)]


def test_a_try_that_goes_on_and_one_that_was_taken_away_do_not_count() -> None:
    going = calls(("01", "p", "m", "went on"))
    assert counted(going, [], busy=["worker-1"]) == []
    assert counted(going, []) == [Completion("worker", "m", 1, 0)], "the daemon was killed in the middle of it"
    assert counted(calls(("01", "p", "m", "went on"), ("02", "p", "m", "cancelled")), []) == []


def test_a_job_in_which_no_reply_ever_came_tells_nothing_of_the_model() -> None:
    unreachable = calls(("01", "propose", "m", "failed"), ("03", "propose", "m", "failed"))
    given_up = [{"agent": "worker-1", "at": "02"}, {"agent": "worker-1", "at": "04"}]
    assert counted(unreachable, given_up) == []
    back = [*unreachable, *calls(("05", "propose", "m", "went on"), ("06", "propose", "m", "finished"))]
    assert counted(back, given_up) == [Completion("worker", "m", 1, 1)]
    broke_off = calls(("01", "p", "m", "went on"), ("02", "p", "m", "failed"))
    assert counted(broke_off, []) == [Completion("worker", "m", 1, 0)], "it was asked, and did not finish"
    assert counted(calls(("01", "p", "m", "cut"), ("02", "p", "m", "failed")), []) == [Completion("worker", "m", 1, 0)]
    no_room = calls(("01", "p", "m", "failed"), troubles='["context_full", "model_failed"]')
    assert counted(no_room, []) == [Completion("worker", "m", 1, 0)], "its window has no room for the job"


def test_agents_roles_and_models_are_told_apart() -> None:
    mixed = [
        *calls(("01", "p", "m", "finished")),
        *calls(("01", "p", "m", "no call"), agent="worker-2"),
        *calls(("02", "r", "m", "finished"), agent="reviewer", role="reviewer"),
    ]
    assert counted(mixed, []) == [Completion("reviewer", "m", 1, 1), Completion("worker", "m", 2, 1)]
