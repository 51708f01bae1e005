"""The agent loop with a scripted model: whatever the model does, the job comes to an end and the reason is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from roles.agent import Finished, GaveUp, Limits, converse
from roles.chat import Message, Reply, ToolCall, ToolSpec
from roles.errors import ModelError, ToolRefusal
from roles.openai_model import OpenAIModel
from roles.parameters import PARAMETERS
from roles.tools import Answer, Tool, bind
from tests.roles.openai_server import OpenAIServer, Scripted, call_pieces, calls, chunk, fails, says


class ScriptedModel:
    """Gives its replies in order, the last one for ever; keeps what it was told."""

    def __init__(self, *replies: Reply | ModelError) -> None:
        self._replies = replies
        self.told: list[Sequence[Message]] = []

    @property
    def name(self) -> str:
        return "scripted"

    async def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        on_text: Callable[[str], None],
        must_call: Sequence[ToolSpec] = (),
    ) -> Reply:
        self.told.append(messages)
        reply = self._replies[min(len(self.told), len(self._replies)) - 1]
        if isinstance(reply, ModelError):
            raise reply
        on_text(reply.text)
        return reply

    @property
    def last_words(self) -> str:
        """What the model was told last."""
        return self.told[-1][-1].content


class Lines:
    """A journal that keeps what happened."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []

    def thinking(self) -> None:
        self.lines.append(("thinking",))

    def text(self, piece: str) -> None:
        self.lines.append(("text", piece))

    def call(self, name: str, arguments: str) -> None:
        self.lines.append(("call", name, arguments))

    def answer(self, name: str, text: str) -> None:
        self.lines.append(("answer", name, text))

    def note(self, text: str) -> None:
        self.lines.append(("note", text))

    def usage(self, tokens_in: int, tokens_out: int) -> None:
        self.lines.append(("usage", tokens_in, tokens_out))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [line[1:] for line in self.lines if line[0] == kind]


def prose(text: str, finish_reason: str = "stop", **more: Any) -> Reply:
    return Reply(text, (), 10, 5, finish_reason, **more)


