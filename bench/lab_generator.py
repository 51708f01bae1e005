"""A lab of any size to measure the control room against: experiments by the thousand, agents that write, slots at work.

    python bench/lab_generator.py DIRECTORY [--experiments N]     make the lab
    python bench/lab_generator.py DIRECTORY --play                 be its daemon: hold the lock, obey standard input

Played, it takes a line at a time: `quiet` (nothing is written), `stream` (8 agents with 125 lines a second each, 8
slots with a reading a second, an experiment's step every two seconds), `hour` (what `stream` writes in an hour, as
fast as it goes; answers `hour done`), `end`. The past is written into the schema at once, because 10,000 experiments
through the daemon's pen would take minutes; what moves goes through the store's own Writer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.engine.pulse import beat
from orchestrator.lab import Lab, LabLock
from orchestrator.settings_text import settings_text
from orchestrator.store.records import RunKind, utc_now
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer

SLOTS = 8
GPU = "NVIDIA H100"
AGENTS = ("researcher", "planner", "reviewer", "reporter", "worker-1", "worker-2", "worker-3", "worker-4")
LINES_A_SECOND = 125
HOUR = 3600
ENDS = (State.DISCARDED, State.NOT_CONFIRMED, State.CRASHED, State.KILLED, State.PRUNED)
IDEAS = ("Rotary position embedding", "QK-norm", "ReLU squared", "Muon for the matrices", "Cosine decay to a tenth")
WORDS = (
    '-> list_experiments {"limit": 50, "state": "discarded"}',
    "The baseline stands at 2.6934 with a noise of 0.011; what is left is the schedule.",
    '<- {"id": 4711, "state": "not_confirmed", "val_bpb": 2.7012, "delta": 0.0078}',
    "Traceback is not what this says, but the line is long enough to be wrapped in any pane of the room.",
)


async def make_lab(root: Path, experiments: int) -> Lab:
    """Write a lab with so many ended experiments, some waiting, and a run under way on each slot."""
    lab = Lab(root)
    for directory in (root, lab.hidden, lab.agents):
        directory.mkdir(parents=True, exist_ok=True)
    lab.settings_file.write_text(settings_text("cpu", 15))
    async with Writer(lab.database) as store:
        await store.connection.execute("PRAGMA synchronous = OFF")  # a lab to throw away
        await store.set_meta("profile", "cpu")
        await store.add_start("a" * 40, "start", "the starting point of this lab")
        await store.set_slots([(f"gpu{n}", GPU) for n in range(SLOTS)])
        await store.set_agents([(name, name.split("-")[0], "offline", "offline, rule-based") for name in AGENTS])
        await _write_past(store, experiments)
        for slot in range(SLOTS):
            await _begin(store, f"gpu{slot}", experiments + slot)
        for number in range(40):
            await _propose(store, number)
    for name in AGENTS:
        lab.agent_log(name).write_text(_lines(400))
    return lab


async def _write_past(store: Writer, count: int) -> None:
    """`count` experiments with their runs and events, one commit for all of them."""
    chance, now = random.Random(7), datetime.now(UTC)
    experiments, runs, events, masters = [], [], [], []
    best = 3.333
    for number in range(1, count + 1):
        at = (now - timedelta(minutes=2 * (count - number) + 3)).isoformat(timespec="milliseconds")
        at = at.replace("+00:00", "Z")
        merged = number % 250 == 1
        best -= 0.02 if merged else 0.0
        state = State.PROMOTED if merged else ENDS[number % len(ENDS)]
        scored = state not in (State.CRASHED, State.KILLED)
        value = round(best + (0 if merged else abs(chance.gauss(0.02, 0.03))), 4) if scored else None
        idea, commit = IDEAS[number % len(IDEAS)], f"{number:040x}"
        reason = f"{value} against the baseline's {best:.4f}" if scored else "train.py ended early"
        experiments.append(
            (
                number,
                f"{idea}, variant {number}",
                f"{idea} lowers the loss.",
                "arXiv:2104.09864",
                idea,
                "",
                "researcher",
                "offline",
                state,
                reason,
                0,
                1,
                "a" * 40,
                f"exp/{number}-x",
                commit,
                "offline",
                value,
                None if value is None else round(value - best, 4),
                at,
                at,
            )
        )
        for seed in (1, 2, 3) if merged or state is State.NOT_CONFIRMED else (1,):
            score = None if value is None else value + chance.gauss(0, 0.004)
            outcome = "scored" if scored else "crash"
            kind = RunKind.SCREEN if seed == 1 else RunKind.CONFIRM
            runs.append(
                (
                    number,
                    1,
                    kind,
                    seed,
                    commit,
                    "a" * 40,
                    f"gpu{number % SLOTS}",
                    GPU,
                    "bubblewrap",
                    outcome,
                    reason,
                    score,
                    300.0,
                    2000,
                    at,
                    at,
                    1,
                )
            )
        steps = (State.PROPOSED, State.QUEUED, State.PATCHING, State.READY, State.RUNNING, state)
        events += [(at, "autolab", "state", number, str(after), reason) for after in steps]
        if merged:
            masters.append((commit, number, at))
    put = store.connection.executemany
    await store.connection.execute("BEGIN")
    await put(
        "INSERT INTO experiments (id, title, hypothesis, source, variable, edit, author, team, state, reason, priority,"
        " attempt, parent, branch, commit_id, role_model, val_bpb, delta, created_at, updated_at, ground)"
        f" VALUES ({', '.join('?' * 20)}, '{GPU}')",
        experiments,
    )
    await put(
        "INSERT INTO runs (experiment_id, attempt, kind, seed, commit_id, parent, slot, device, sandbox, outcome,"
        " reason, val_bpb, training_seconds, steps, started_at, ended_at, tracked)"
        f" VALUES ({', '.join('?' * 17)})",
        runs,
    )
    await put("INSERT INTO events (at, actor, kind, experiment_id, after, reason) VALUES (?, ?, ?, ?, ?, ?)", events)
    await put("INSERT INTO masters (commit_id, experiment_id, at) VALUES (?, ?, ?)", masters)
    await store.connection.execute("COMMIT")


async def _propose(store: Writer, number: int) -> int:
    idea = IDEAS[number % len(IDEAS)]
    proposal = Proposal(f"{idea}, next {number}", f"{idea} again.", "arXiv:2104.09864", idea)
    made = await store.add_experiment(proposal, author="researcher", team="offline", priority=number % 10)
    await store.move(made.id, State.QUEUED, "planned: a cited idea", actor="planner")
    return made.id


async def _begin(store: Writer, slot: str, number: int) -> None:
    """A new experiment takes the slot."""
    made = await _propose(store, number)
    await store.move(made, State.PATCHING, "worker-1 writes the patch", actor="worker-1")
    ready = await store.move(made, State.READY, "approved", parent="a" * 40, commit_id=f"{made:040x}", branch="exp/x")
    await store.begin_run(ready, RunKind.SCREEN, 1, Place(slot, GPU, "bubblewrap"), f"{made:040x}")


def _lines(count: int) -> str:
    at = datetime.now(UTC).strftime("%H:%M:%S")
    return "".join(f"{at} {WORDS[n % len(WORDS)]} {n}\n" for n in range(count))


class Player:
    """The lab's daemon, as far as a screen can tell."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._number = 20_000
        self._logs = [lab.agent_log(name).open("a") for name in AGENTS]

    async def play(self) -> None:
        lock = LabLock(self._lab)
        lock.acquire()
        identity = {"pid": os.getpid(), "started_at": utc_now(), "mode": "daemon"}
        self._lab.identity_file.write_text(json.dumps(identity))
        orders: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), lambda: orders.put_nowait(sys.stdin.readline().strip() or "end"))
        print("ready", flush=True)
        alive = asyncio.create_task(beat(self._lab))
        async with Writer(self._lab.database) as store:
            await store.connection.execute("PRAGMA synchronous = OFF")
            order = "quiet"
            while order != "end":
                match order:
                    case "hour":
                        await self._hour(store)
                        print("hour done", flush=True)
                    case "stream":
                        await self._stream(store, orders)
                order = await orders.get()
        alive.cancel()
        lock.release()

    async def _stream(self, store: Writer, orders: asyncio.Queue[str]) -> None:
        begin, tick = time.monotonic(), 0
        while orders.empty():
            await self._second_tenth(store, tick)
            tick += 1
            await asyncio.sleep(max(0.0, begin + tick / 10 - time.monotonic()))

    async def _second_tenth(self, store: Writer, tick: int) -> None:
        """A tenth of a second of the lab's life."""
        count = LINES_A_SECOND * (tick + 1) // 10 - LINES_A_SECOND * tick // 10
        for log in self._logs:
            log.write(_lines(count))
            log.flush()
        if tick % 10 < SLOTS:
            await self._read_slot(store, tick % 10, tick)
        if tick % 20 == 9:
            await self._step(store, (tick // 20) % SLOTS)

    async def _read_slot(self, store: Writer, slot: int, tick: int) -> None:
        share = (tick / 3000 + slot / SLOTS) % 1
        loss = 2.5 + 3 * math.exp(-5 * share)
        machine = {"utilisation": 0.97, "memory_used": 40 * 2**30, "memory_total": 80 * 2**30, "temperature": 61.0}
        live = {"phase": "training", "progress": share, "step": int(2000 * share), "loss": loss}
        await store.set_slot(f"gpu{slot}", **live, **machine, power=512.0)
        await store.set_agent(AGENTS[slot], "thinking", f"patch experiment {tick // 40}", tokens_in=900, tokens_out=40)

    async def _step(self, store: Writer, slot: int) -> None:
        """The run on the slot ends, its experiment gets its outcome, the next one starts."""
        row = await store.row("SELECT run_id FROM slots WHERE name = ?", (f"gpu{slot}",))
        run = None if row is None or row["run_id"] is None else await store.run(row["run_id"])
        if run is not None:
            await store.end_run(run.id, Measurement("scored", "scored 3.3000", 3.3, steps=2000))
            await store.move(run.experiment_id, State.SCORED, "scored 3.3000")
            await store.move(run.experiment_id, State.DISCARDED, "3.3000 does not beat the baseline")
        self._number += 1
        await _begin(store, f"gpu{slot}", self._number)

    async def _hour(self, store: Writer) -> None:
        """3,600 seconds of lines and readings, 720 steps."""
        for second in range(HOUR):
            for log in self._logs:
                log.write(_lines(LINES_A_SECOND))
                log.flush()
            await self._read_slot(store, second % SLOTS, second)
            if second % 5 == 0:
                await self._step(store, second // 5 % SLOTS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--play", action="store_true")
    chosen = parser.parse_args()
    if chosen.play:
        asyncio.run(Player(Lab(chosen.directory.resolve())).play())
    else:
        asyncio.run(make_lab(chosen.directory.resolve(), chosen.experiments))
