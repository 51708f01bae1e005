"""From records to words, as pure functions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.actions import ACTIONS, BY_VERB
from orchestrator.store.states import State
from orchestrator.views import Baseline
from tui.commands import NotUnderstood, understand
from tui.keys import footer
from tui.present import SYMBOLS, bar, best_so_far, fit, health_lines
from tui.screens.dashboard import FOOTER
from tui.screens.help import help_rows


@given(st.text(max_size=50), st.integers(min_value=0, max_value=60))
def test_a_fitted_text_has_exactly_the_width(text: str, width: int) -> None:
    assert len(fit(text, width)) == width


@given(st.floats(min_value=-1, max_value=2), st.integers(min_value=1, max_value=40))
def test_a_bar_has_exactly_its_width(share: float, width: int) -> None:
    assert len(bar(share, width)) == width


def test_every_state_has_a_sign_beside_its_word() -> None:
    assert set(SYMBOLS) == set(State)


def test_the_best_line_steps_at_merges_only() -> None:
    points = [(0, 3.4), (1, 3.0), (2, 3.6), (3, 2.8), (4, 2.9)]
    assert best_so_far(points, {0, 1, 3}) == [(0, 3.4), (1, 3.4), (1, 3.0), (3, 3.0), (3, 2.8), (4, 2.8)]
    assert best_so_far([], set()) == []


@given(st.integers(min_value=20, max_value=250), st.booleans(), st.booleans())
def test_the_health_strip_fits_and_begins_with_the_daemon(width: int, alive: bool, paused: bool) -> None:
    baseline = Baseline("abc", 1, 2.5, 3, 0.01, 3.4)
    lines = health_lines(
        alive=alive, paused=paused, baseline=baseline, slots=[], runs_per_hour=100, tokens=5, last=None, width=width
    )
    assert all(len(line) <= width for line in lines)
    assert ("at work" in lines[0]) == (alive and not paused) or width < 24


def test_the_footer_is_cut_at_a_whole_action_and_keeps_help_and_leave() -> None:
    for width in range(20, 200):
        line = footer(width, FOOTER)
        assert len(line) <= width and line.startswith("? help  q leave")


def test_help_lists_every_action_of_the_table() -> None:
    assert len(help_rows()) == len(ACTIONS)
    assert {command.split()[0] for _, command, _ in help_rows() if command} == set(BY_VERB)


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
        ("", "Type"),
    ):
        try:
            understand(text, None)
        except NotUnderstood as told:
            assert words in str(told)
        else:
            raise AssertionError(f"{text!r} was understood")