def calling(*wanted: tuple[str, Any], text: str = "", finish_reason: str = "tool_calls") -> Reply:
    """A reply with calls; arguments that are no text are written as JSON."""
    made = tuple(
        ToolCall(f"c{number}", name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        for number, (name, arguments) in enumerate(wanted)
    )
    return Reply(text, made, 10, 5, finish_reason)


SUBMIT = ("submit_patch", {"summary": "done"})
EDIT = ("edit_file", {"path": "train.py", "old": "a", "new": "b"})


class Desk:
    """A worker's tools over one text."""

    def __init__(self, text: str = "a") -> None:
        self.file = text
        self.called: list[str] = []

    def tools(self) -> list[Tool]:
        return [
            bind("read_file", self._read),
            bind("edit_file", self._edit),
            bind("submit_patch", self._end),
            bind("give_up", self._end),
        ]

    async def _read(self, arguments: dict[str, Any]) -> Answer:
        self.called.append("read_file")
        return Answer(self.file)

    async def _edit(self, arguments: dict[str, Any]) -> Answer:
        self.called.append("edit_file")
        if self.file.count(arguments["old"]) != 1:
            raise ToolRefusal("`old` does not occur exactly once.")
        self.file = self.file.replace(arguments["old"], arguments["new"])
        return Answer("train.py is changed.")

    async def _end(self, arguments: dict[str, Any]) -> Answer:
        self.called.append("end")
        return Answer("The patch is submitted.", finished=True)


async def hold(model: Any, desk: Desk, journal: Lines | None = None, **limits: int) -> Finished | GaveUp:
    return await converse(
        model, "You are a worker.", "Experiment 1", desk.tools(), journal or Lines(), Limits(**limits)
    )


# -- the way it should go


async def test_a_job_ends_with_its_finishing_call_and_what_it_cost() -> None:
    model, desk, journal = (
        ScriptedModel(calling(("read_file", {"path": "train.py"}), text="I read."), calling(SUBMIT)),
        Desk(),
        Lines(),
    )
    came = await hold(model, desk, journal)
    assert came == Finished("submit_patch", {"summary": "done"}, "The patch is submitted.", 20, 10)
    assert [message.role for message in model.told[-1]] == ["system", "user", "assistant", "tool"]
    assert model.told[-1][-1] == Message("tool", "a", tool_call_id="c0")
    assert journal.lines[:5] == [
        ("thinking",),
        ("text", "I read."),
        ("usage", 10, 5),
        ("call", "read_file", '{"path": "train.py"}'),
        ("answer", "read_file", "a"),
    ]


async def test_several_calls_of_one_reply_are_carried_out_in_their_order() -> None:
    edits = [("edit_file", {"path": "train.py", "old": old, "new": new}) for old, new in ("ab", "bc", "cd")]
    desk = Desk()
    came = await hold(ScriptedModel(calling(*edits, SUBMIT)), desk)
    assert isinstance(came, Finished)
    assert (desk.file, desk.called) == ("d", ["edit_file"] * 3 + ["end"])


async def test_nothing_is_carried_out_after_the_finishing_call() -> None:
    desk = Desk()
    await hold(ScriptedModel(calling(SUBMIT, EDIT)), desk)
    assert desk.called == ["end"]


async def test_a_finishing_call_is_held_back_when_a_call_before_it_in_the_same_reply_failed() -> None:
    wrong = ("edit_file", {"path": "train.py", "old": "not there", "new": "b"})
    model, desk = ScriptedModel(calling(wrong, SUBMIT), calling(EDIT, SUBMIT)), Desk()
    came = await hold(model, desk)
    assert isinstance(came, Finished) and desk.called == ["edit_file", "edit_file", "end"]
    held_back = model.last_words
    assert "Not carried out, because edit_file failed before it" in held_back


async def test_a_tool_that_refuses_to_finish_lets_the_model_go_on() -> None:
    refusals = iter(["The patch changes nothing."])

    async def submit(_: dict[str, Any]) -> Answer:
        for refusal in refusals:
            raise ToolRefusal(refusal)
        return Answer("The patch is submitted.", finished=True)

    model = ScriptedModel(calling(SUBMIT))
    came = await converse(model, "s", "b", [bind("submit_patch", submit)], Lines())
    assert isinstance(came, Finished)
    assert model.last_words == "The patch changes nothing."


# -- calls that are wrong


@pytest.mark.parametrize(
    ("call", "answered"),
    [
        (("edit_fil", "{}"), "There is no tool 'edit_fil'. Did you mean edit_file? The tools are: read_file,"),
        (("fly", "{}"), "There is no tool 'fly'. The tools are: read_file,"),
        (("", "{}"), "There is no tool ''."),
        (("read_file", '{"path": "train'), "The arguments of read_file are not valid JSON (Unterminated string"),
        (("read_file", '["train.py"]'), "The arguments of read_file are valid JSON but no object."),
        (("read_file", ""), "Wrong arguments for read_file: `path` is missing."),
        (("read_file", {"path": 3}), "`path` is 3: input should be a valid string."),
        (("read_file", {"path": "train.py", "start": "two"}), '`start` is "two": input should be a valid integer'),
        (("read_file", {"path": "train.py", "line": 3}), "There is no argument `line`; did you mean `lines`?"),
        (("read_file", '{"path": "\\ud83d"}'), "`path` is"),
        (("read_file", "[" * 100_000), "The arguments of read_file are not valid JSON"),
    ],
)
async def test_a_wrong_call_is_answered_with_what_is_wrong_and_the_model_goes_on(call: Any, answered: str) -> None:
    model, desk = ScriptedModel(calling(call), calling(SUBMIT)), Desk()
    came = await hold(model, desk)
    assert isinstance(came, Finished) and desk.called == ["end"]
    assert answered in model.last_words
    if call[0] == "read_file":
        assert '"required":["path"]' in model.last_words and 'Example: {"path":"train.py"}' in model.last_words


async def test_a_broken_call_goes_back_to_the_server_in_a_form_that_servers_accept() -> None:
    model = ScriptedModel(calling(("read_file", '{"path": "tr')), calling(SUBMIT))
    await hold(model, Desk())
    (sent,) = [message for message in model.told[-1] if message.tool_calls]
    assert json.loads(sent.tool_calls[0].arguments) == {}


async def test_line_breaks_in_strings_and_an_object_written_as_a_string_are_understood() -> None:
    desk = Desk("a\nb")
    raw = '{"path": "train.py", "old": "a\nb", "new": "c"}'
    model = ScriptedModel(calling(("edit_file", raw)), calling(("submit_patch", json.dumps('{"summary": "x"}'))))
    came = await hold(model, desk)
    assert isinstance(came, Finished) and came.arguments == {"summary": "x"}
    assert desk.file == "c"


async def test_a_call_cut_at_the_length_limit_is_told_so() -> None:
    model = ScriptedModel(calling(("edit_file", '{"path": "tra'), finish_reason="length"), calling(SUBMIT))
    await hold(model, Desk())
    assert "cut at its length limit" in model.last_words


async def test_a_long_answer_is_stored_and_read_page_by_page() -> None:
    text = "".join(f"{number:09d}\n" for number in range(25))
    more = [calling(("read_more", {"id": 1, "page": page})) for page in (2, 3, 4)]
    model = ScriptedModel(calling(("read_file", {"path": "train.py"})), *more, calling(SUBMIT))
    await hold(model, Desk(text), answer_characters=100)
    shown = [message.content for message in model.told[-1] if message.role == "tool"]
    assert "".join(one.split("\n[page")[0] for one in shown[:3]) == text
    assert shown[0].endswith('[page 1 of 3 of answer 1; for the next call read_more with {"id": 1, "page": 2}]')
    assert shown[3] == "Answer 1 has 3 pages only."


async def test_an_answer_in_json_stays_whole_because_half_of_it_says_nothing() -> None:
    async def list_experiments(_: dict[str, Any]) -> Answer:
        return Answer(json.dumps({"experiments": list(range(500))}))

    model = ScriptedModel(calling(("list_experiments", {})), calling(SUBMIT))
    tools = [bind("list_experiments", list_experiments), *Desk().tools()]
    await converse(model, "s", "b", tools, Lines(), Limits(answer_characters=100))
    assert len(json.loads(model.last_words)["experiments"]) == 500


async def test_a_mistake_in_the_engine_is_no_answer_for_the_model() -> None:
    async def broken(_: dict[str, Any]) -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await converse(ScriptedModel(calling(SUBMIT)), "s", "b", [bind("submit_patch", broken)], Lines())


# -- replies without a call


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (prose("I have finished."), "your reply called no tool"),
        (prose("  "), "your reply was empty"),
        (prose("so I think", "length"), "was cut at its length limit"),
        (prose('<tool_call>{"name": "submit_patch"}</tool_call>'), "wrote a tool call as text"),
        (prose('{"name": "submit_patch", "arguments": {}}'), "wrote a tool call as text"),
        (prose("I now call submit_patch(summary='x')."), "wrote a tool call as text"),
    ],
)
async def test_a_reply_without_a_call_is_nudged_with_what_is_missing_and_an_example(reply: Reply, why: str) -> None:
    model, journal = ScriptedModel(reply, calling(SUBMIT)), Lines()
    came = await hold(model, Desk(), journal)
    assert isinstance(came, Finished)
    nudge = model.told[-1][-1]
    assert nudge.role == "user" and why in nudge.content
    assert "end it with `submit_patch` or `give_up`" in nudge.content
    assert "Example:" in nudge.content
    assert journal.of("note") == [("no tool was called; nudge 1 of 3, and nothing but a call is asked for",)]
    assert all(message.content for message in model.told[-1])


