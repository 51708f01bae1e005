"""An error of the program costs one command and no lab: it is refused and told, and a daemon that dies says of what."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from orchestrator.lab import Lab, daemon_of
from orchestrator.store.records import Command, Level
from orchestrator.store.writer import Writer
from tests.cli.test_bad_input import refused
from tests.command_line import autolab
from tests.tui.answering import answered

UNFORESEEN = {"command": float("inf")}
"""Of `undo`: no client asks so, and no code of ours expects it."""


async def test_an_error_while_a_command_is_answered_refuses_that_command_alone(bare: Path) -> None:
    lab = Lab(bare)
    async with answered(lab) as store:
        broken = await store.post_command("undo", UNFORESEEN, "somebody")
        sound = await store.post_command("pause", {}, "somebody")
        answer, other = await store.answer(broken, 20), await store.answer(sound, 20)
        told = await store.newest_events("lab", 5)
    assert answer.state == "refused" and "an error of its own (OverflowError: " in answer.answer
    assert other.state == "done", "the others are answered as ever"
    assert [one.after for one in told if "the command undo met an error" in one.reason] == [Level.ERROR]
    log = lab.daemon_log.read_text()
    assert log.count("Traceback") == 1 and "undoing.py" in log, "where it happened, once"


def leave(root: Path, verb: str, arguments: str) -> None:
    """A row of the table, as anybody can leave it there."""
    with sqlite3.connect(root / "runs.db") as plain:
        plain.execute(
            "INSERT INTO commands (at, actor, verb, arguments, state, answer)"
            " VALUES ('2026-01-31T02:03:04.567Z', 'somebody', ?, ?, 'waiting', '')",
            (verb, arguments),
        )


def test_without_a_daemon_an_old_command_that_fails_hides_behind_no_other(bare: Path) -> None:
    leave(bare, "undo", json.dumps(UNFORESEEN))
    paused = autolab("pause", str(bare))
    assert (paused.returncode, paused.stderr) == (0, "")
    assert "Traceback" in Lab(bare).daemon_log.read_text()


async def test_a_command_that_cannot_be_read_is_refused_and_does_not_mean_the_whole_lab(bare: Path) -> None:
    leave(bare, "stop", "no JSON")
    leave(bare, "pause", "[12]")
    async with answered(Lab(bare)) as store:
        for number in (1, 2):
            answer = await store.answer(number, 20)
            assert answer.state == "refused" and "words that cannot be read" in answer.answer


async def test_a_command_at_which_the_daemon_died_twice_is_refused_the_third_time(bare: Path) -> None:
    lab = Lab(bare)
    async with Writer(lab.database) as store:
        posted = await store.post_command("pause", {}, "somebody")
        command = await store.command(posted)
        assert command is not None
        for before in range(2):  # as a daemon that is killed leaves it
            assert await store.begin_command(command) == before
    async with answered(lab) as store:
        answer = await store.answer(posted, 20)
        assert answer.state == "refused" and "has died 2 times while it was at it" in answer.answer
        assert await store.meta("paused") != "yes"
        assert await _noted(store, answer) == 0


async def test_a_command_that_is_answered_leaves_no_note_of_being_under_way(bare: Path) -> None:
    async with answered(Lab(bare)) as store:
        for verb in ("pause", "stop"):
            answer = await store.answer(await store.post_command(verb, {}, "somebody"), 20)
            assert answer.state == "done"
            assert await _noted(store, answer) == 0


async def _noted(store: Writer, command: Command) -> int:
    row = await store.row("SELECT count(*) AS n FROM meta WHERE key LIKE ?", (f"command {command.id} %",))
    assert row is not None
    return int(row["n"])


def test_a_daemon_that_dies_right_after_its_start_is_told_and_doctor_knows_of_what(lab: Path) -> None:
    def forgiven(value: str) -> None:
        with sqlite3.connect(lab / "runs.db") as plain:
            plain.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('runs_forgiven', ?)", (value,))

    forgiven("what no daemon can read")
    refused(
        autolab("start", str(lab)), 1, "ValueError: invalid literal for int()", "The whole story is in", "daemon.log"
    )
    assert "Traceback" in Lab(lab).daemon_log.read_text()
    looked = autolab("doctor", str(lab)).stdout
    assert "MIND  daemon: not running: it died of an error: ValueError: invalid literal" in looked
    forgiven("0")
    assert autolab("start", str(lab)).returncode == 0 and daemon_of(Lab(lab)) is not None
    assert autolab("stop", "--now", str(lab)).returncode == 0
    assert "ok    daemon: not running\n" in autolab("doctor", str(lab)).stdout, "what is over is told no more"
