"""The frame of a place that panes share names all of them, at every width, and no name is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.tui.driving import room, screen_text, until
from tests.tui.room_lab import make_room_lab
from tui.arranging import PANES, groups_of
from tui.titles import BETWEEN, titles

GROUP = groups_of("small")[0]
TABS = {"agents": "2 agents 6", "results": "3 results 43", "queue": "4 queue 6", "plot": "5 learning rate"}


@pytest.mark.parametrize("shown", GROUP)
def test_a_tab_is_whole_a_name_or_a_number_and_all_of_them_fit(shown: str) -> None:
    heading = f"{TABS[shown]} /state=discarded author=ada  by delta ↓"
    for width in range(24, 200):
        said = titles(GROUP, shown, heading, TABS, width)
        number = {pane: str(PANES.index(pane) + 1) for pane in GROUP}
        for pane in GROUP:
            if pane != shown:
                assert said[pane] in (TABS[pane], f"{number[pane]} {pane}", number[pane])
        assert tuple(said) == GROUP and cell_len(BETWEEN.join(said.values())) <= width
    assert said[shown] == heading


async def test_the_picture_of_a_plot_behind_another_pane_has_its_whole_name(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "│ 5 best score ─" in screen_text(pilot))
        await pilot.press("u", "u", "3")
        await until(pilot, lambda: "│ 5 learning rate ─" in screen_text(pilot))
        await pilot.press("slash", *"state=discarded val_bpb", "less_than_sign", *"3.4", "enter")
        await until(pilot, lambda: "5 plot ─" in screen_text(pilot))
        await pilot.resize_terminal(60, 15)
        await until(pilot, lambda: "│ 4 queue │ 5 plot ─" in screen_text(pilot))
