"""What the new screens say, as pure functions: turns, words about experiments, papers, drafts, settings, completion."""

from __future__ import annotations

import json
import subprocess
import tempfile
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from orchestrator.review.citing import named_in
from orchestrator.review.voices import passages, voices_in
from orchestrator.settings_text import settings_text
from orchestrator.store.calls import Account, Turn
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal, Writer
from tui.completing import Known, no_way, offers
from tui.drafts import Draft, editor, told, unified_diff
from tui.remedies import in_room
from tui.screens.command_line import FILTERS
from tui.settings_rows import comments_of
from tui.story import facts_table
from tui.theme import DARK
from tui.transcripts import answers_in, next_outcome, pretty, since, turn_lines
from tui.typed_before import History, TypedBefore, with_line


def turn(*tools: tuple[str, str], reply: str = "It stands.", at: str = "2026-01-01T10:00:05.000Z") -> Turn:
    return Turn(
        *(7, at, "worker-1", "worker", "patch 3", 3, "m", reply, tools, 1200, 34, False, 0.5, 2.0, 0.3),
        *("stop", "went on", ("mended_json",)),
    )


LOG = [
    "09:59:58 === patch 3",
    '10:00:01 -> read_file {"path": "train.py"}',
    "10:00:01 <- LEARNING_RATE = 1e-3 ... (8000 characters)",
    '10:00:04 -> submit_patch {"summary": "one line"}',
    "10:00:05 <- The patch is submitted.",
    "10:00:09 thinking of the next",
]


def test_what_came_back_from_the_calls_of_a_turn_is_found_in_the_log() -> None:
    two = turn(("read_file", '{"path":  "train.py"}'), ("submit_patch", '{"summary": "one line"}'))
    log = [*LOG, '10:00:20 -> read_file {"path": "train.py"}', "10:00:20 <- another turn's"]
    spaced = turn(("read_file", '{"path": "train.py"}'), ("submit_patch", '{"summary": "one line"}'))
    assert answers_in(log, spaced) == ["LEARNING_RATE = 1e-3 ... (8000 characters)", "The patch is submitted."]
    assert answers_in(log, two)[1] == "The patch is submitted."
    assert answers_in([], spaced) == [None, None]
    assert since(LOG, "2026-01-01T10:00:05.000Z") == LOG[-1:] and since(LOG, "") == LOG


def test_a_folded_call_takes_a_line_and_an_unfolded_one_shows_every_argument() -> None:
    edit = json.dumps({"path": "train.py", "old": "a\nb", "new": "c"})
    colours = {**DARK.variables}
    folded = "\n".join(line.plain for line in turn_lines(turn(("edit_file", edit)), colours, unfolded=False))
    assert "▸ edit_file" in folded and "1,200 tokens in, 34 out, 0.5000 of money" in folded and "mended json" in folded
    whole = turn_lines(turn(("edit_file", edit)), colours, unfolded=True, answers=["train.py is changed."])
    text = "\n".join(line.plain for line in whole)
    assert "▾ edit_file" in text and "      a\n      b" in text and "← train.py is changed." in text
    assert pretty("not json") == "not json"


def test_the_outcomes_are_gone_through_and_end_with_all() -> None:
    account = Account(9, 0, 0, 0.0, {"went on": 7, "refused": 2})
    assert [next_outcome(account, one) for one in ("", "went on", "refused", "gone")] == [
        "went on",
        "refused",
        "",
        "went on",
    ]


def test_the_words_about_an_experiment_are_those_that_name_it() -> None:
    note = "Experiment 1 won.\nExperiment 12 lost.\nExperiments 3, 1 and 5 agree.\nNothing of 1 here."
    assert passages(note, 1) == "Experiment 1 won.\nExperiments 3, 1 and 5 agree."
    assert passages(note, 5) == "Experiments 3, 1 and 5 agree."
    said = voices_in(turn(("approve", '{"reason": "one change"}'), ("read_diff", "{}")))
    assert [(voice.does, voice.text) for voice in said] == [("says", "It stands."), ("approves it", "one change")]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("arXiv:2104.09864 RoFormer", "RoFormer"),
        ("RoFormer (arXiv:2104.09864) https://arxiv.org/abs/2104.09864", "RoFormer"),
        ("2104.09864v3", "arXiv:2104.09864"),
        ("Su 2021, arXiv:2104.09864, appendix D", "Su 2021, appendix D"),
        ("Huang 2025, arXiv:2501.16975; Su 2021, arXiv:2104.09864", "Su 2021"),
    ],
)
def test_a_paper_that_nobody_looked_up_has_the_name_that_its_source_gives(source: str, title: str) -> None:
    assert named_in(source, "2104.09864") == title


lines = st.lists(st.sampled_from(["a", "b", "  c", "", "\x0c d", "e\r"]), max_size=8).map("\n".join)


@settings(max_examples=25, deadline=None)
@given(lines, lines)
def test_a_draft_becomes_a_diff_that_git_applies(before: str, after: str) -> None:
    diff = unified_diff({"train.py": before}, {"train.py": after})
    assert (diff == "") is (before == after)
    if not diff or not before or not after:
        return
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "train.py"
        file.write_text(before, newline="")
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=place, input=diff.encode(), check=True)
        with file.open(newline="") as opened:
            assert opened.read() == after


def test_a_diff_is_told_in_a_few_words_and_the_editor_is_the_persons() -> None:
    diff = unified_diff({"train.py": "a\nb\n"}, {"train.py": "a\nc\nd\n"})
    assert told(diff) == "2 lines added, 1 taken out, in train.py"
    assert editor({"EDITOR": "vi", "VISUAL": "code --wait"}) == ["code", "--wait"]


