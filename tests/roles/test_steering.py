"""What a reply is held to: a model that gets on is left alone, one that does not is held to what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roles.agent import Finished, GaveUp, Limits, converse
from roles.chat import ToolSpec
from roles.errors import ToolRefusal
from roles.openai_model import OpenAIModel
from roles.steering import IN_VAIN, Answered, Steering
from roles.tools import Answer, Tool, bind
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls
from tests.roles.workbench import BRIEF, SYSTEM, Silent

LOOKS = 4
REFUSED = ToolRefusal("Not so.")


async def _done(arguments: dict[str, Any]) -> Answer:
    return Answer("Done.")


READ, EDIT, QUEUE, FINISH = (bind(name, _done) for name in ("read_file", "edit_file", "queue", "finish"))
TOOLS = [READ, EDIT, QUEUE, FINISH]


def names(specs: Sequence[ToolSpec]) -> list[str]:
    return [spec.name for spec in specs]


def after(*replies: tuple[Tool, ToolRefusal | None], again: bool = False) -> tuple[list[str], str]:
    """What the next reply is held to after such replies of one call each, no two of them alike, and what was told."""
    steering, told = Steering(LOOKS), ""
    for number, (tool, refusal) in enumerate(replies):
        told = steering.take([Answered(tool.name, tool, refusal, str(number))], again)
    return names(steering.held_to(TOOLS, nudged=False)), told


def test_a_model_that_gets_on_is_left_alone_and_one_that_ended_its_turn_is_held_to_any_call() -> None:
    assert after() == after((READ, None), (EDIT, None), (EDIT, REFUSED), (READ, None)) == ([], "")
    assert names(Steering(LOOKS).held_to(TOOLS, nudged=True)) == names([tool.spec for tool in TOOLS])


def test_a_model_that_only_looks_is_told_so_and_held_to_what_moves_the_job_on_until_it_does() -> None:
    looking = [(READ, None)] * LOOKS
    held, told = after(*looking)
    assert held == ["edit_file", "queue", "finish"] and f"only looked for {LOOKS} replies" in told
    assert after(*looking[1:]) == ([], "")
    assert after(*looking, (READ, REFUSED)) == (held, "")  # and is told again after as many
    assert "8 replies" in after(*looking, *looking)[1]
    assert after(*looking, (EDIT, None)) == ([], "")
    # What was refused may have to be looked into: half as long.
    assert after(*looking, (EDIT, REFUSED)) == after(*looking, (EDIT, REFUSED), (READ, None)) == ([], "")
    assert after(*looking, (EDIT, REFUSED), (READ, None), (READ, None))[0] == held


def test_a_model_that_looks_at_the_very_same_is_held_to_other_tools_whatever_page_it_gets() -> None:
    steering = Steering(looks=100)
    for _ in range(IN_VAIN):
        assert steering.held_to(TOOLS, nudged=False) == []
        steering.take([Answered("read_file", READ, None, '{"path": "train.py"}')], again=False)
    assert names(steering.held_to(TOOLS, nudged=False)) == ["edit_file", "queue", "finish"]
    steering.take([Answered("read_file", READ, None, '{"path": "train.py", "start": 9}')], again=False)
    assert steering.held_to(TOOLS, nudged=False) == []


def test_what_a_refusal_asks_for_is_what_the_next_reply_is_held_to_also_after_a_turn_without_a_call() -> None:
    missing = ToolRefusal("1 is neither queued nor dropped.", {"queue": {"id": [1]}})
    assert after((FINISH, missing))[0] == ["queue"] and after((FINISH, missing), (QUEUE, None))[0] == []
    steering = Steering(LOOKS)
    steering.take([Answered("finish", FINISH, missing)], again=False)
    steering.take([], again=False)
    assert names(steering.held_to(TOOLS, nudged=True)) == ["queue"]


def test_what_a_refusal_asks_for_is_asked_at_its_second_time_where_the_call_was_not_the_end() -> None:
    decided = ToolRefusal("Experiment 1 is dropped already.", {"queue": {"id": [2]}})
    assert after((QUEUE, decided))[0] == [] and after((QUEUE, decided), (READ, None), (QUEUE, decided))[0] == []
    steering = Steering(LOOKS)
    for again in (False, False, True):  # the third time in vain, but with another experiment it is another call
        steering.take([Answered("queue", QUEUE, decided)], again)
    (queue,) = steering.held_to(TOOLS, nudged=False)
    assert queue.name == "queue" and queue.parameters["properties"]["id"]["enum"] == [2]
    assert "enum" not in QUEUE.spec.parameters["properties"]["id"]


def test_a_tool_that_is_refused_again_and_again_is_left_out_of_the_next_reply() -> None:
    assert after(*[(QUEUE, REFUSED)] * (IN_VAIN - 1))[0] == []
    assert after(*[(QUEUE, REFUSED)] * IN_VAIN)[0] == ["read_file", "edit_file", "finish"]
    assert after(*[(QUEUE, REFUSED)] * IN_VAIN, (READ, None))[0] == []
    missing = ToolRefusal("1 is neither queued nor dropped.", {"queue": {"id": [1]}})
    assert after((QUEUE, missing), again=True)[0] == ["read_file", "edit_file", "finish"]  # the same call, in vain


async def test_a_planner_that_only_reads_and_ends_too_early_is_held_to_its_decision_over_http() -> None:
    """The scripted server does as a model does whose server decodes by the tools on offer."""
    decided: list[int] = []
    asked: list[tuple[list[str], Any]] = []

    async def queue(arguments: dict[str, Any]) -> Answer:
        decided.append(arguments["id"])
        return Answer("It waits.")

    async def finish(arguments: dict[str, Any]) -> Answer:
        if not decided:
            raise ToolRefusal("Not finished yet: 1 is neither queued nor dropped.", {"queue": {"id": [1]}})
        return Answer("Done.", finished=True)

    def reply(request: Request) -> Scripted:
        offered = [tool["function"]["name"] for tool in request.body["tools"]]
        asked.append((offered, request.body.get("tool_choice")))
        if "read_file" in offered and not decided:
            return calls(("read_file", {"path": "train.py", "start": len(asked)}))
        if "finish" in offered:
            return calls(("finish", {}))
        return calls(("queue", {"id": 1, "priority": 5, "reason": "a small change"}))

    tools = [READ, bind("queue", queue, id=[1]), bind("finish", finish)]
    with OpenAIServer(reply) as server:
        model = OpenAIModel(name="m", base_url=server.url, model="m")
        came = await converse(model, SYSTEM, BRIEF, tools, Silent(), Limits(looks=LOOKS))
        await model.aclose()
    assert isinstance(came, Finished) and decided == [1], isinstance(came, GaveUp) and came.reason
    everything = (["read_file", "queue", "finish"], None)
    assert asked == [*[everything] * LOOKS, (["queue", "finish"], "required"), (["queue"], "required"), everything]
