"""From records to words, as pure functions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.actions import ACTIONS, BY_VERB
from orchestrator.store.agents import AgentRow
from orchestrator.store.records import Command, Event, SlotRow
from orchestrator.store.states import State
from orchestrator.views import Baseline
from tui.commands import NotUnderstood, understand
from tui.health import Health, first_line, second_line
from tui.keys import footer
from tui.paced import speaks_ascii_only
from tui.present import SYMBOLS, bar, event_text
from tui.promotions import best_so_far
from tui.screens.changes import change_cells
from tui.screens.dashboard import Dashboard
from tui.screens.help import help_rows
from tui.speakers import at_rest, busiest
from tui.tones import Line, fit


@given(st.text(max_size=50), st.integers(min_value=0, max_value=60))
def test_a_fitted_text_has_exactly_the_width(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


@given(st.floats(min_value=-1, max_value=2), st.integers(min_value=1, max_value=40))
def test_a_bar_has_exactly_its_width(share: float, width: int) -> None:
    assert len(bar(share, width)) == width


def test_every_state_has_a_sign_beside_its_word() -> None:
    assert set(SYMBOLS) == set(State)


def test_the_best_line_steps_at_merges_only() -> None:
    points = [(0, 3.4), (1, 3.0), (2, 3.6), (3, 2.8), (4, 2.9)]
    assert best_so_far(points, {0, 1, 3}) == [(0, 3.4), (1, 3.0), (3, 2.8), (4, 2.8)]
    assert best_so_far([], set()) == []


def health(alive: bool = True, paused: bool = False, quiet: float = 0.0, busy: bool = False) -> Health:
    slot = SlotRow(
        "cpu0", "CPU core", 7 if busy else None, "training", 0.5, 1, 2.0, *(None,) * 5, "2026-01-01T00:00:00Z"
    )
    baseline = Baseline("abc", 1, 2.5, 3, 0.01, 3.4)
    return Health(alive, quiet, paused, baseline, [slot], 100, 5_200_000, None, "my-lab", profile="cpu")


def text_of(line: Line) -> str:
    return "".join(said.text for said in line)


@given(st.integers(min_value=0, max_value=250), st.booleans(), st.booleans())
def test_the_health_strip_fits_and_begins_with_the_daemon(width: int, alive: bool, paused: bool) -> None:
    first, second = (text_of(line(health(alive, paused), width)) for line in (first_line, second_line))
    assert cell_len(first) <= width and cell_len(second) <= width
    assert ("at work" in first) == (alive and not paused) or width < 10


def test_the_health_strip_says_what_is_wrong_and_how_to_right_it() -> None:
    assert "NOT RUNNING: S starts it" in text_of(first_line(health(alive=False), 80))
    assert "P resumes it" in text_of(first_line(health(paused=True), 80))
    stop = Command(1, "2026-01-01T00:00:00Z", "ada@box", "stop", {}, "waiting", "", None)
    stopping = replace(health(busy=True, paused=True), ending=stop)
    assert "STOPPING: 1 run to finish" in text_of(first_line(stopping, 80))
    now = replace(stopping, ending=replace(stop, arguments={"now": True}))
    assert "STOPPING NOW" in text_of(first_line(now, 80))
    assert "last heard 95 s ago" in text_of(first_line(health(quiet=95, busy=True), 80))
    assert "last heard 95 s ago" in text_of(first_line(health(quiet=95), 80)), "an idle daemon gives signs of life too"
    assert "last heard" not in text_of(first_line(health(quiet=5, busy=True), 80))
    wide = text_of(first_line(health(), 200))
    assert all(words in wide for words in ("2.5000", "noise 0.010", "3 runs", "0.9000", "5.2M tokens", "my-lab cpu"))


def test_the_health_strip_says_what_to_believe_and_how_many_promotions_are_none() -> None:
    told = replace(health(), baseline=Baseline("abc", 1, 2.5, 3, 0.01, 3.4, 0.83, 9, 0.42))
    assert "gain 0.9000 (0.83 believed, 0.4 of 9 false)" in text_of(first_line(told, 200))


def test_the_health_strip_names_the_model_server_that_does_not_answer() -> None:
    silent = replace(health(), silent=["http://models.example:8000/v1"])
    assert "at work   ! models.example:8000 does not answer" in text_of(first_line(silent, 200))
    assert "! 1 model server down" in text_of(first_line(silent, 60))
    assert "! 2 model servers down" in text_of(first_line(replace(silent, silent=["http://a/v1", "http://b/v1"]), 200))
    assert "answer" not in text_of(first_line(replace(silent, alive=False), 200)), "nobody asks it now"


@pytest.mark.parametrize("name", ["my lab", "a-lab-with-a-rather-long-name"])
def test_the_health_strip_names_the_lab_at_80_columns_whatever_there_is_to_tell(name: str) -> None:
    told = Baseline("abc", 1, 2.5, 3, 0.01, 3.4, 0.83, 9, 0.42)
    full = replace(health(), place=name, baseline=told, silent=["http://a/v1"], resting={"": "its budget is spent"})
    line = text_of(first_line(full, 80))
    assert name[:10] in line and "at work" in line and "server down" in line and len(line) == 80


def test_ascii_is_what_is_asked_for_and_else_what_the_terminal_is_known_to_need() -> None:
    assert speaks_ascii_only({"AUTOLAB_ASCII": "1"}) and not speaks_ascii_only({"AUTOLAB_ASCII": "0", "TERM": "vt100"})
    assert speaks_ascii_only({"TERM": "vt100"}) and not speaks_ascii_only({"TERM": "xterm-256color", "LC_ALL": "C"})


def test_a_room_that_only_watches_says_so_before_any_figure() -> None:
    watching = replace(health(quiet=9999, busy=True), read_only=True)
    for width in (60, 80, 120):
        assert "  read-only" in text_of(first_line(watching, width))
    assert "read-only" not in text_of(first_line(health(), 200))


def test_the_footer_is_cut_at_a_whole_action_and_keeps_help_and_leave() -> None:
    for width in range(14, 200):
        line = text_of(footer(width, Dashboard.FOOTER))
        assert len(line) <= width and line.startswith("? help")


def test_help_lists_every_action_of_the_table() -> None:
    assert len(help_rows()) == len(ACTIONS)
    assert {command.split()[0].removeprefix(":") for _, command, _ in help_rows() if command} == set(BY_VERB)


def test_a_command_means_the_selected_experiment_unless_it_names_one() -> None:
    assert understand("kill 12", None).arguments == {"id": 12}
    assert understand("kill", 7).arguments == {"id": 7}
    assert understand("priority 5", 7).arguments == {"id": 7, "value": 5}
    assert understand("message worker-1 'be bold'", None).arguments == {"agent": "worker-1", "text": "be bold"}
    assert understand("pause", 7).arguments == {}


def test_what_is_not_understood_is_told() -> None:
    for text, words in (
        ("kil 3", "`kill`"),
        ("kill", "number of an experiment"),
        ("kill x", "no number"),
        ("kill 12 13", "`13` is more"),
        ("show 3 -x", "`-x` is more"),
        ("", "Type"),
    ):
        try:
            understand(text, None)
        except NotUnderstood as told:
            assert words in str(told)
        else:
            raise AssertionError(f"{text!r} was understood")


def test_an_agent_of_a_daemon_that_is_gone_is_not_shown_at_work() -> None:
    busy = AgentRow("worker-1", "worker", "t", "m", "calling", "patch 5", 5, 1, 0, 10, 10, "2026-01-01T00:00:00.000Z")
    resting = at_rest(busy)
    assert (resting.state, resting.job) == ("idle", "was at: patch 5")
    assert at_rest(resting) == resting


def test_the_log_of_one_agent_is_followed_until_it_rests_and_another_works() -> None:
    def agent(name: str, second: int) -> AgentRow:
        at = f"2026-01-01T00:00:{second:02}.000Z"
        return AgentRow(name, "worker", "t", "m", "calling", "patch 5", 5, 1, 0, 10, 10, at)

    assert busiest([agent("a", 10), agent("b", 12)], None).name == "b"
    assert busiest([agent("a", 10), agent("b", 12)], "a").name == "a"
    assert busiest([agent("a", 10), agent("b", 30)], "a").name == "b"
    assert busiest([agent("a", 10)], "gone").name == "a"


def test_an_order_that_was_refused_reads_so_wherever_it_is_told() -> None:
    told = Event(1, "2026-11-26T10:00:00.000Z", "ada@box", "command", 7, None, None, "refused", "kill: It has ended.")
    assert event_text(told) == "ada@box was refused, kill: It has ended."
    assert getattr(change_cells(told)[1], "text", "") == "refused"
    done = replace(told, after="done", reason="kill: run 3 ended")
    assert event_text(done).startswith("ada@box asked, ") and getattr(change_cells(done)[1], "text", "") == "command"