async def test_a_model_that_never_calls_anything_is_given_up_after_the_nudges() -> None:
    model = ScriptedModel(prose("I would rather talk."))
    came = await hold(model, Desk(), nudges=3)
    assert came == GaveUp("the model ended its turn 4 times without calling a tool (in 2 contexts)", 80, 40)
    assert [len(told) for told in model.told] == [2, 4, 6, 8] * 2


async def test_a_model_that_goes_round_in_circles_is_given_up_after_so_many_replies() -> None:
    model = ScriptedModel(calling(("read_file", {"path": "train.py"})))
    came = await hold(model, Desk(), calls=7)
    assert isinstance(came, GaveUp) and "after 7 replies" in came.reason
    assert len(model.told) == 7


async def test_a_role_whose_finishing_tools_are_all_taken_away_is_told_before_a_token_is_spent() -> None:
    model = ScriptedModel(prose("never asked"))
    came = await converse(model, "s", "b", Desk().tools()[:2], Lines())
    assert isinstance(came, GaveUp) and "none of the tools at hand ends the job" in came.reason
    assert not model.told


# -- the model's own failures


async def test_a_model_that_fails_ends_the_job_with_its_sentence_and_remedy() -> None:
    model = ScriptedModel(calling(("read_file", {"path": "x"})), ModelError("The model is gone.", "Start it."))
    assert await hold(model, Desk()) == GaveUp("The model is gone. Start it.", 10, 5)


