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
    "planner": READING
    | {"queue", "drop", "merge_duplicates", "request_follow_up", "combine", "tune_constant", "state_balance", "finish"},
    "worker": READING
    | {"edit_file", "replace_function", "show_diff", "check_patch", "smoke_run", "submit_patch", "give_up"},
    "reviewer": READING | {"approve", "reject", "lesson", "hand_over"},
    "reporter": READING | {"cancel", "report"},
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
    assert named == TOOLS_OF[role] & set(TOOL_NAMES), "it names all of its tools, and no others"
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


def test_every_key_of_opencode_is_known_and_does_what_it_can_or_says_that_it_does_nothing(tmp_path: Path) -> None:
    front = (
        "description: x\nname: r\ncolor: '#ff5733'\nhidden: true\ndisable: true\nvariant: high\n"
        "options: {effort: high}\ntop_p: 0.9\nmaxSteps: 12\n"
    )
    file = load(written(tmp_path, f"---\n{front}---\nGo."))
    assert (file.top_p, file.steps) == (0.9, 12)
    assert [warning.split("`")[1] for warning in file.warnings] == ["disable", "variant", "options"]
    assert load(written(tmp_path, "---\ndescription: x\ndisable: false\nsteps: 3\n---\nGo.")).warnings == ()


def test_bash_patterns_and_other_nested_rules_load_and_touch_no_tool_of_this_lab(tmp_path: Path) -> None:
    front = (
        "description: Runs one experiment\nmode: subagent\ntools:\n  bash: true\n  task: false\npermission:\n"
        "  edit:\n    '*': deny\n    train.py: allow\n  bash:\n    '*': ask\n    'git status*': allow\n"
        "    'uv run scripts/hf_job.py *': allow\n    'rm *': deny\n  task:\n    '*': deny\n    reviewer: allow\n"
        "  skill: allow\n  external_directory: deny\n"
    )
    file = load(written(tmp_path, f"---\n{front}---\nYou run one experiment.", "worker.md"))
    assert file.warnings == () and file.tools == {} and file.description == "Runs one experiment"


EDITORS = {"edit_file", "replace_function"}


@pytest.mark.parametrize(
    ("permission", "gone"),
    [
        ("{edit_file: {'*': deny}}", {"edit_file"}),
        ("{edit_file: {'*': deny, 'x': deny}, smoke_run: {'*': ask}}", {"edit_file"}),
        ("{'*': {'*': deny}, edit_file: {'*': allow}, replace_function: ask}", set(TOOL_NAMES) - EDITORS),
        ("{edit: deny}", EDITORS),
        ("{write: {'*': deny}}", EDITORS),
        ("{edit: deny, patch: allow}", set()),
        ("{edit: {'*': deny, train.py: allow}}", set()),
    ],
)
def test_a_nested_permission_and_those_of_opencode_for_editing_mean_this_labs_tools(
    tmp_path: Path, permission: str, gone: set[str]
) -> None:
    file = load(written(tmp_path, f"---\ndescription: x\npermission: {permission}\n---\nGo.", "worker.md"))
    assert {name for name, allowed in file.tools.items() if not allowed} == gone
    assert any("can change nothing" in warning for warning in file.warnings) == (gone == EDITORS)


def test_edit_and_write_switched_off_take_the_editors_from_a_role_that_has_them_and_say_so(tmp_path: Path) -> None:
    for switch in ("edit", "write"):
        file = load(written(tmp_path, f"---\ndescription: x\ntools: {{{switch}: false}}\n---\nGo.", "solo.md"))
        assert file.tools == {"edit_file": False, "replace_function": False}
        (warning,) = file.warnings
        assert f"solo.md: `{switch}` shut out" in warning and "no edit_file and no replace_function" in warning


def test_a_pattern_below_a_tool_of_this_lab_is_named_as_doing_nothing(tmp_path: Path) -> None:
    front = "permission: {edit_file: {'*.py': deny, '*': allow}, read_diff: {'3': deny}}"
    file = load(written(tmp_path, f"---\ndescription: x\n{front}\n---\nGo.", "worker.md"))
    assert file.tools == {}
    assert "`edit_file` has rules for `*.py`, which do nothing" in file.warnings[0]
    assert "`read_diff` has rules for `3`" in file.warnings[1] and len(file.warnings) == 2


def test_a_file_that_shuts_out_what_it_does_not_name_keeps_the_tools_that_it_cannot_know(tmp_path: Path) -> None:
    file = load(written(tmp_path, "---\ndescription: x\npermission: {'*': deny, read: allow, edit: allow}\n---\nGo."))
    assert file.tools == {} and "`*` is shut out" in file.warnings[0]
    own = load(written(tmp_path, "---\ndescription: x\npermission: {'*': deny, propose: allow, finish: ask}\n---\nGo."))
    assert {name for name, allowed in own.tools.items() if allowed} == {"propose", "finish"} and not own.warnings


def test_the_prompt_may_stand_in_the_key_or_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "job.txt").write_text("You plan.\n")
    assert load(written(tmp_path, "---\ndescription: x\nprompt: '{file:./job.txt}'\n---\n")).prompt == "You plan."
    assert load(written(tmp_path, "---\ndescription: x\nprompt: You read.\n---\n")).prompt == "You read."
    both = load(written(tmp_path, "---\ndescription: x\nprompt: You read.\n---\nYou write."))
    assert both.prompt == "You write." and "`prompt` does nothing" in both.warnings[0]
    with pytest.raises(RoleFileError, match="names a file that cannot be read"):
        load(written(tmp_path, "---\ndescription: x\nprompt: '{file:missing.txt}'\n---\n"))


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
        ("---\npermission: {bash: {'git *': perhaps}}\n---\nGo.", "`permission` of bash is 'perhaps'"),
        ("---\nsteps: 0\n---\nGo.", "`steps` is 0"),
        ("---\ntop_p: 1.5\n---\nGo.", "`top_p` is 1.5"),
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
