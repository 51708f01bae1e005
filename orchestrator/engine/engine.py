"""The engine of one lab: commands answered, runs kept going, results judged, agents at work, slots watched."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orchestrator.context import Context
from orchestrator.engine.answering import TROUBLE_SECONDS, Answering
from orchestrator.engine.pulse import beat
from orchestrator.engine.stop_orders import StopOrders
from orchestrator.errors import LabError
from orchestrator.measurement.judging import Judging
from orchestrator.measurement.measuring import Measuring
from orchestrator.measurement.vault import Vault
from orchestrator.runs import Reading
from orchestrator.runs.foothold import Foothold
from orchestrator.store.records import AT_WORK, Level, Run, utc_now
from orchestrator.store.states import WAITING, State
from orchestrator.team.crew import NO_FURTHER_IDEA, Crew
from orchestrator.views import HALTED
from orchestrator.watching.anomalies import Anomalies
from orchestrator.watching.delivering import Delivery
from orchestrator.watching.endpoints import watch_endpoints
from orchestrator.watching.instructions import Instructions
from orchestrator.watching.notebook import Notebook
from orchestrator.watching.tracking import Tracking

LOOK_SECONDS = 0.2
READINGS_SECONDS = 2.0
STALL_SECONDS = 120.0
REST_SECONDS = 5.0
FOOTHOLD_SECONDS = 1.0
LEFT = "the daemon was told to end; runs under way go on and are adopted later"

LEAVING = "leaving the runs under way to the next start"
FINISHING = "finishing the runs under way; Ctrl-C again kills them"
KILLING = "killing the runs under way; they run again after the next start"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the engine came to its end."""

    complete: bool  # everything that was asked for has been done
    reason: str


