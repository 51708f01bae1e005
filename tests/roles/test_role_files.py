"""Role files: the five that come with Autolab, files written for OpenCode, and files that are broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roles.errors import RoleFileError
from roles.role_file import load, shipped
from roles.tools import FINISHING, TOOL_NAMES

ROLES = ("researcher", "planner", "worker", "reviewer", "reporter")
READING = {"read_file", "list_experiments", "read_diff"}
TOOLS_OF = {
    "researcher": READING | {"search_papers", "list_papers", "read_paper", "propose", "finish"},
    "planner": READING | {"queue", "drop", "finish"},
    "worker": READING | {"edit_file", "show_diff", "submit_patch", "give_up"},
    "reviewer": READING | {"approve", "reject", "hand_over"},
    "reporter": READING | {"report"},
}


def written(folder: Path, text: str, name: str = "researcher.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("role", ROLES)
def test_a_shipped_role_file_loads_without_warnings_and_names_its_own_tools_and_how_it_ends(role: str) -> None:
    file = load(shipped(role))
    assert file.name == role and file.description and file.temperature is not None
    assert file.warnings == () and file.tools == {}
    named = set(re.findall(r"`([a-z_]+)`", file.prompt)) & set(TOOL_NAMES)
    assert named <= TOOLS_OF[role]
    last = file.prompt.split("## When you are finished")[1]
    assert TOOLS_OF[role] & FINISHING <= set(re.findall(r"`([a-z_]+)`", last))
    assert "Do not stop before it" in " ".join(last.split())


def test_a_file_in_opencodes_format_loads_as_it_is(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "---\ndescription: Reads papers\nmode: subagent\nmodel: huggingface/Qwen/Qwen3-32B\ntemperature: 0.1\n"
        "tools:\n  write: false\n  edit: false\n  bash: false\npermission:\n  edit: deny\n  bash:\n    '*': ask\n"
        "  webfetch: allow\n---\n\n# Researcher\n\nYou read papers.\n",
    )
    file = load(path)
    assert (file.description, file.model, file.temperature) == ("Reads papers", "huggingface/Qwen/Qwen3-32B", 0.1)
    assert file.prompt == "# Researcher\n\nYou read papers."
    assert file.tools == {} and file.warnings == ()


def test_tools_can_be_taken_away_by_name_by_pattern_and_by_permission(tmp_path: Path) -> None:
    front = "tools: {'*': false, propose: true, 'read_*': true}\npermission: {read_diff: deny, finish: ask}"
    tools = load(written(tmp_path, f"---\n{front}\n---\nGo.")).tools
    assert {name for name, allowed in tools.items() if allowed} == {"propose", "read_file", "read_paper"}
    assert set(tools) == set(TOOL_NAMES)


@pytest.mark.parametrize(
    ("front", "warning"),
    [
        (
            "temprature: 0.2",
            "researcher.md: the key `temprature` is not known and does nothing. Did you mean `temperature`?",
        ),
        ("colour: red", "researcher.md: the key `colour` is not known and does nothing."),
        (
            "tools: {read_dif: false}",
            "researcher.md: the tool `read_dif` is not known and does nothing. Did you mean `read_diff`?",
        ),
        ("permission: {proposal: deny}", "Did you mean `propose`?"),
        ("mode: boss", "`mode` is 'boss'; known are primary, subagent, all"),
    ],
)
def test_what_is_not_known_is_a_warning_that_names_it_and_the_nearest_known(
    tmp_path: Path, front: str, warning: str
) -> None:
    file = load(written(tmp_path, f"---\ndescription: x\n{front}\n---\nGo."))
    assert len(file.warnings) == 1 and warning in file.warnings[0]
    assert file.prompt == "Go."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("You are a researcher.", "has no front matter"),
        ("", "has no front matter"),
        ("---\ndescription: x\nYou are", "has no end"),
        ("---\ndescription: [x\n---\nGo.", "the front matter is broken"),
        ("---\ndescription: a: b\n---\nGo.", ", line 2: the front matter is broken"),
        ("---\ndescription: 2026-99-99\n---\nGo.", "the front matter is broken"),
        ("---\n- a\n- b\n---\nGo.", "holds no keys"),
        ("---\ndescription: x\n---\n\n", "has no text after its front matter"),
        ("---\ntemperature: warm\n---\nGo.", "`temperature` is 'warm'"),
        ("---\ntemperature: true\n---\nGo.", "`temperature` is True"),
        ("---\ntemperature: 20\n---\nGo.", "`temperature` is 20"),
        ("---\nmodel: 3\n---\nGo.", "`model` is 3"),
        ("---\ntools: [read_file]\n---\nGo.", "`tools` must say true or false"),
        ("---\ntools: {read_file: sometimes}\n---\nGo.", "`tools` must say true or false"),
        ("---\npermission: {read_file: never}\n---\nGo.", "`permission` of read_file is 'never'"),
    ],
)
def test_a_broken_file_is_told_in_a_sentence_with_its_path_and_a_remedy(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RoleFileError) as caught:
        load(path)
    assert sentence in caught.value.sentence and str(path) in caught.value.sentence
    assert caught.value.remedy.endswith(".")


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(RoleFileError, match="cannot be read"):
        load(tmp_path / "worker.md")
    (tmp_path / "planner.md").write_bytes(b"---\n\xff\xfe\n---\n")
    with pytest.raises(RoleFileError, match="is not UTF-8"):
        load(tmp_path / "planner.md")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "worker.md").write_bytes(b"\xef\xbb\xbf---\r\ndescription: x\r\n---\r\nGo on.\r\n")
    file = load(tmp_path / "worker.md")
    assert (file.description, file.prompt) == ("x", "Go on.")