async def test_tokens_that_were_only_estimated_are_noted_once() -> None:
    journal = Lines()
    await hold(ScriptedModel(prose("a", estimated=True), prose("b", estimated=True), calling(SUBMIT)), Desk(), journal)
    assert [note for (note,) in journal.of("note") if "estimates" in note] == [
        "the server counts no tokens: the counts are estimates by length"
    ]


async def test_cancelling_passes_at_once_and_stops_the_stream() -> None:
    journal = Lines()
    with OpenAIServer([Scripted([chunk({"content": "I begin"})], end="hang")]) as server:
        model = OpenAIModel(name="test", base_url=server.url, model="scripted")
        talk = asyncio.create_task(hold(model, Desk(), journal))
        async with asyncio.timeout(10):
            while not journal.of("text"):
                await asyncio.sleep(0.01)
        talk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(talk, 2)
        assert await asyncio.to_thread(server.hung_up.wait, 5)
        await model.aclose()


async def test_a_whole_job_over_http_survives_what_weak_models_and_poor_endpoints_do() -> None:
    replies = [
        fails(429, "slow down", Retry_After="0.05"),
        says("Sure! I will read the file."),
        Scripted(call_pieces(0, "read_file", '{"path": "train.py"}')[:2], end="drop"),
        calls(("read_file", {"path": "train.py"})),
        calls(("edit_file", {"path": "train.py", "old": "zzz", "new": "b"}), ("submit_patch", {"summary": "x"})),
        fails(500),
        calls(EDIT),
        says("The patch is complete."),
        calls(SUBMIT),
    ]
    desk = Desk()
    with OpenAIServer(replies) as server:
        model = OpenAIModel(name="test", base_url=server.url, model="scripted", retry_seconds=0.01)
        came = await hold(model, desk)
        await model.aclose()
        for request in server.requests:
            for message in request.body["messages"]:
                for call in message.get("tool_calls", []):
                    assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert isinstance(came, Finished) and came.tool == "submit_patch"
    assert desk.file == "b"
    assert len(server.requests) == len(replies)


async def test_the_sentence_of_a_tools_example_is_not_taken_for_what_the_model_has_to_say() -> None:
    example = PARAMETERS["give_up"].example
    model = ScriptedModel(calling(("give_up", example)), calling(("give_up", {"reason": "there is no GELU here"})))
    came = await converse(model, "s", "b", Desk().tools(), Lines())
    assert isinstance(came, Finished) and came.arguments == {"reason": "there is no GELU here"}
    assert came.troubles["copied_example"] == 1 and "in your own words" in model.last_words


async def test_an_example_that_states_nothing_may_be_copied() -> None:
    desk = Desk()
    came = await converse(
        ScriptedModel(calling(("read_file", {"path": "train.py"})), calling(SUBMIT)), "s", "b", desk.tools(), Lines()
    )
    assert isinstance(came, Finished) and desk.called == ["read_file", "end"] and not came.troubles
