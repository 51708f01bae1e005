"""Columns, charts, curves and diffs: pure functions with exact widths."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.columns import GAP, Column, fitted
from tui.chart import Series, Shape, chart, ticks, value_range
from tui.curves import CurveFile
from tui.diffs import coloured_diff
from tui.machines import SLOT_COLUMNS
from tui.panes.tail import marked, spoken, wrapped
from tui.present import RESULT_COLUMNS
from tui.speakers import AGENT_COLUMNS
from tui.theme import DARK
from tui.tones import Said, Tone
from tui.waiting import QUEUE_COLUMNS

finite = st.floats(min_value=-1e6, max_value=1e6)
points = st.lists(st.tuples(st.floats(min_value=0, max_value=1), finite), max_size=60)


@given(st.sampled_from([RESULT_COLUMNS, QUEUE_COLUMNS, AGENT_COLUMNS, SLOT_COLUMNS]), st.integers(1, 300))
def test_columns_never_need_more_than_the_width(columns: tuple[Column, ...], width: int) -> None:
    shown = fitted(columns, width)
    assert sum(size for _, size in shown) + GAP * (len(shown) - 1) <= width
    assert [index for index, _ in shown] == sorted(index for index, _ in shown) and shown


def test_a_small_terminal_keeps_what_matters_of_a_result() -> None:
    def shown(width: int) -> list[str]:
        return [RESULT_COLUMNS[index].heading for index, _ in fitted(RESULT_COLUMNS, width)]

    assert shown(68) == ["id", "state", "val_bpb", "±", "delta", "title"]
    assert "why" in shown(120) and "±" in shown(120)
    assert [AGENT_COLUMNS[index].heading for index, _ in fitted(AGENT_COLUMNS, 43)][:3] == ["agent", "state", "job"]
    kept = [replace(one, rank=-1) if one.heading == "delta" else one for one in RESULT_COLUMNS]  # sorted by it
    narrow = [RESULT_COLUMNS[index].heading for index, _ in fitted(kept, 54)]
    assert narrow == ["id", "state", "delta", "title"], "the column of the order leaves the titles their room"
    assert shown(180) == [column.heading for column in RESULT_COLUMNS]


@given(points, st.sampled_from(list(Shape)), st.integers(0, 120), st.integers(0, 40))
def test_a_chart_fills_exactly_its_place(
    some: list[tuple[float, float]], shape: Shape, width: int, height: int
) -> None:
    series = [Series(sorted(some), shape)]
    lines = chart(
        series,
        width,
        height,
        x_range=(0, 1),
        y_range=value_range(series),
        x_text=lambda x: f"{x:.0%}",
        x_name="of the budget",
    )
    assert len(lines) == height
    assert all(sum(cell_len(said.text) for said in line) <= max(width, 0) for line in lines)


@given(finite, finite, st.integers(1, 20))
def test_ticks_are_few_and_inside(a: float, b: float, most: int) -> None:
    low, high = min(a, b), max(a, b)
    found = ticks(low, high, most)
    assert len(found) <= most
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert all(low - slack <= mark <= high + slack for mark in found)


@given(st.floats(0, 10), st.floats(1e-6, 10), st.integers(3, 30))
def test_what_stands_beside_the_axis_is_a_value_on_it(low: float, above: float, height: int) -> None:
    lines = chart([], 60, height, x_range=(0, 1), y_range=(low, low + above), x_text=str, x_name="")
    axes = [line[0].text for line in lines if line[0].text.endswith("┤")]
    for axis in axes:
        assert low - 0.01 * above <= float(axis.removesuffix("┤")) <= low + 1.01 * above


def test_a_step_line_goes_across_and_then_down() -> None:
    series = [Series([(0, 3.0), (5, 2.0), (10, 2.0)], Shape.STEP)]
    lines = chart(series, 40, 10, x_range=(0, 10), y_range=(1.9, 3.1), x_text=lambda x: f"{x:.0f}", x_name="outcomes")
    text = ["".join(said.text for said in line) for line in lines]
    assert any("─╮" in line for line in text) and any("╰─" in line for line in text)
    assert "3.0 ┤" in "\n".join(text) and "outcomes" in text[-1]


def test_a_curve_is_followed_as_it_grows_and_bad_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    curve = CurveFile(path)
    assert not curve.look() and curve.shown() == []
    path.write_text('{"event": "start"}\n{"progress": 0.1, "loss": 4.0}\nnot json\n{"progress": 0.2, "loss": NaN}\n')
    assert curve.look() and curve.shown() == [(0.1, 4.0)]
    with path.open("a") as file:
        file.write('{"progress": 0.2, "loss": 3.5}\n{"progress": 0.3, "lo')
    assert curve.look() and curve.shown() == [(0.1, 4.0), (0.2, 3.5)]
    assert not curve.look()


def test_a_long_curve_is_thinned_and_keeps_its_newest_point(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"progress": n / 5000, "loss": 5000 - n}) + "\n" for n in range(5000)))
    curve = CurveFile(path)
    curve.look()
    assert len(curve.shown()) < 1000 and curve.shown()[-1] == curve.points[-1]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=300), st.integers(12, 80))
def test_wrapped_lines_fit(line: str, width: int) -> None:
    assert all(cell_len(part) <= width for part in wrapped(line, width))


def test_a_wrapped_journal_line_stands_under_its_words() -> None:
    parts = wrapped("12:00:01 " + "word " * 20, 50)
    assert len(parts) > 1 and all(part.startswith(" " * 9) for part in parts[1:])
    marked_off = wrapped("12:00:01 " + "wörd… " * 20, 50)  # letters of one cell each are broken between words
    assert len(marked_off) > 1 and all(part.split()[-1] == "wörd…" for part in marked_off)
    wide = wrapped("12:00:01 " + "字" * 60, 50)
    assert len(wide) > 1 and all(part.startswith(" " * 9 + "字") for part in wide[1:])
    assert spoken("12:00:01 -> propose {}") == [Said("12:00:01 ", Tone.DIM), Said("-> propose {}", Tone.LIVE)]
    assert spoken("ValueError: no")[0].tone is Tone.BAD


@given(st.text(max_size=80), st.text(min_size=1, max_size=3))
def test_marking_changes_no_letter(line: str, needle: str) -> None:
    if len(line.lower()) == len(line):
        assert "".join(said.text for said in marked([Said(line)], needle.lower())) == line


def test_a_diff_is_coloured_inert_and_bounded() -> None:
    diff = "diff --git a/train.py b/train.py\n@@ -1 +1 @@\n-RATE = 1e-3  # old\n+RATE = \x1b[31m2e-3\n" + " x\n" * 9000
    text = coloured_diff(diff, DARK.variables)
    assert "+RATE = 2e-3\n" in text.plain and "\x1b" not in text.plain
    assert "more lines" in text.plain.splitlines()[-1]
    grounds = {span.style.bgcolor.name for span in text.spans if not isinstance(span.style, str) and span.style.bgcolor}
    assert grounds == {DARK.variables["added"], DARK.variables["removed"]}
