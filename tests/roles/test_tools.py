"""The tools: schemas that any server understands, arguments checked with sentences that a model can use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roles.errors import WrongArguments
from roles.parameters import PARAMETERS
from roles.tools import FINISHING, TOOL_NAMES, Answer, Tool, bind, spec_of


async def echo(arguments: dict[str, Any]) -> Answer:
    return Answer(json.dumps(arguments))


def tool(name: str) -> Tool:
    return bind(name, echo)


@pytest.mark.parametrize("name", TOOL_NAMES)
def test_every_tool_is_described_with_a_plain_schema_and_an_example_that_fits_it(name: str) -> None:
    spec = spec_of(name)
    assert spec.name == name and len(spec.description) > 30 and "\n" not in spec.description
    assert spec.parameters["type"] == "object" and spec.parameters["additionalProperties"] is False
    text = json.dumps(spec.parameters)
    assert "$ref" not in text and "anyOf" not in text and '"title": "' not in text
    assert all(one.get("description") and one.get("type") for one in spec.parameters["properties"].values())
    tool(name).check(PARAMETERS[name].example)


def test_the_finishing_tools_are_those_of_the_five_roles() -> None:
    assert {"finish", "submit_patch", "give_up", "approve", "reject", "hand_over", "report"} == FINISHING


async def test_a_handler_gets_the_arguments_with_every_default_filled_in() -> None:
    answer = await tool("read_file")({"path": "train.py"})
    assert json.loads(answer.text) == {"path": "train.py", "start": 1, "lines": 1000}


async def test_an_argument_that_names_one_of_few_things_says_which_there_are() -> None:
    told = bind("read_file", echo, path=["train.py", "notes.md"])
    assert told.spec.parameters["properties"]["path"]["enum"] == ["train.py", "notes.md"]
    assert "enum" not in tool("read_file").spec.parameters["properties"]["path"], "the catalogue stays as it is"
    assert '"enum":["train.py","notes.md"]' in told.usage
    assert json.loads((await told({"path": "another.py"})).text)["path"] == "another.py", (
        "its handler refuses, in words"
    )


def test_what_is_clearly_meant_is_taken() -> None:
    assert tool("read_file").check({"path": "train.py", "start": None, "lines": "20"})["lines"] == 20
    assert tool("list_experiments").check({"limit": None, "state": None}) == {
        "limit": 30,
        "before": None,
        "state": None,
    }
    given = {"findings": "Muon won.", "priorities": '[{"id": 3, "priority": 20, "reason": "near it"}]'}
    assert tool("hand_over").check(given)["priorities"] == [{"id": 3, "priority": 20, "reason": "near it"}]


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("queue", {"id": 1, "priority": 5000, "reason": "x y"}, "`priority` is 5000: input should be less than"),
        (
            "queue",
            {"id": "twelve", "priority": 5, "reason": "x y"},
            '`id` is "twelve": input should be a valid integer',
        ),
        ("queue", {"id": None, "priority": 5, "reason": "x y"}, "`id` is null:"),
        ("drop", {}, "`id` is missing. `reason` is missing."),
        ("drop", {"id": 1, "reasons": "x"}, "There is no argument `reasons`; did you mean `reason`?"),
        ("hand_over", {"findings": "it won", "priorities": [{"id": 3}]}, "`priorities.0.priority` is missing."),
        (
            "hand_over",
            {"findings": "it won", "priorities": "later"},
            '`priorities` is "later": input should be a valid list',
        ),
        ("edit_file", {"path": "train.py", "old": "", "new": "x"}, "`old` is"),
        ("propose", {**PARAMETERS["propose"].example, "title": "x" * 500}, "`title` is"),
    ],
)
def test_what_is_wrong_is_said_by_name(name: str, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongArguments) as caught:
        tool(name).check(given)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_states_something_of_the_lab_must_be_in_the_models_own_words() -> None:
    own = {name for name in TOOL_NAMES if PARAMETERS[name].own_words}
    assert {"report", "hand_over", "approve", "reject", "give_up", "queue", "drop", "lesson", "cancel"} <= own
    assert not own & {"read_file", "list_experiments", "edit_file", "propose", "submit_patch", "finish"}
