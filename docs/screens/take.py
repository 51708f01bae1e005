"""Takes the README's pictures: the control room as it shows a lab that really ran, as SVG files beside this script.

    python docs/screens/take.py LAB [--experiment ID]

Nothing is drawn for the picture: the app itself runs on a terminal of a fixed size, only watching, gets the keys that a
person would press, and is photographed by Textual. With a daemon at work on LAB the pictures show it at work.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.lab import Lab
from tui.app import ControlRoom

HERE = Path(__file__).parent
SETTLED_SECONDS = 2.5
FONT_LINKS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Picture:
    """A screen to photograph: the keys that lead to it, and the terminal's size in columns and rows."""

    name: str
    keys: tuple[str, ...]
    size: tuple[int, int]


PICTURES = (
    Picture("dashboard", (), (160, 44)),
    Picture("dashboard-80x24", (), (80, 24)),
    Picture("experiment", ("enter",), (160, 44)),
    Picture("review", ("b",), (160, 44)),
    Picture("morning", ("colon", *"morning", "space", "2", "4", "enter"), (120, 36)),
    Picture("help", ("question_mark",), (120, 36)),
)


async def photograph(root: Path, picture: Picture, experiment: int | None) -> Path:
    """Open the room, press the keys, and write the picture."""
    room = ControlRoom(Lab(root), read_only=True)
    async with room.run_test(size=picture.size) as pilot:
        await pilot.pause(SETTLED_SECONDS)
        while room.screen is not room.dashboard:  # what happened since the last visit comes first, after hours
            await pilot.press("escape")
            await pilot.pause(SETTLED_SECONDS)
        if picture.name == "experiment" and experiment is not None:
            await pilot.press("colon", *"show", "space", *str(experiment))
        await pilot.press(*picture.keys)
        await pilot.pause(SETTLED_SECONDS)
        drawing = room.export_screenshot(title=f"autolab-tui {root.name}")
    path = HERE / f"{picture.name}.svg"
    path.write_text(FONT_LINKS.sub("", drawing), encoding="utf-8")  # no picture of ours asks the network for a font
    return path


def main() -> None:
    asked = argparse.ArgumentParser(description="Take the README's pictures of a lab.")
    asked.add_argument("lab", type=Path)
    asked.add_argument("--experiment", type=int, help="the experiment to show; default: the one on top of the results")
    words = asked.parse_args()
    os.environ |= {"AUTOLAB_THEME": "dark", "COLORTERM": "truecolor"}  # as on most terminals, wherever this runs
    for picture in PICTURES:
        print(asyncio.run(photograph(words.lab.resolve(), picture, words.experiment)))


if __name__ == "__main__":
    main()