def test_every_live_setting_has_the_words_of_its_comment() -> None:
    said = comments_of(settings_text("cpu", 15))
    assert said["team.wave"].startswith("Experiments in a wave")
    assert (
        said["team.budget_hours"] == said["team.budget_tokens"] and "What a team may spend" in said["team.budget_hours"]
    )
    assert said["early_stopping.limit"].startswith("Nothing is stopped")
    assert said["team.workers"].startswith("How many workers"), "and not of the keys above it that are commented out"


def test_a_draft_keeps_the_line_ends_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(b"A = 1\r\nB = 3\r\n")
    diff = Draft(tmp_path, {"train.py": "A = 1\r\nB = 2\r\n"}).diff()
    assert told(diff) == "1 line added, 1 taken out, in train.py" and "+B = 3\r\n" in diff


KNOWN = Known(
    experiments=[(12, "Muon", State.READY), (11, "Rotary", State.RUNNING), (1, "Wider", State.PROMOTED)],
    agents=["worker-1", "planner"],
    branches=["master", "exp/12-muon", "exp/11-rotary", "exp/1-wider"],
    settings={"team.wave": "5", "early_stopping.enabled": "true"},
    papers=[("2104.09864", "RoFormer")],
    files=[("results.tsv", "in this directory")],
    sorts=["id", "delta"],
    filters=FILTERS,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kil", ["kill"]),
        ("drop ", ["drop 12"]),
        ("kill rot", ["kill 11"]),
        ("accept ", ["accept 1"]),
        ("log 1", ["log 12", "log 11", "log 1"]),
        ("message w", ["message worker-1"]),
        ("set wave", ["set team.wave"]),
        ("set early_stopping.enabled f", ["set early_stopping.enabled false"]),
        ("paper ro", ["paper 2104.09864"]),
        ("pick 12 ", ["pick 12 master", "pick 12 exp/11-rotary", "pick 12 exp/1-wider"]),
        ("pick 1 ", ["pick 1 exp/12-muon", "pick 1 exp/11-rotary", "pick 1 master"]),
        ("pick 13 ", ["pick 13 master", "pick 13 exp/12-muon"]),
        ("import ", ["import results.tsv"]),
        ("track", []),
        ("results sort d", ["results sort delta"]),
        ("results del", ["results delta<"]),
        ("queue state=disc", ["queue state=discarded"]),
        ("nonsense ", []),
        ("message worker-1 hel", []),
    ],
)
def test_a_command_line_is_completed_by_what_its_verb_can_mean(line: str, expected: list[str]) -> None:
    assert [offer.line for offer in offers(line, KNOWN)][: len(expected) or 1] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("drop muon-like", "no experiment that drop is for has muon-like in its number or title"),
        ("show nothing", "no experiment has nothing in its number or title"),
        ("dorp 1", "there is no command dorp: ? lists them"),
        ("dorp", "no command has dorp in its name: ? lists them"),
        ("message all hel", "nothing known goes on with hel: enter takes the line as it is"),
        ("kill ", ""),
    ],
)
def test_tab_says_why_nothing_goes_on_from_here(line: str, expected: str) -> None:
    assert no_way(line) == expected


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Gone. `autolab show 9` tells why.", "Gone. `:show 9` tells why."),
        ("`autolab results` and `autolab queue` list them.", "`:results` and `:queue` list them."),
        ("`autolab add --help` shows how.", "`:add` shows how."),
        ("`autolab requeue 3 --patch FILE` takes yours.", "`autolab requeue 3 --patch FILE` takes yours."),
        (
            "`autolab init` makes one; `autolab-tui LAB` opens it.",
            "`autolab init` makes one; `autolab-tui LAB` opens it.",
        ),
    ],
)
def test_a_remedy_in_the_room_is_typed_as_the_room_takes_it(said: str, shown: str) -> None:
    assert in_room(said) == shown


def test_history_goes_back_and_comes_back_to_what_was_being_typed() -> None:
    history = History(["kill 1", "drop 2"])
    assert [history.step(-1, "pa"), history.step(-1, "drop 2"), history.step(-1, "kill 1")] == [
        "drop 2",
        "kill 1",
        "kill 1",
    ]
    assert [history.step(1, "kill 1"), history.step(1, "drop 2")] == ["drop 2", "pa"]
    assert with_line(["kill 1", "drop 2"], "kill 1") == ["drop 2", "kill 1"]


def test_what_was_left_with_esc_is_the_newest_line_until_another_is_given() -> None:
    before = TypedBefore("messages")
    before.given("one")
    before.left("half a tho")
    assert before.history().step(-1, "") == "half a tho"
    assert TypedBefore("messages").history().step(-1, "") == "half a tho", "also in another room"
    before.given("two")
    assert [before.history().step(-by, "") for by in (1, 2)] == ["two", "one"]


async def test_the_lines_of_a_hypothesis_stay_on_the_page_of_its_experiment(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        idea = Proposal("a title", "line one\nline  two\n\n\n  third\x1b[31m", "a\nsource")
        experiment = await store.add_experiment(idea, author="researcher", team="offline")
    console = Console(width=60, file=StringIO())
    console.print(facts_table(experiment, DARK.variables))
    assert isinstance(console.file, StringIO)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("hypothesis"))
    assert lines[at].endswith("line one") and lines[at + 1 : at + 4] == ["line two", "", "third"]
    assert lines[at + 4].endswith("a source")
