"""Condensing: an old conversation becomes short, and stays one that servers take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.agent import CallRecord, converse
from roles.chat import Message, ToolCall
from roles.record import Trouble
from roles.window import SUMMARY, condensed, size
from tests.roles.test_agent import SUBMIT, Desk, Lines, ScriptedModel, calling

HEAD = [Message("system", "You are a worker."), Message("user", "Experiment 1")]


def turns(lengths: Sequence[int]) -> list[Message]:
    """A conversation of reads whose answers have these lengths."""
    made = list(HEAD)
    for number, length in enumerate(lengths):
        call = ToolCall(f"c{number}", "read_file", json.dumps({"path": f"file{number}.py", "old": "o" * (length // 3)}))
        made += [Message("assistant", "I read.", (call,)), Message("tool", "x" * length, tool_call_id=call.id)]
    return made


def test_a_conversation_that_fits_is_left_alone() -> None:
    history = turns([100, 100])
    assert condensed(history, 10**6) == history


def test_long_old_answers_go_first_and_the_newest_stay_whole() -> None:
    history = turns([5000, 5000, 700, 700])
    short = condensed(history, 5000)
    assert size(short) <= 5000
    assert short[:2] == HEAD and short[-4:] == history[-4:]
    assert "5000 characters" in short[3].content


def test_of_older_turns_a_line_each_is_kept() -> None:
    short = condensed(turns([800] * 30), 4000)
    assert size(short) <= 4000
    assert short[2].content.startswith(SUMMARY) and "- read_file" in short[2].content
    again = condensed([*short, *turns([800] * 10)[2:]], 4000)
    assert size(again) <= 4000
    assert sum(message.content.startswith(SUMMARY) for message in again) == 1
    newest_line, oldest_turn = again[2].content.splitlines()[-1], again[3].tool_calls[0].arguments
    number = int(json.loads(oldest_turn)["path"].removeprefix("file").removesuffix(".py"))
    assert f"file{number - 1}.py" in newest_line


@given(st.lists(st.integers(0, 20_000), max_size=12), st.integers(500, 30_000))
def test_whatever_is_left_is_a_conversation_that_servers_take(lengths: list[int], most: int) -> None:
    short = condensed(turns(lengths), most)
    assert short[:2] == HEAD
    assert size(short) <= max(most, size(turns(lengths)))
    called: set[str] = set()
    for message in short:
        for call in message.tool_calls:
            assert isinstance(json.loads(call.arguments), dict)
            called.add(call.id)
        if message.role == "tool":
            assert message.tool_call_id in called


@pytest.mark.parametrize(
    ("counted", "cut"),
    [
        ([1000, 4000, 7000, 9900], False),
        ([1000, 4096, 4096, 4096], True),  # it grows, and the count does not
        ([1000, 4000, 2000, 2050], True),  # it is cut in half
        ([60, 600, 1100, 1150], True),  # the count is too small for any language
    ],
)
async def test_a_server_that_reads_only_a_part_of_a_prompt_is_found_by_its_count(counted: list[int], cut: bool) -> None:
    desk, journal, records = Desk("x" * 12_000), Lines(), list[CallRecord]()
    read = [calling(("read_file", {"path": f"train.py{' ' * number}"})) for number in range(3)]
    replies = [replace(reply, tokens_in=n) for reply, n in zip([*read, calling(SUBMIT)], counted, strict=True)]
    await converse(ScriptedModel(*replies), "role", "brief", desk.tools(), journal, on_call=records.append)
    assert len(records) == 4
    assert any(Trouble.PROMPT_CUT in record.troubles for record in records) is cut
    assert sum("reads only a part" in str(note) for note in journal.of("note")) == cut
