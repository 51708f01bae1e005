"""Who asks is written down, and a room that only watches asks for nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.tui.seat import Seat, held_lab, room


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Path]:
    with held_lab(tmp_path / "lab") as root:
        yield root


def commands(root: Path) -> int:
    with sqlite3.connect(root / "runs.db") as plain:
        return int(plain.execute("SELECT count(*) FROM commands").fetchone()[0])


def test_a_room_that_only_watches_refuses_every_change_with_a_sentence(watched: Path) -> None:
    seat = Seat(room(watched, "--read-only"))
    seat.see("Idea number 12")
    seat.see("  read-only  ")
    words = {"P": "pause queue", "r": "requeue", "x": "end", "K": "kill", "+": "raise", "m": "message", "S": "start"}
    for key, word in words.items():
        seat.process.send(key)
        seat.see(f"watches: {word}")
    seat.process.send(":")
    seat.see("tab completes, up goes back")
    seat.process.send("drop 3\r")
    seat.see("watches: drop")
    assert commands(watched) == 0
    seat.process.send("d")
    seat.see("LEARNING_RATE")
    seat.process.send("q")


def test_an_order_says_who_gave_it(watched: Path) -> None:
    seat = Seat(room(watched), LOGNAME="ada")
    seat.see("Idea number 12")
    seat.process.send("P")
    eventually(lambda: commands(watched), 20, "the order")
    with sqlite3.connect(watched / "runs.db") as plain:
        (actor,) = plain.execute("SELECT actor FROM commands").fetchone()
    assert re.fullmatch(r"ada@\S+", actor)
    seat.process.send("q")


def test_watching_needs_a_lab(tmp_path: Path) -> None:
    seat = Seat(room(tmp_path / "none", "--read-only"), columns=200)
    seat.see("There is nothing to watch")
    assert seat.end() == 2
