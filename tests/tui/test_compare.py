"""Teams side by side in the room: opened by its key and by its word, at a small and a large size."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.comparison import Completion, Estimate, TeamFigures
from orchestrator.store.agents import StoredCall
from orchestrator.store.writer import Writer
from tests.tui.driving import room, screen_text, until
from tests.tui.room_lab import make_empty_lab, make_room_lab
from tui.comparing import TEAM_COLUMNS, role_cells, team_cells
from tui.screens.compare import CompareScreen
from tui.tones import Said, Tone


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_teams_and_the_jobs_of_their_roles_stand_side_by_side(tmp_path: Path, size: tuple[int, int]) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with Writer(lab.database) as store:
        for outcome in ("finished", "finished", "went on"):
            words = ("", "[]", 900, 100, 0, 0.25, 1.0, None, "stop", outcome, "[]", "offline")
            await store.add_call(StoredCall("worker-1", "worker", "a job", None, "small-and-open", "hash", *words))
        await store.event("agent", "worker-1", "gave up a job: no idea")
    async with room(lab, size) as pilot:
        await pilot.press("C")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await until(pilot, lambda: "small-and-open" in screen_text(pilot))
        shown = screen_text(pilot)
        assert "teams side by side  1 team" in shown and "offline" in shown and "3 of 12" in shown
        assert "67% (21 .. 94%)" in shown and "a slot-hour" in shown
        assert ("believed gain" in shown and "money" in shown) == (size[0] == 200)
        await pilot.press("tab", "j", "k", "1", "C", "escape")
        await until(pilot, lambda: pilot.app.screen is pilot.app.dashboard)  # type: ignore[attr-defined]


async def test_a_lab_without_teams_says_so(tmp_path: Path) -> None:
    lab = await make_empty_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("C")
        await until(pilot, lambda: "No team has worked here yet." in screen_text(pilot))
        assert "No job of an agent has ended yet." in screen_text(pilot)


def test_a_gain_that_its_interval_holds_apart_from_nothing_is_good_and_a_low_rate_is_told() -> None:
    sure, unsure = Estimate(0.2, 0.1, 0.3), Estimate(0.2, 0.0, 0.5)
    one = TeamFigures("solo", "solo", 9, 2, sure, 0.3, sure, 1.5, unsure, 3.0, None, 12_000, 0.8)
    cells = dict(zip((column.heading for column in TEAM_COLUMNS), team_cells(one), strict=True))
    assert cells["team"] == Said("solo  own master", Tone.STRONG) and cells["merged"] == Said("2 of 9")
    assert cells["believed gain"] == Said("0.200 (0.100 .. 0.300)", Tone.GOOD)
    assert cells["gain a slot-hour"] == Said("0.200 (0.000 .. 0.500)") and cells["gain for money"] == Said("-")
    assert cells["leads"] == Said("80%")
    *_, completed = role_cells(Completion("solo", "solo", "small", 1, 9))
    assert isinstance(completed, Said) and completed.tone is Tone.WARN and completed.text.startswith("10% (")


async def test_the_results_say_whose_they_are_where_several_teams_are_at_work(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (200, 50)) as pilot:
        heads = [line for line in screen_text(pilot).splitlines() if "val_bpb" in line]
        assert heads and not any("team" in line for line in heads)
        async with Writer(lab.database) as store:
            await store.set_agents(
                [("offline.worker-1", "worker", "offline", "offline"), ("solo", "solo", "solo", "small")]
            )
        await until(
            pilot, lambda: any("val_bpb" in line and "team" in line for line in screen_text(pilot).splitlines())
        )
