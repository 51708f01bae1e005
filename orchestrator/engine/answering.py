"""Commands: rows that people's clients leave, answered `done` or `refused: why` when the thing has happened."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from orchestrator.context import Context
from orchestrator.engine.importing import import_results
from orchestrator.engine.pausing import pause_agents
from orchestrator.engine.setting import set_setting
from orchestrator.engine.undoing import undo
from orchestrator.errors import LabError
from orchestrator.measurement.judging import Judging
from orchestrator.measurement.masters import called
from orchestrator.measurement.measuring import Measuring
from orchestrator.patches.requeueing import requeue
from orchestrator.patches.reverting import ablate, revert
from orchestrator.patches.submitting import add_own
from orchestrator.review.answering import accept, pick_onto, reopen
from orchestrator.store.records import Command, Experiment, Run
from orchestrator.store.states import ENDED, IllegalMove, State
from orchestrator.team.offline import BUILT_IN_HEARS_NOTHING, hears_nothing

LOOK_SECONDS = 0.2
KILL_PATIENCE_SECONDS = 45.0
LONGEST_MESSAGE = 20_000  # characters


class Hands(Protocol):
    """The agents, as far as a command concerns them."""

    async def cancel(self, experiment_id: int) -> bool: ...


class NoHands:
    """Without an engine no agent holds anything."""

    async def cancel(self, experiment_id: int) -> bool:
        return False


class Refused(LabError):
    """The command cannot be carried out; the sentence says why."""


class Answering:
    """Carries out one command after the other."""

    def __init__(
        self,
        context: Context,
        judging: Judging,
        hands: Hands,
        stop: Callable[[bool], None] | None = None,
        collect: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`stop` ends the engine, None where there is none to end; there, `collect` takes in runs that have ended."""
        self._context = context
        self._judging = judging
        self._hands = hands
        self._stop = stop
        self._collect = collect
        self._stops: list[Command] = []

    async def run(self) -> None:
        """Answer commands for ever. Slow ones (a kill that waits for the process) do not hold up the others."""
        underway: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                for command in await self._context.store.waiting_commands():
                    held = command.id in underway or any(stop.id == command.id for stop in self._stops)
                    if not held:
                        underway[command.id] = asyncio.create_task(self.answer(command))
                for done in [number for number, task in underway.items() if task.done()]:
                    underway.pop(done).result()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in underway.values():
                task.cancel()
            await asyncio.gather(*underway.values(), return_exceptions=True)

    async def answer_all(self) -> None:
        """Answer what waits now, once."""
        for command in await self._context.store.waiting_commands():
            await self.answer(command)

    async def answer(self, command: Command) -> None:
        try:
            answer = await self._carry_out(command)
        except LabError as error:
            await self._context.store.answer_command(command, False, str(error))
        except (KeyError, TypeError, ValueError) as error:
            await self._context.store.answer_command(command, False, f"the command's words are off: {error!r}")
        except IllegalMove as error:
            await self._context.store.answer_command(command, False, f"{error}")
        else:
            if answer is not None:
                await self._context.store.answer_command(command, True, answer)

    async def answer_stops(self, reason: str) -> None:
        """Tell those who asked for the end that it has come."""
        for command in self._stops:
            await self._context.store.answer_command(command, True, reason)

    async def _carry_out(self, command: Command) -> str | None:
        words, actor = command.arguments, command.actor
        match command.verb:
            case "pause" | "resume" if words.get("agent") is not None:
                return await pause_agents(self._context.store, words, actor, command.verb == "pause")
            case "pause" if words.get("id") is None:
                return await self._pause_queue(actor, True)
            case "resume" if words.get("id") is None:
                return await self._pause_queue(actor, False)
            case "pause":
                return await self._pause_run(await self._run_of(words), actor, True)
            case "resume":
                return await self._pause_run(await self._run_of(words), actor, False)
            case "end":
                return await self._end_run(await self._run_of(words), actor, now=False)
            case "kill":
                return await self._end_run(await self._run_of(words), actor, now=True)
            case "requeue":
                return await requeue(self._context, await self._experiment(words), words, actor)
            case "drop":
                return await self._drop(await self._experiment(words), actor)
            case "promote":
                return await self._promote(await self._experiment(words), actor)
            case "revert":
                return await revert(self._context, await self._experiment(words), actor)
            case "ablate":
                return await ablate(self._context, await self._experiment(words), actor)
            case "accept" if words.get("off"):
                return await reopen(self._context, await self._experiment(words), actor)
            case "accept":
                return await accept(self._context, await self._experiment(words), actor)
            case "pick":
                return await pick_onto(self._context, await self._experiment(words), str(words["onto"]))
            case "priority":
                return await self._priority(await self._experiment(words), int(words["value"]), actor)
            case "message":
                return await self._message(str(words["agent"]), str(words["text"]), actor)
            case "add":
                return await add_own(self._context, words, actor)
            case "import":
                maximised = self._context.settings.target.direction == "maximise"
                return await import_results(self._context.store, words, actor, maximised)
            case "set":
                return await set_setting(self._context, words, actor)
            case "undo":
                return await undo(self._context, command, self._carry_out)
            case "stop":
                return self._end_lab(command, bool(words.get("now")))
            case _:
                raise Refused(f"There is no command {command.verb!r}.", "`autolab --help` lists them.")

    async def _experiment(self, words: dict[str, Any]) -> Experiment:
        experiment = await self._context.store.experiment(int(words["id"]))
        if experiment is None:
            raise Refused(f"There is no experiment {words['id']}.", "`autolab results` and `autolab queue` list them.")
        return experiment

    # -- runs

    async def _run_of(self, words: dict[str, Any]) -> Run:
        """The run that is meant: `run` names it where an experiment has several under way, else the newest."""
        experiment, named = await self._experiment(words), words.get("run")
        runs = [run for run in await self._context.store.runs_underway() if run.experiment_id == experiment.id]
        if named is not None:
            runs = [run for run in runs if run.id == int(named)]
        if not runs:
            raise Refused(
                f"Experiment {experiment.id} is {experiment.state} and has no run under way.",
                "`autolab status` shows what runs.",
            )
        return runs[-1]

    async def _pause_run(self, run: Run, actor: str, pause: bool) -> str:
        directory = self._context.lab.run_directory(run.id)
        await (self._context.executor.pause(directory) if pause else self._context.executor.resume(directory))
        word = "paused" if pause else "resumed"
        await self._context.store.event("run", actor, f"run {run.id} {word}", experiment_id=run.experiment_id)
        return f"run {run.id} of experiment {run.experiment_id} is {word}"

    async def _end_run(self, run: Run, actor: str, now: bool) -> str:
        word = "kill" if now else "stop"
        await self._context.store.event("run", actor, f"{word} run {run.id}", experiment_id=run.experiment_id)
        await self._context.executor.stop(self._context.lab.run_directory(run.id), now=now)
        deadline = time.monotonic() + KILL_PATIENCE_SECONDS
        while time.monotonic() < deadline:
            ended = await self._context.store.run(run.id)
            assert ended is not None
            if ended.ended:
                return f"run {run.id} of experiment {run.experiment_id} ended: {ended.outcome}"
            if self._collect is not None:
                await self._collect()
            await asyncio.sleep(LOOK_SECONDS)
        raise Refused(f"Run {run.id} has not ended within {KILL_PATIENCE_SECONDS:.0f} s.", "Look at its log.")

    # -- the queue

    async def _pause_queue(self, actor: str, pause: bool) -> str:
        word = "paused" if pause else "resumed"
        if not pause:  # a master that could not be measured is tried again
            newest = await self._context.store.row("SELECT coalesce(max(id), 0) AS id FROM runs")
            assert newest is not None
            await self._context.store.set_meta("runs_forgiven", str(newest["id"]))
        was = await self._context.store.meta("paused") == "yes"
        if was is pause:
            return f"the queue is {word} already"
        await self._context.store.set_meta(
            "paused", "yes" if pause else "no", actor=actor, reason=f"the queue is {word}"
        )
        return f"the queue is {word}" + ("; runs under way go on" if pause else "")

    async def _drop(self, experiment: Experiment, actor: str) -> str:
        if experiment.state is State.PATCHING:
            await self._hands.cancel(experiment.id)
            experiment = await self._experiment({"id": experiment.id})
        if experiment.state not in (State.PROPOSED, State.QUEUED, State.PATCHING, State.READY):
            raise Refused(
                f"Experiment {experiment.id} is {experiment.state}; only what waits can be dropped.",
                "Kill its run first." if experiment.state not in ENDED else "",
            )
        await self._context.store.move(experiment.id, State.DROPPED, f"dropped by {actor}", actor=actor)
        return f"experiment {experiment.id} is dropped"

    async def _priority(self, experiment: Experiment, value: int, actor: str) -> str:
        if experiment.state in ENDED:
            raise Refused(
                f"Experiment {experiment.id} is {experiment.state}; it waits for nothing.", "Requeue it first."
            )
        await self._context.store.set_priority(experiment.id, value, f"set by {actor}", actor=actor)
        return f"experiment {experiment.id} has priority {value}"

    async def _promote(self, experiment: Experiment, actor: str) -> str:
        if experiment.state not in (State.DISCARDED, State.NOT_CONFIRMED):
            raise Refused(
                f"Experiment {experiment.id} is {experiment.state}; only a measured one can be promoted by hand.",
                "Wait for its outcome.",
            )
        master = await self._context.store.master(experiment.line)
        if master is None or experiment.parent != master.commit_id:
            raise Refused(
                f"Experiment {experiment.id} was measured on an older master.",
                f"Measure it on the present one first: `autolab requeue {experiment.id}`.",
            )
        reason = f"promoted by {actor}'s own decision (it was {experiment.state}: {experiment.reason})"
        await self._judging.merge(experiment, reason, actor)
        return f"experiment {experiment.id} is merged into {called(experiment.line)}"

    # -- the lab

    async def _message(self, agent: str, text: str, actor: str) -> str:
        agents = await self._context.store.agents()
        known = {word for row in agents for word in (row.name, row.role, row.team)} | {"all"}
        if agent not in known:
            raise Refused(f"There is no agent {agent!r}.", f"Send it to one of: {', '.join(sorted(known))}.")
        if not text.strip():
            raise Refused("The message is empty.", "Say something.")
        if len(text) > LONGEST_MESSAGE:
            told = f"The message has {len(text):,} characters, more than {LONGEST_MESSAGE:,}."
            raise Refused(told, "Shorten it: agents read it whole with every job.")
        await self._context.store.add_letter(agent, text.strip(), actor)
        told = f"{'every agent' if agent == 'all' else agent} reads it at its next job"
        return f"{told}, but {BUILT_IN_HEARS_NOTHING}" if hears_nothing(agent, agents) else told

    def _end_lab(self, command: Command, now: bool) -> str | None:
        if self._stop is None:
            return "the daemon is not running; runs under way end by themselves, `autolab kill ID` ends one now"
        self._stops.append(command)
        self._stop(now)
        return None


async def answer_without_daemon(context: Context) -> None:
    """Carry out the waiting commands in a client that holds the lab's lock for a moment."""
    judging = Judging(context)
    await judging.follow_master()
    with contextlib.suppress(LabError):
        await judging.update_checkout()
    measuring = Measuring(context)

    async def collect() -> None:
        await measuring.collect()
        await judging.judge()

    await Answering(context, judging, NoHands(), collect=collect).answer_all()
