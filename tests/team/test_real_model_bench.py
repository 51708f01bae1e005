"""The bench that lets a real model play the roles, tried with a server whose replies are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from real_figures import GAVE_UP, read, summed
from real_model import main

from roles.offline.scripts import next_turn
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls, fails, says
from tests.team.test_language_model_team import _messages


def able(request: Request) -> Scripted:
    """Plays every role by the offline model's rules."""
    tools = {tool["function"]["name"] for tool in request.body["tools"]}
    turn = next_turn(_messages(request.body), tools, 0)
    return calls(*((call.name, json.loads(call.arguments)) for call in turn.calls), text=turn.words)


def hasty(request: Request) -> Scripted:
    """Ends every job at once, if it may."""
    return calls(("finish", {"summary": "done"}))


def idle(request: Request) -> Scripted:
    return says(f"I would think about it {len(request.body['messages'])} times.")


def played(reply: Callable[[Request], Scripted], keep: Path, *words: str) -> int:
    with OpenAIServer(reply) as server:
        return main(["--base-url", server.url, "--model", "scripted", "--keep", str(keep), *words])


def test_a_model_that_knows_its_job_holds_every_role_without_a_fault(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert played(able, tmp_path, "--turns", "4") == 0
    printed = capsys.readouterr().out
    for role in ("researcher", "planner", "reviewer", "reporter"):
        assert f"{role}: holds the role." in printed
        assert summed(role, read(tmp_path / "jobs.jsonl", role)).finished == 1
    worker = summed("worker", read(tmp_path / "jobs.jsonl", "worker"))
    assert worker.ends["declined"] == worker.jobs, "the rules know no edit for a person's words"


def test_a_run_that_was_interrupted_goes_on_where_it_stood(corpus: Path, tmp_path: Path) -> None:
    assert played(idle, tmp_path, "--turns", "1", "--roles", "reviewer") == 0
    first = read(tmp_path / "jobs.jsonl", "reviewer")
    assert played(idle, tmp_path, "--turns", "9", "--roles", "reviewer") == 0
    after = read(tmp_path / "jobs.jsonl", "reviewer")
    assert len(first) == 1 and after[:1] == first
    assert [job.title.split()[1] for job in after] == ["6:", "the"], "the kinds of job go on in turn"
    assert summed("reviewer", after).ends == {GAVE_UP: 2}


def test_a_model_that_ends_its_jobs_at_once_is_told_what_is_left_and_given_up(corpus: Path, tmp_path: Path) -> None:
    assert played(hasty, tmp_path, "--turns", "1", "--roles", "planner") == 0
    (job,) = read(tmp_path / "jobs.jsonl", "planner")
    assert job.end == GAVE_UP and "finish" not in job.accepted and len(job.turns) <= 12


def test_a_server_that_never_answers_ends_the_bench_with_the_reason(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"No reply comes: .*refuses the key"):
        played(lambda _: fails(401, "no"), tmp_path, "--roles", "reporter")
    assert not (tmp_path / "jobs.jsonl").exists()
