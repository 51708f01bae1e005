"""How fast, how thrifty: the control room on a real pty, beside the same rows in plain Textual widgets.

    python bench/tui.py [--quick] [--size 120x40] [--json FILE]

Against a lab of 10,000 experiments, 8 agents that write 125 lines a second each and 8 slots (bench/lab_generator.py):
the start to the first complete screen, key to paint, bytes a second, memory over an hour's worth of events (fed fast),
and the share of a core while nothing happens; the same over lines of 100 kB/s and of 20 kB/s with 150 ms of delay each
way. Key to paint ends when the last byte of the cursor's new place has come to the terminal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
from pty_line import Line, PtyProgram, Replay

HERE = Path(__file__).parent
PLAIN = Line("plain")
HUNDRED = Line("100 kB/s", 100_000)
TWENTY = Line("20 kB/s, 150 ms", 20_000, 0.15)
KEY_SECONDS = (0.13, 0.33)  # between two keys, at random: a beat of their own would fall in with the room's or not
STEPS = 6  # so many rows down, then up again

GOALS = {
    "first screen, s": 1.0,
    "key to paint, idle, p95 ms": 50.0,
    "key to paint, streaming, p95 ms": 50.0,
    "key to paint, streaming, 100 kB/s, p95 ms": 250.0,
    "bytes a second, idle": 1000.0,
    "share of a core, idle, %": 2.0,
    "memory after an hour, MB": 150.0,
    "memory gained by the second hour, MB": 5.0,
}


@dataclass
class Program:
    """What is measured: how it starts, and when its first screen is complete."""

    name: str
    words: list[str]
    complete: tuple[str, ...]  # regular expressions that the screen must match
    figures: dict[str, float] = field(default_factory=dict)


class Daemon:
    """The player of the lab, told what to do."""

    def __init__(self, lab: Path) -> None:
        words = [sys.executable, str(HERE / "lab_generator.py"), str(lab), "--play"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hears("ready")

    @property
    def _said(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def tell(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()

    def hears(self, word: str) -> None:
        said = self._said.readline().strip()
        assert said == word, f"the lab's player said {said!r} instead of {word!r}"

    def end(self) -> None:
        self.tell("end")
        self._process.wait(20)


class Bench:
    def __init__(self, lab: Path, columns: int, rows: int, quick: bool) -> None:
        self._lab, self._columns, self._rows, self._quick = lab, columns, rows, quick

    def _open(self, program: Program, line: Line) -> PtyProgram:
        path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        return PtyProgram(program.words, line, self._columns, self._rows, {"PYTHONPATH": path})

    def _settled(self, terminal: PtyProgram, program: Program, patience: float = 60) -> float:
        """Seconds from the start to the first complete screen; waits until the painting is over."""
        deadline = time.monotonic() + patience
        replay, fed, complete = Replay(self._columns, self._rows), 0, None
        while complete is None or time.monotonic() - terminal.chunks[-1][0] < 0.4:
            assert time.monotonic() < deadline, f"no complete screen of {program.name}:\n{replay.text()}"
            time.sleep(0.2)
            while fed < len(terminal.chunks):
                at, chunk = terminal.chunks[fed]
                fed += 1
                replay.feed(chunk)
                if complete is None and all(re.search(words, replay.text()) for words in program.complete):
                    complete = at
            if complete is not None and time.monotonic() - complete > 3:
                break
        return complete - terminal.started_at

    def measure(self, program: Program, daemon: Daemon) -> None:
        self._start(program)
        for line in (PLAIN, HUNDRED, TWENTY):
            self._line(program, daemon, line)
        self._hour(program, daemon)

    def _start(self, program: Program) -> None:
        taken = []
        for _ in range(3 if self._quick else 5):
            terminal = self._open(program, PLAIN)
            taken.append(self._settled(terminal, program))
            terminal.end()
        program.figures["first screen, s"] = statistics.median(taken)

    def _line(self, program: Program, daemon: Daemon, line: Line) -> None:
        seconds = 5.0 if self._quick else 12.0
        over = "" if line is PLAIN else f", {line.name}"
        terminal = self._open(program, line)
        try:
            self._settled(terminal, program)
            process = psutil.Process(terminal.process.pid)
            if line is PLAIN:
                time.sleep(1.0)
                begin, used = time.monotonic(), sum(process.cpu_times()[:2])
                time.sleep(seconds)
                program.figures["share of a core, idle, %"] = 100 * (sum(process.cpu_times()[:2]) - used) / seconds
                program.figures["bytes a second, idle"] = terminal.bytes_since(begin) / seconds
                self._keys(program, terminal, "key to paint, idle")
            daemon.tell("stream")
            time.sleep(2.0)
            begin, used = time.monotonic(), sum(process.cpu_times()[:2])
            time.sleep(seconds)
            program.figures[f"bytes a second, streaming{over}"] = terminal.bytes_since(begin) / seconds
            program.figures[f"share of a core, streaming{over}, %"] = (
                100 * (sum(process.cpu_times()[:2]) - used) / seconds
            )
            self._keys(program, terminal, f"key to paint, streaming{over}")
        finally:
            daemon.tell("quiet")
            terminal.end()

    def _keys(self, program: Program, terminal: PtyProgram, name: str) -> None:
        """Walk up and down in the table, and find afterwards when each step was seen."""
        for _ in range(14):  # away from the rows that come in on top
            terminal.press("j")
            time.sleep(0.05)
        time.sleep(4.0)
        begin = time.monotonic()
        pressed, place = [], 0
        for number in range(36 if self._quick else 120):
            step = 1 if number // STEPS % 2 == 0 else -1
            place += step
            pressed.append((terminal.press("j" if step > 0 else "k"), place))
            time.sleep(random.uniform(*KEY_SECONDS))
        time.sleep(4.0)
        seen = self._cursor_places(list(terminal.chunks), begin)
        times = sorted(1000 * seconds for seconds in _waits(pressed, seen))
        for share in (50, 95, 99):
            program.figures[f"{name}, p{share} ms"] = times[min(len(times) - 1, len(times) * share // 100)]

    def _cursor_places(self, chunks: list[tuple[float, bytes]], begin: float) -> list[tuple[float, int]]:
        """(when, how many rows below the place of `begin`) of the cursor.

        Ids run downwards in both tables; those of experiments that only wait are in none.
        """
        replay, start = Replay(self._columns, self._rows), None
        places: list[tuple[float, int]] = []
        with closing(sqlite3.connect(self._lab / "runs.db")) as connection:
            rows = connection.execute("SELECT DISTINCT experiment_id FROM runs ORDER BY experiment_id")
            listed = [int(number) for (number,) in rows]
        pane = self._columns * 2 // 5 + 2
        for at, chunk in chunks:
            replay.feed(chunk)
            row = replay.row_with_own_background(self._columns * 3 // 4, 2, self._rows - 1)
            found = re.search(r"\d{3,}", row[pane:]) if row is not None else None
            if found is None:
                continue
            rank = bisect_left(listed, int(found.group()))
            if at < begin:
                start = rank
            elif start is not None and (not places or places[-1][1] != start - rank):
                places.append((at, start - rank))
        return places

    def _hour(self, program: Program, daemon: Daemon) -> None:
        terminal = self._open(program, PLAIN)
        try:
            self._settled(terminal, program)
            process, held = psutil.Process(terminal.process.pid), []
            for _ in range(2):
                daemon.tell("hour")
                daemon.hears("hour done")
                time.sleep(2.0)
                held.append(process.memory_info().rss / 1e6)
                terminal.chunks.clear()
        finally:
            terminal.end()
        program.figures["memory after an hour, MB"] = held[0]
        program.figures["memory gained by the second hour, MB"] = held[1] - held[0]


def _waits(pressed: list[tuple[float, int]], seen: list[tuple[float, int]]) -> list[float]:
    """For each key, seconds until its place, or that of a later key, was seen; a key never seen counts as 10 s."""
    waits, shown_at = [], float("inf")
    for at, place in reversed(pressed):
        own = next((when for when, where in seen if when >= at and where == place), float("inf"))
        shown_at = min(shown_at, own)
        waits.append(min(10.0, shown_at - at))
    return waits


def _table(room: Program, plain: Program) -> tuple[list[str], bool]:
    lines, met = [f"{'':52}{room.name:>12}{plain.name:>14}{'ratio':>8}  goal"], True
    for name, value in room.figures.items():
        other = plain.figures.get(name)
        ratio = f"{other / value:.1f}" if other is not None and value > 0 else "-"
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"{goal:g}: {'met' if value < goal else 'MISSED'}"
        met = met and (goal is None or value < goal)
        shown = "-" if other is None else f"{other:,.1f}"
        lines.append(f"{name:52}{value:>12,.1f}{shown:>14}{ratio:>8}  {verdict}")
    return lines, met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--size", default="120x40", help="columns x rows (default 120x40)")
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--no-reference", action="store_true", help="the control room alone")
    chosen = parser.parse_args()
    columns, rows = map(int, chosen.size.split("x"))
    with tempfile.TemporaryDirectory() as directory:
        lab = Path(directory) / "lab"
        make = [sys.executable, str(HERE / "lab_generator.py"), str(lab), "--experiments", str(chosen.experiments)]
        subprocess.run(make, check=True)
        words = (r"results 1\d", "queue 4", "slots 8/8", "help", "val_bpb", "measured", r"\d\d:\d\d:\d\d ")
        room = Program("autolab-tui", [sys.executable, "-m", "tui.main", str(lab)], words)
        plain = Program("plain widgets", [sys.executable, str(HERE / "plain_widgets.py"), str(lab)], ("variant",))
        bench = Bench(lab, columns, rows, chosen.quick)
        loads = []
        for program in (room,) if chosen.no_reference else (room, plain):
            daemon = Daemon(lab)
            bench.measure(program, daemon)
            daemon.end()
            loads.append(os.getloadavg()[0])
    lines, met = _table(room, plain)
    load = ", ".join(f"{value:.1f}" for value in loads)
    print(f"{chosen.size}, {chosen.experiments} experiments, {os.cpu_count()} cores, load after each: {load}")
    print("\n".join(lines))
    if chosen.json:
        chosen.json.write_text(json.dumps({"load": loads, "room": room.figures, "plain": plain.figures}, indent=2))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
