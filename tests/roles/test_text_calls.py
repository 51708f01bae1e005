"""Reading what models write: mended JSON, calls in text, thoughts, repetition."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.chat import Message, ToolCall
from roles.json_repair import object_of
from roles.repetition import Repetition, once, period
from roles.text_calls import as_text, calls_in, fenced
from roles.thoughts import spoken
from roles.tools import spec_of

NAMES = ["read_file", "edit_file", "submit_patch"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


@given(OBJECTS)
def test_json_that_is_whole_is_read_as_it_is(value: dict[str, Any]) -> None:
    assert object_of(json.dumps(value)) == (value, False)


@given(OBJECTS)
def test_an_object_whose_last_brackets_are_missing_is_read_or_refused_but_never_changed(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert object_of(text[:-1])[0] == value
    with contextlib.suppress(ValueError):
        assert object_of(f"{text[:-1]}]")[0] == value


@given(OBJECTS, st.integers(0, 200))
def test_arguments_cut_at_the_length_limit_are_never_completed(value: dict[str, Any], at: int) -> None:
    text = json.dumps(value)
    if 0 < at < len(text):
        with pytest.raises(ValueError):
            object_of(text[:at], whole=False)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        found, _ = object_of(text)
        assert isinstance(found, dict)
    except ValueError as error:
        assert str(error)
    calls_in(text, NAMES)
    assert spoken(text) is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,], "b": "x,}"}', {"a": [1, 2], "b": "x,}"}),
        ("{'a': True, 'b': None}", {"a": True, "b": None}),
        ('{"a": {"b": 1}', {"a": {"b": 1}}),
        ('{"a": 1}}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        (r'{"a": "\d+ \'x\'"}', {"a": r"\d+ 'x'"}),
        ('{"a": 1}<|im_end|>', {"a": 1}),
        ('[{"a": 1}]', {"a": 1}),
    ],
)
def test_what_leaves_one_reading_is_mended(text: str, found: dict[str, Any]) -> None:
    assert object_of(text) == (found, True)


@pytest.mark.parametrize("text", ['{"a": "b', '{"a": 1}{"a": 2}', '{"a": }', "a: 1", "[1]", "3", "[" * 100_000])
def test_what_leaves_more_than_one_reading_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        object_of(text)


@given(st.sampled_from(NAMES), OBJECTS)
def test_a_call_written_as_told_is_read_back(name: str, arguments: dict[str, Any]) -> None:
    if "```" in json.dumps(arguments):
        return
    text, found = calls_in(f"I do this.\n{fenced(name, arguments)}\n", NAMES)
    assert text == "I do this."
    assert [(call, json.loads(given)) for call, given in found] == [(name, arguments)]


@pytest.mark.parametrize(
    "text",
    [
        "```python\ndef read_file(path):\n    return path\n```",
        'The configuration is {"name": "train", "arguments": {}}.',
        "I could call read_file and then submit_patch.",
        '<think>{"name": "read_file", "arguments": {}}</think>',
    ],
)
def test_code_and_talk_of_calls_are_no_calls(text: str) -> None:
    assert calls_in(text, NAMES)[1] == []


def test_a_conversation_in_text_explains_the_tools_and_alternates() -> None:
    history = [
        Message("system", "You are a worker."),
        Message("user", "Go."),
        Message("assistant", "I read.", (ToolCall("1", "read_file", '{"path": "a"}'),)),
        Message("tool", "the file", tool_call_id="1"),
        Message("user", "a nudge"),
    ]
    told = as_text(history, [spec_of("read_file")])
    assert [message.role for message in told] == ["system", "user", "assistant", "user"]
    assert "read_file: Read a file" in told[0].content and '"required":["path"]' in told[0].content
    assert calls_in(told[2].content, NAMES) == ("I read.", [("read_file", '{"path": "a"}')])
    assert told[3].content == "[answer of read_file]\nthe file\n\na nudge"


def test_thoughts_are_taken_out_whole_open_and_without_a_beginning() -> None:
    assert spoken("<think>a</think>b<think>c</think>d") == "bd"
    assert spoken("b<think>and on") == "b"
    assert spoken("a thought</think>b<|im_end|>") == "b"


def test_repetition_is_noticed_within_a_bound_and_ordinary_text_is_not_repetition() -> None:
    watched, characters = Repetition(), 0
    while not watched.take("again and again, "):
        characters += 17
        assert characters < 4000
    ordinary = Repetition()
    assert not any(ordinary.take(f"line {number}: x = {number * number}\n") for number in range(2000))


@given(st.text(min_size=1, max_size=20), st.text(max_size=30))
def test_the_period_of_a_repeated_text_is_found_and_one_copy_kept(unit: str, before: str) -> None:
    text = before + unit * 2600
    assert period((unit * 50)[:200]) <= len(unit)
    kept = once(text)
    assert text.startswith(kept) and len(kept) <= len(before) + len(unit)
