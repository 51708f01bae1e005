"""The table and the log view in a small app: the cursor, following, searching, painting only what is seen."""

from __future__ import annotations

import time

from textual.app import App, ComposeResult

from orchestrator.columns import Column
from tui.panes.rows import Cells, Rows
from tui.panes.tail import KEPT, Tail
from tui.theme import DARK
from tui.tones import Said


class Bench(App[None]):
    CSS_PATH = "../../tui/room.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield Rows((Column("id", 6), Column("title", 10, share=1)), id="rows", empty="nothing")
        yield Tail(id="tail")

    def on_mount(self) -> None:
        self.query_one(Rows).styles.height = 10
        self.query_one(Tail).styles.height = 10

    @property
    def rows(self) -> Rows:
        return self.query_one(Rows)

    @property
    def tail(self) -> Tail:
        return self.query_one(Tail)


def numbered(numbers: range) -> list[tuple[str, Cells]]:
    return [(str(n), (Said(str(n)), Said(f"title {n}"))) for n in numbers]


def seen(widget: Rows | Tail) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


async def test_the_cursor_stays_with_its_row_while_rows_come_in_above() -> None:
    app = Bench()
    async with app.run_test(size=(40, 24)) as pilot:
        app.rows.show(numbered(range(50, 0, -1)))
        await pilot.pause()
        for _ in range(30):
            app.rows.move("down")
        await pilot.pause()
        assert app.rows.selected_key == "20" and any(" 20 " in line for line in seen(app.rows))
        app.rows.show(numbered(range(60, 0, -1)))
        await pilot.pause()
        assert app.rows.selected_key == "20" and any(" 20 " in line for line in seen(app.rows))
        app.rows.show(numbered(range(19, 0, -1)))
        assert app.rows.selected_key is not None


async def test_a_table_that_becomes_shorter_shows_as_much_as_fits() -> None:
    app = Bench()
    async with app.run_test(size=(40, 24)) as pilot:
        app.rows.show(numbered(range(50)))
        app.rows.move("last")
        await pilot.pause()
        app.rows.show(numbered(range(8)))
        await pilot.pause()
        assert sum("title" in line for line in seen(app.rows)[1:]) == 8
        assert app.rows.selected_key == "7"


async def test_a_column_that_was_filled_once_keeps_its_place_where_that_is_asked_for() -> None:
    class Steady(Bench):
        def compose(self) -> ComposeResult:
            yield Rows((Column("id", 6), Column("use", 6, rank=1)), id="rows", steady=True)
            yield Tail(id="tail")

    app = Steady()
    async with app.run_test(size=(40, 24)) as pilot:
        app.rows.show([("1", (Said("1"), Said("")))])
        await pilot.pause()
        assert "use" not in seen(app.rows)[0]
        app.rows.show([("1", (Said("1"), Said("97%")))])
        app.rows.show([("1", (Said("1"), Said("")))])
        await pilot.pause()
        assert "use" in seen(app.rows)[0]


async def test_until_the_person_moves_the_cursor_is_on_the_newest_row() -> None:
    app = Bench()
    async with app.run_test(size=(40, 24)) as pilot:
        app.rows.show(numbered(range(5, 0, -1)))
        app.rows.show(numbered(range(6, 0, -1)))
        assert app.rows.selected_key == "6"
        app.rows.move("down")
        app.rows.show(numbered(range(7, 0, -1)))
        assert app.rows.selected_key == "5"
        app.rows.move("first")
        app.rows.show(numbered(range(8, 0, -1)))
        assert app.rows.selected_key == "8"
        await pilot.pause()


async def test_a_table_of_nothing_says_so_and_moving_in_it_is_harmless() -> None:
    app = Bench()
    async with app.run_test(size=(40, 24)) as pilot:
        await pilot.pause()
        assert "nothing" in "\n".join(seen(app.rows))
        for where in ("down", "up", "first", "last"):
            app.rows.move(where)
        assert app.rows.selected_key is None


async def test_ten_thousand_rows_are_shown_and_walked_at_once() -> None:
    app = Bench()
    async with app.run_test(size=(40, 24)) as pilot:
        begin = time.process_time()
        app.rows.show(numbered(range(10_000, 0, -1)))
        app.rows.move("last")
        app.rows.show(numbered(range(10_001, 0, -1)))
        seen(app.rows)
        assert time.process_time() - begin < 1.0
        assert app.rows.selected_key == "1"
        await pilot.pause()


async def test_a_log_follows_its_end_until_the_person_looks_back() -> None:
    app = Bench()
    async with app.run_test(size=(40, 24)) as pilot:
        app.tail.add([f"line {n}" for n in range(100)])
        await pilot.pause()
        assert seen(app.tail)[-1].strip() == "line 99"
        app.tail.move("up")
        app.tail.add(["line 100"])
        await pilot.pause()
        assert "line 100" not in "\n".join(seen(app.tail))
        app.tail.move("last")
        app.tail.add(["line 101"])
        await pilot.pause()
        assert seen(app.tail)[-1].strip() == "line 101"


async def test_a_log_is_wrapped_searched_and_bounded() -> None:
    app = Bench()
    async with app.run_test(size=(40, 24)) as pilot:
        app.tail.add(["first", "word " * 30, "needle here", *(f"line {n}" for n in range(50)), "a Needle there"])
        await pilot.pause()
        app.tail.toggle_wrap()
        assert max(len(line) for line in seen(app.tail)) <= 40
        app.tail.search("needle")
        assert [app.tail.find(-1), app.tail.find(-1), app.tail.find(-1)] == [53, 2, 53]
        app.tail.find(1)
        await pilot.pause()
        assert any("needle here" in line for line in seen(app.tail))
        app.tail.search("absent")
        assert app.tail.find(1) is None
        app.tail.add(["x"] * (KEPT + 10))
        assert len(app.tail.lines) <= KEPT
        app.tail.add(["y" * 100_000])
        assert len(app.tail.lines[-1]) < 3000
