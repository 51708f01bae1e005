"""`autolab-tui [LAB]`: finds or makes the lab and opens the control room."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from orchestrator.cli.hints import for_lab
from orchestrator.errors import LabError, UsageError
from orchestrator.lab import Lab, daemon_of, find_lab


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", "`autolab-tui --help` shows how.")


def _lab(given: str | None) -> Lab:
    """The lab to open; ./lab (or the place given) when there is none yet."""
    try:
        return find_lab(given)
    except LabError:
        root = (Path(given).expanduser() if given else Path.cwd() / "lab").resolve()
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise
        return Lab(root)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _Parser(
        prog="autolab-tui",
        description="Open the control room of a lab. Without a lab, ./lab is made. Leaving it never stops the lab.",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="only watch: nothing that changes the lab is carried out"
    )
    parser.add_argument("lab", nargs="?", metavar="LAB", help="default: the current directory, else ./lab")
    try:
        asked = parser.parse_args(arguments)
        lab = _lab(asked.lab)
        if lab.exists and daemon_of(lab) is None:  # a daemon at work has read them already
            from orchestrator.settings import read_settings

            read_settings(lab.settings_file)
        if asked.read_only and not lab.database.exists():
            raise UsageError(f"There is nothing to watch at {lab.root} yet.", "Open it once without --read-only.")
        if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on stderr
            raise UsageError("The control room needs a terminal.", "Without one, use `autolab status` and its fellows.")
    except LabError as error:
        print(f"autolab-tui: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    sys.setswitchinterval(0.001)  # the threads that read and write are not to hold a key up
    os.environ.setdefault("TEXTUAL_FPS", "200")  # the frames have a pace of their own (tui.pace)
    gc.disable()  # until the first screen is there (tui.paced): it would look through what stays anyway, three times
    from tui.app import ControlRoom  # Textual takes a moment: errors above come at once
    from tui.terminal import takes_mouse

    room = ControlRoom(lab, read_only=asked.read_only)
    problem = room.run(mouse=takes_mouse(os.environ))
    if problem:
        print(f"autolab-tui: {problem}", file=sys.stderr)
        return 1
    if not room.return_code and sys.stdout.isatty() and daemon_of(lab) is not None:
        print(textwrap.fill(for_lab(asyncio.run(farewell(lab)), lab), max(20, os.get_terminal_size().columns)))
    return room.return_code or 0


async def farewell(lab: Lab) -> str:
    """What becomes of a lab at work when its room is left."""
    from orchestrator.store.reader import Reader

    with contextlib.suppress(LabError):
        async with Reader(lab.database) as reader:
            if any(order.verb == "stop" for order in await reader.waiting_commands()):
                return "The lab comes to its end as ordered; until then `autolab start` calls that off."
    return "The lab goes on: `autolab-tui` opens the room again, `autolab stop` lets it rest."


if __name__ == "__main__":
    sys.exit(main())