class Engine:
    """Runs until it is stopped by a command, or until `experiments` have come to an outcome."""

    def __init__(self, context: Context, experiments: int | None = None) -> None:
        self._context = context
        self._experiments = experiments
        self.measuring = Measuring(context, experiments)
        self.judging = Judging(context)
        self.crew = Crew(context)
        self._tracking = Tracking(context)
        self._delivery = Delivery(context)
        self._notebook = Notebook(context)
        self._instructions = Instructions(context)
        self._vault = Vault(context)
        self._anomalies = Anomalies(context)
        self._stops = StopOrders(context.store, self.stop, self.go_on)
        self._answering = Answering(context, self.judging, self.crew, self._stops)
        self._foothold = Foothold(context.lab.root, context.lab.database, context.lab.lock_file)
        self._over = False  # the end has come
        self._stop: str | None = None  # "finish" the runs, kill them "now", or "leave" them alone
        self._moved = time.monotonic()
        self._halt: str | None = ""  # not looked yet
        self._stuck: set[str] = set()
        self._trouble = ""

    def stop(self, now: bool) -> None:
        """Come to an end: finish the runs under way, or kill them `now`. Nothing new starts."""
        self._stop = "now" if now or self._stop == "now" else "finish"
        self.measuring.closed = True
        self.crew.closed = True

    def go_on(self) -> bool:
        """Call a stop off; whether that could be: not where runs are killed by it, nor when the end has come."""
        if self._over or self._stop != "finish":
            return False
        self._stop = None
        self.measuring.closed = False
        self.crew.closed = False
        return True

    def interrupt(self, leave: bool) -> str:
        """A signal came: `leave` at once (runs live on and are adopted later), or finish; a second one kills.

        Returns what is done about it, for the person at the terminal.
        """
        if leave:
            self._stop = "leave"
            return LEAVING
        self.stop(now=self._stop is not None)
        return KILLING if self._stop == "now" else FINISHING

    async def run(self, ready: Callable[[], Awaitable[None]] | None = None) -> Ending:
        """Take the lab up where the store stands and go on; returns when it has come to its end.

        Raises LabError when the lab is gone: nothing is left to write then, and its runs end by themselves.
        """
        context = self._context
        await context.store.set_slots([(slot.name, slot.device) for slot in context.executor.slots()])
        await self._clear_leftovers()
        await self.judging.follow_master()
        await self.judging.update_checkout()
        await self.measuring.outcomes()  # counts from here
        await self.measuring.collect()
        await context.store.event("lab", "autolab", AT_WORK)
        if ready is not None:
            await ready()
        background = [
            asyncio.create_task(self.crew.run(), name="crew"),
            asyncio.create_task(self._watch_slots(), name="slots"),
            asyncio.create_task(self._answering.run(), name="commands"),
            asyncio.create_task(self._tracking.run(), name="tracking"),
            asyncio.create_task(self._delivery.run(), name="alerts"),
            asyncio.create_task(self._anomalies.run(), name="anomalies"),
            asyncio.create_task(watch_endpoints(context.store), name="endpoints"),
            asyncio.create_task(self._notebook.run(), name="notebook"),
            asyncio.create_task(self._instructions.run(), name="instructions"),
            asyncio.create_task(beat(context.lab), name="pulse"),
            asyncio.create_task(self._watch_foothold(), name="foothold"),
        ]
        try:
            ending = await self._go_on(background)
            self._over = True
            await self._finish_vault()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        with contextlib.suppress(LabError):  # the next start does it else
            await self.crew.return_orphans()
        with contextlib.suppress(LabError):  # what a short run has come to is told too
            await self._anomalies.look()
        await self._tracking.finish()
        await self._delivery.finish()
        await self._notebook.finish()
        await context.store.event("lab", "autolab", f"the lab rests: {ending.reason}")
        await self._stops.answer(ending.reason)
        return ending

    async def _clear_leftovers(self) -> None:
        """What a killed daemon left: locks, smoke runs, and worktrees of agents and of runs that are over."""
        context = self._context
        await asyncio.to_thread(shutil.rmtree, context.lab.smoke_runs, True)
        keep = [context.lab.worktrees / f"run-{run.id}" for run in await context.store.runs_underway()]
        keep += await self._vault.clear_leftovers()
        for sentence in await asyncio.to_thread(context.repository.prune, keep, context.lab.worktrees):
            await context.store.event("lab", "autolab", sentence)

    async def _go_on(self, background: list[asyncio.Task[None]]) -> Ending:
        while True:
            for task in background:
                if task.done():
                    task.result()  # a programming error must not leave a lab that only looks alive
            try:
                ending = await self._step()
            except LabError as error:
                if self._stop == "leave":
                    return Ending(True, LEFT)
                await self._tell_trouble(error)
                continue
            self._trouble = ""
            if ending is not None:
                return ending
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell_trouble(self, error: LabError) -> None:
        """A full disk, a locked repository: the lab waits for it to pass, and says so once."""
        print(f"{utc_now()} {error}", file=sys.stderr, flush=True)
        if str(error) != self._trouble:
            self._trouble = str(error)
            with contextlib.suppress(LabError):
                await self._context.store.event("lab", "autolab", f"in trouble: {error}", after=Level.ERROR)
        await asyncio.sleep(TROUBLE_SECONDS)

    async def _step(self) -> Ending | None:
        """One look: take in what has ended, judge it, start what is wanted. Not None at the end."""
        await self.judging.follow_master()
        steps = await self.measuring.collect()
        steps += await self.judging.judge()
        underway = await self._context.store.runs_underway()
        if self._stop is not None:
            return await self._stopping(underway)
        if await self.measuring.finished():
            self.measuring.closed = True
            if not underway:
                wanted = self._experiments or 0
                told = f"{wanted} experiment{'s have' if wanted != 1 else ' has'} come to an outcome"
                return Ending(True, told)
        await self._vault.look(idle=False)
        steps += await self.measuring.launch()
        await self._vault.look(idle=True)
        return await self._halted(bool(underway)) or await self._stalled(steps, bool(underway))

    async def _stopping(self, underway: list[Run]) -> Ending | None:
        if self._stop == "leave":
            return Ending(True, LEFT)
        if not underway:
            return Ending(self._experiments is None, "stopped before its end" if self._experiments else "stopped")
        if self._stop == "now":
            for run in underway:
                if run.id not in self.measuring.stopped:
                    self.measuring.stopped.add(run.id)
                    with contextlib.suppress(LabError):  # it has just ended by itself
                        await self._context.executor.stop(self._context.lab.run_directory(run.id), now=True)
        return None

    async def _finish_vault(self) -> None:
        """The last promotion's scores on the vault, unless the lab is to end at once; told to leave, it leaves them."""
        with contextlib.suppress(LabError):  # the next start goes on with it
            while self._stop != "leave" and await self._vault.finish(hurry=self._stop == "now"):
                await asyncio.sleep(LOOK_SECONDS)

    async def _halted(self, underway: bool) -> Ending | None:
        """A master that cannot be measured stops everything; whoever waits for outcomes is told."""
        reason = await self.measuring.halted()
        await self._tell_stuck(reason)
        if reason != self._halt:
            was, self._halt = self._halt, reason
            await self._context.store.set_meta(HALTED, reason or "")
            if reason is not None:
                sentence = f"nothing new starts: {reason}"
                await self._context.store.event("lab", "autolab", sentence, after=Level.ERROR)
            elif was:
                await self._context.store.event("lab", "autolab", "master can be measured: the lab goes on")
        if reason is None or underway or self._experiments is None:
            return None
        return Ending(False, reason)

    async def _tell_stuck(self, halted: str | None) -> None:
        """A team's own master that cannot be measured stops that team alone: it is told once."""
        stuck = set(await self.measuring.stuck()) if halted is None else set()
        for reason in sorted(stuck - self._stuck):
            await self._context.store.event("lab", "autolab", f"nothing new starts there: {reason}", after=Level.ERROR)
        self._stuck = stuck

    async def _stalled(self, steps: int, underway: bool) -> Ending | None:
        """With a number of experiments to reach and nobody to bring them, waiting would be for ever."""
        if steps or underway:
            self._moved = time.monotonic()
        if self._experiments is None:
            return None
        quiet = time.monotonic() - self._moved
        if quiet > REST_SECONDS and (reason := await self.crew.at_rest()) is not None:
            return Ending(False, reason) if not await self._context.store.in_states([State.READY]) else None
        if self.crew.dry and quiet > REST_SECONDS and not await self._context.store.in_states(WAITING):
            return Ending(False, f"nothing runs, nothing waits, and {NO_FURTHER_IDEA}")
        if self.crew.out_of_ideas and quiet > STALL_SECONDS:
            return Ending(False, "nothing runs, nothing waits, and the researcher keeps failing")
        return None

    async def _watch_foothold(self) -> None:
        """Raises LabError as soon as the lab is not where it was."""
        while not self._foothold.gone:
            await asyncio.sleep(FOOTHOLD_SECONDS)
        root = self._context.lab.root
        raise LabError(
            f"The lab at {root} is gone: its directory, its database or its lock was deleted or moved.",
            "Start it where it is now; the runs of one that was deleted have ended with it.",
        )

    async def _watch_slots(self) -> None:
        shown: dict[str, Reading] = {}
        while True:
            with contextlib.suppress(LabError):  # readings are for the eye; the next look tries again
                await self._read_slots(shown)
            await asyncio.sleep(READINGS_SECONDS)

    async def _read_slots(self, shown: dict[str, Reading]) -> None:
        underway = await self._context.store.runs_underway()
        directories = {run.slot: self._context.lab.run_directory(run.id) for run in underway}
        for name, reading in (await self._context.executor.readings(directories)).items():
            if shown.get(name) != reading:
                shown[name] = reading
                await self._context.store.set_slot(
                    name,
                    utilisation=reading.utilisation,
                    memory_used=reading.memory_used,
                    memory_total=reading.memory_total,
                    temperature=reading.temperature,
                    power=reading.power,
                )
