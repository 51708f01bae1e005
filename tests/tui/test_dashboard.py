"""The dashboard's views of a lab, as pure functions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.lab import Lab
from orchestrator.review.happened import events_of_interest
from orchestrator.review.morning import morning_of
from orchestrator.store.agents import AgentRow
from orchestrator.store.records import IN_USE, Event, Experiment, Run, RunKind, SlotRow, utc_now
from orchestrator.store.states import STOPPED, State
from orchestrator.store.writer import Measurement, Proposal, Writer
from tests.tui.room_lab import make_room_lab
from tests.tui.test_present import health, text_of
from tui.arranging import PANES, SIZES, seen, size_of, slot_lines
from tui.changes import Changes, Changing
from tui.chart import Label, Series, Shape, chart
from tui.curves import CurveFile
from tui.curves import Line as Curves
from tui.health import second_line
from tui.machines import SPARK_WIDTH, STEP_SECONDS, History, Machine, clock, slot_cells
from tui.memory import Layout, Memory
from tui.present import event_text, result_cells
from tui.promotions import believed_line, promotion_labels
from tui.screens.changes import change_cells
from tui.speakers import agent_cells, rate, state_of
from tui.story import attempts_before
from tui.waiting import Line, waits_for

NOW = "2026-01-01T00:00:00.000Z"
EXPERIMENT = Experiment(
    *(4, "Wider", "w", "own", "", "", "researcher", "t", State.READY, "approved", 0, 1, None, None, None),
    *(None, "", None, None, None, NOW, NOW),
)
RUN = Run(
    *(7, 4, 1, RunKind.SCREEN, 1, "c", None, "gpu0", None, "", *(None,) * 7, NOW, None, "GPU", "off", None, None, {})
)


def test_a_start_has_no_outcome_before_it_was_measured() -> None:
    start = replace(EXPERIMENT, id=0, state=State.PROMOTED)
    assert [result_cells(one, [])[1].text for one in (start, replace(start, val_bpb=2.5))] == [
        "○ unmeasured",
        "◆ promoted",
    ]


def test_a_new_attempt_tells_what_came_of_the_ones_before() -> None:
    runs = [
        replace(RUN, outcome="scored", commit_id="older", val_bpb=2.9),
        *(replace(RUN, outcome="scored", val_bpb=score) for score in (2.4, 2.6)),
        *(replace(RUN, outcome=outcome, attempt=2) for outcome in ("crashed", STOPPED)),
        replace(RUN, outcome="scored", attempt=3, val_bpb=2.2),
    ]
    told = attempts_before(replace(EXPERIMENT, attempt=3), runs)
    assert told == "attempt 1 scored 2.5000 (2 runs), attempt 2 crashed"
    assert attempts_before(EXPERIMENT, runs) == ""


# -- where panes stand


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (80, 24, "small"),
        (80, 50, "tall"),
        (200, 24, "short"),
        (120, 40, "normal"),
        (200, 50, "broad"),
        (250, 60, "vast"),
    ],
)
def test_each_size_of_terminal_has_a_layout(width: int, height: int, size: str) -> None:
    assert size_of(width, height) == size


@given(st.sampled_from([*SIZES, "normal"]), st.lists(st.sampled_from([*PANES, "health"]), min_size=1, max_size=8))
def test_the_pane_that_the_person_is_in_is_always_seen(size: str, path: list[str]) -> None:
    last: dict[tuple[str, ...], str] = {}
    for pane in path:
        places = seen(size, pane, last)
        last |= places
        assert pane in ("slots", "health") or pane in places.values()
        assert all(shown in group for group, shown in places.items())


def test_slots_take_a_line_each_but_leave_the_screen_to_the_others() -> None:
    assert [slot_lines(*one) for one in ((2, 24), (8, 24), (8, 40), (0, 24))] == [2, 4, 8, 1]


# -- slots


@given(st.lists(st.tuples(st.floats(0, 500), st.none() | st.floats(-1e6, 1e6)), max_size=40))
def test_a_history_has_one_width_whatever_was_read(readings: list[tuple[float, float | None]]) -> None:
    history = History()
    for at, value in sorted(readings, key=lambda reading: reading[0]):
        history.add(at, value)
    assert cell_len(history.shown(0, 1)) in (0, SPARK_WIDTH)


def test_a_history_moves_with_time_and_keeps_a_value_that_was_not_written_again() -> None:
    history = History()
    history.add(0, 0.0)
    history.add(3 * STEP_SECONDS, 1.0)
    history.add(3 * STEP_SECONDS + 1, 0.5)  # within the same step: the last counts
    assert history.shown(0, 1) == "    ▁▁▁▅"
    assert History().shown(0, 1) == ""


def slot(progress: float, second: int, phase: str = "training") -> SlotRow:
    at = f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}.000Z"
    return SlotRow("gpu0", "GPU", 7, phase, progress, 1, 2.0, 0.9, 2**30, 2**33, 60.0, 400.0, at)


def test_the_remaining_time_follows_the_pace_of_the_last_minute() -> None:
    machine = Machine()
    for second in (40, 42):
        machine.take(slot(0.1 + (second - 40) / 20, second))
        assert machine.remaining(slot(0.2, 42)) is None  # a guess from two seconds would jump about
    machine = Machine()
    for second in range(40, 100):
        machine.take(slot(0.1 + (second - 40) / 200, second))
    assert machine.remaining(slot(0.395, 99)) == pytest.approx(121)
    machine.take(slot(0.395, 100, "paused"))
    assert machine.remaining(slot(0.395, 100, "paused")) is None
    idle = replace(slot(0.0, 40, IN_USE), run_id=None, verdict="31 of 80 GiB of its memory are taken")
    said = [getattr(cell, "text", "") for cell in slot_cells(idle, Machine(), None, None)]
    assert "! in use" in said and "others: 31 of 80 GiB of its memory are taken" in said
    assert [clock(seconds) for seconds in (8, 250, 7500)] == ["8 s", "4:10", "2:05 h"]


# -- agents


def test_an_agent_that_is_paused_says_by_whom_and_when_it_is_not_yet() -> None:
    agent = AgentRow("worker-1", "worker", "t", "m", "thinking", "patch 5", 5, 1, 0, 10, 10, NOW, "ada@box", 41.7)
    assert state_of(agent) == "pausing" and rate(agent) == "42/s"
    held = replace(agent, state="paused")
    assert state_of(held) == "paused" and rate(held) == ""
    assert "by ada@box; patch 5" in [getattr(cell, "text", "") for cell in agent_cells(held)]


# -- the queue


@pytest.mark.parametrize(
    ("changes", "line", "before", "words"),
    [
        ({}, {}, 0, "a free slot"),
        ({}, {}, 2, "2 before it"),
        ({}, {"paused": True}, 0, "the paused queue"),
        ({}, {"alive": False}, 0, "the daemon"),
        ({}, {"ending": True, "paused": True}, 0, "the next start"),
        ({}, {"baseline_runs": 0}, 0, "the baseline"),
        ({}, {"confirming": 1}, 0, "confirmations"),
        ({"state": State.PROPOSED}, {}, 0, "the planner"),
        ({"state": State.QUEUED}, {}, 0, "a worker"),
        ({"state": State.QUEUED}, {"at_rest": frozenset({EXPERIMENT.team})}, 0, "4 patches ahead"),
        ({"state": State.QUEUED}, {"at_rest": frozenset({"another"})}, 0, "a worker"),
        ({"state": State.PATCHING}, {}, 0, "worker-1's patch"),
        ({"state": State.PATCHING, "commit_id": "c"}, {}, 0, "the reviewer"),
    ],
)
def test_what_waits_says_what_for(changes: dict[str, object], line: dict[str, object], before: int, words: str) -> None:
    facts = {"alive": True, "paused": False, "baseline_runs": 3, "confirming": 0} | line
    experiment = replace(EXPERIMENT, **changes)  # type: ignore[arg-type]
    assert waits_for(experiment, before, Line(**facts), "worker-1", 4) == words  # type: ignore[arg-type]


# -- the plot


def test_promotions_are_labelled_where_there_is_room_and_never_over_something() -> None:
    merged = [(0, 3.0), (5, 2.5), (9, 2.0)]
    labels = promotion_labels(merged, {0: (0, "start"), 5: (4, "Rotary position embedding"), 9: (8, "Muon")})
    assert [label.texts[-1] for label in labels] == ["8", "4"], "the newest first, the start not at all"
    series = [Series(merged, Shape.STEP), Series(merged, Shape.SIGNS, sign="#", labels=labels)]

    def drawn(width: int) -> str:
        ranges = {"x_range": (0.0, 10.0), "y_range": (1.9, 3.1)}
        lines = chart(series, width, 12, x_text=str, x_name="", **ranges)
        assert all(sum(cell_len(said.text) for said in line) == width for line in lines[:-1])
        return "\n".join("".join(said.text for said in line) for line in lines)

    assert "4 Rotary position embedding" in drawn(60) and drawn(60).count("#") == 3
    assert "4 Rotary position e…" in drawn(48)
    assert "4" in drawn(20) and "Rotary" not in drawn(20)


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 1)), max_size=12), st.integers(10, 60), st.integers(3, 15))
def test_labels_keep_a_chart_in_its_place(points: list[tuple[int, float]], width: int, height: int) -> None:
    labels = tuple(Label(point, (f"{point[0]} some words", str(point[0]))) for point in points)
    lines = chart(
        [Series(points, Shape.SIGNS, labels=labels)],
        *(width, height),
        **{"x_range": (0, 20), "y_range": (0, 1), "x_text": str, "x_name": ""},  # type: ignore[arg-type]
    )
    assert len(lines) == height and all(sum(len(said.text) for said in line) <= width for line in lines)


def test_the_believed_line_falls_by_what_is_believed_of_each_promotion() -> None:
    points, promoted = [(0, 3.0), (1, 2.9), (2, 2.5), (4, 2.6)], {0: (0, "start"), 2: (7, "Muon")}
    line = believed_line(points, promoted, {7: 0.4})
    assert line[0] == (0, 3.0) and line[-1] == (4, pytest.approx(2.6))
    assert believed_line(points, promoted, {}) == [] == believed_line([], {}, {})


def test_a_curve_has_the_learning_rate_and_the_tokens_a_second_beside_the_loss(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    steps = [
        {"progress": n / 10, "seconds": n, "loss": 3.0 - n / 10, "lr": 0.001 * n, "tokens": 500 * n} for n in range(10)
    ]
    path.write_text("\n".join(map(json.dumps, [{"event": "start"}, *steps, {"progress": True, "lr": "x"}])) + "\n")
    curve = CurveFile(path)
    assert curve.look() and len(curve.points) == 10
    assert curve.shown(Curves.RATE)[-1] == (0.9, pytest.approx(0.009))
    assert {round(speed) for _, speed in curve.shown(Curves.SPEED)} == {500}


# -- what changed


def test_the_strip_tells_what_changed_since_one_looked_and_fits() -> None:
    changed = replace(health(), changes=Changes(NOW, merged=2, ended=14, failed=3, anomalies=1, best_then=2.7))
    wide = text_of(second_line(changed, 160))
    assert "2 merged (2.7000 → 2.5000), 14 not merged (3 without a score), 1 to look at" in wide
    assert "enter shows all of it" in text_of(second_line(changed, 160, inside=True))
    for width in range(120):
        for inside in (False, True):
            assert cell_len(text_of(second_line(changed, width, inside))) <= width


async def test_what_was_killed_with_a_score_is_not_among_those_without_one(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    since = utc_now()
    async with Writer(lab.database) as store:
        await store.end_run(28, Measurement("scored", "scored", 3.0, steps=100))
        for state in (State.SCORED, State.CONFIRMING, State.KILLED):
            await store.move(15, state, "as it goes", actor="ada@box")
        found = await Changing().look(store, since)
        assert found is not None and (found.ended, found.failed) == (1, 0)


async def test_an_experiment_that_ends_twice_counts_once_and_not_while_it_is_on_its_way_again(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.add_start("aaa", "start", "the start")
        since = utc_now()
        while utc_now() == since:
            pass
        changing = Changing("ada@box")
        made = await store.add_experiment(Proposal("a", "b", "c"), author="researcher", team="t")
        for state, ended in ((State.DROPPED, 1), (State.PROPOSED, 0), (State.DROPPED, 1)):
            actor = "ada@box" if state is State.PROPOSED else "autolab"
            await store.move(made.id, state, "as it goes", actor=actor)
            found = await changing.look(store, since)
            assert found is not None and found.ended == ended
            outcomes = (await morning_of(store, since)).outcomes
            assert outcomes == ({state: 1} if ended else {})
            anew = await Changing("ada@box").look(store, since)
            assert anew == found


async def test_changes_are_counted_once_and_from_the_moment_on(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        changing = Changing()
        assert await changing.look(store, None) is None
        await store.add_start("aaa", "start", "the start")
        made = await store.add_experiment(Proposal("a", "b", "c"), author="researcher", team="t")
        since = utc_now()
        while utc_now() == since:
            pass
        await store.move(made.id, State.DROPPED, "dropped by ada@box", actor="ada@box")
        for _ in range(2):
            found = await changing.look(store, since)
            assert found is not None and (found.merged, found.ended, found.failed) == (0, 1, 1)
        await store.event("anomaly", "autolab", "no free space")
        found = await changing.look(store, since)
        assert found is not None and (found.ended, found.anomalies) == (1, 1)
        assert (await morning_of(store, since)).outcomes == {State.DROPPED: 1}
        [newest, dropped] = await events_of_interest(store, since)
        assert newest.kind == "anomaly" and [getattr(c, "text", "") for c in change_cells(dropped)][-1] == "ada@box"
        told = [getattr(change_cells(newest, over)[1], "text", "") for over in (False, True)]
        assert told == ["! look at this", "over by now"]
        await store.move(made.id, State.PROPOSED, "undone", actor="ada@box")
        found = await changing.look(store, since)
        assert found is not None and found.ended == 0, "a drop that was undone is no change"
        for kind, words in (("lab", "the queue is paused"), ("command", "pause: the queue is paused")):
            await store.event(kind, "ada@box", words)
        assert [event.kind for event in await events_of_interest(store, since)][:2] == ["command", "anomaly"]
        assert (await morning_of(store, since)).outcomes == {}


def test_an_event_names_the_person_who_asked() -> None:
    event = Event(1, NOW, "ada@box", "run", 15, 28, None, None, "run 28 paused")
    assert event_text(event) == "experiment 15, run 28: run 28 paused (ada@box)"
    assert event_text(replace(event, actor="autolab")) == "experiment 15, run 28: run 28 paused"


# -- what is remembered


def test_a_room_is_remembered_and_rubbish_is_not(tmp_path: Path) -> None:
    lab, person = Lab(tmp_path), "ada@box"
    layout = Layout("queue", True, "loss", "state=discarded delta<0", "sort=title", "delta", False)
    Memory(lab, person, keep=True).keep(layout)
    assert Memory(lab, person, keep=True).recall() == layout
    assert Memory(lab, "bob@box", keep=True).recall() == Layout()
    [path] = (lab.hidden / "rooms").iterdir()
    for rubbish in ("", "[]", "{", '{"pane": 3, "zoomed": "yes", "sort": null}', "\udcff"):
        path.write_text(rubbish, errors="surrogateescape")
        assert Memory(lab, person, keep=True).recall() == Layout()


def test_a_room_that_only_watches_remembers_nothing(tmp_path: Path) -> None:
    Memory(Lab(tmp_path), "ada@box", keep=False).keep(Layout("queue"))
    assert list(tmp_path.iterdir()) == []
