"""Commands: rows that people's clients leave, answered `done` or `refused: why` when the thing has happened."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from orchestrator.context import Context
from orchestrator.daemon_log import in_a_line, note_mishap
from orchestrator.engine.importing import import_results
from orchestrator.engine.pausing import pause_agents
from orchestrator.engine.setting import set_setting
from orchestrator.engine.stop_orders import StopOrders
from orchestrator.engine.undoing import undo
from orchestrator.errors import LabError
from orchestrator.given import experiment_number, no_experiment, priority
from orchestrator.measurement.judging import Judging
from orchestrator.measurement.masters import called
from orchestrator.measurement.measuring import Measuring
from orchestrator.patches.offline import BUILT_IN_HEARS_NOTHING, hears_nothing
from orchestrator.patches.requeueing import requeue
from orchestrator.patches.reverting import ablate, revert
from orchestrator.patches.submitting import add_own
from orchestrator.remedies import instead_of_dropping, instead_of_promoting, instead_of_ranking, stands
from orchestrator.review.answering import accept, pick_onto, reopen
from orchestrator.store.records import Command, Experiment, Level, Run, utc_now
from orchestrator.store.states import ENDED, IllegalMove, State

LOOK_SECONDS = 0.2
TROUBLE_SECONDS = 2.0
MOST_DEATHS = 2
"""So often a daemon may die while it carries a command out; then the command is refused."""

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
        stops: StopOrders | None = None,
        collect: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`stops` is None where there is no engine to end; there, `collect` takes in runs that have ended."""
        self._context = context
        self._judging = judging
        self._hands = hands
        self._collect = collect
        self._stops = stops or StopOrders(context.store)
        self._answers: dict[int, tuple[bool, str] | None] = {}  # of commands carried out, not written down yet

    async def run(self) -> None:
        """Answer commands for ever. Slow ones (a kill that waits for the process) do not hold up the others."""
        underway: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                try:
                    await self._look(underway)
                except LabError as error:  # a full disk, a locked database: what was answered is written later
                    print(f"{utc_now()} {error}", file=sys.stderr, flush=True)
                    await asyncio.sleep(TROUBLE_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in underway.values():
                task.cancel()
            await asyncio.gather(*underway.values(), return_exceptions=True)

    async def _look(self, underway: dict[int, asyncio.Task[None]]) -> None:
        """Begin what waits, and take note of what is answered."""
        for command in await self._context.store.waiting_commands():
            if command.id not in underway and not self._stops.hold(command):
                underway[command.id] = asyncio.create_task(self.answer(command))
        for done in [number for number, task in underway.items() if task.done()]:
            underway.pop(done).result()

    async def answer_all(self) -> None:
        """Answer what waits now, once."""
        for command in await self._context.store.waiting_commands():
            await self.answer(command)

    async def answer(self, command: Command) -> None:
        """Carry it out, once, and write the answer down. Raises LabError where it cannot be written now."""
        if command.id not in self._answers:
            self._answers[command.id] = await self._outcome(command)
        answer = self._answers[command.id]
        if answer is not None:
            await self._context.store.answer_command(command, *answer)
        del self._answers[command.id]

    async def _outcome(self, command: Command) -> tuple[bool, str] | None:
        """Whether it is done, and the answer; None for one that is answered at the end. No error of ours gets by."""
        store = self._context.store
        before = await store.begin_command(command)
        if before is None:
            return None
        if before >= MOST_DEATHS:
            log = self._context.lab.daemon_log
            return False, f"the daemon has died {MOST_DEATHS} times while it was at it. Its last words are in {log}."
        try:
            answer = await self._carry_out(command)
        except asyncio.CancelledError:
            await store.leave_command(command)  # the lab rests; the next start begins it anew
            raise
        except (LabError, IllegalMove) as error:
            return False, str(error)
        except Exception as error:
            return False, await self._told_mishap(command, error)
        if answer is None:
            await store.leave_command(command)
            return None
        return True, answer

    async def _told_mishap(self, command: Command, error: Exception) -> str:
        """An error in the program itself: told in the log and in the lab, and refused."""
        lab, said = self._context.lab, in_a_line(error)
        note_mishap(lab, f"the command {command.verb} of {command.actor} failed:", error)
        with contextlib.suppress(LabError):
            sentence = f"the command {command.verb} met an error of Autolab's own: {said}"
            await self._context.store.event("lab", "autolab", sentence, after=Level.ERROR)
        return f"Autolab met an error of its own ({said}). The whole story is in {lab.daemon_log}."

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
                return await self._priority(await self._experiment(words), priority(words["value"]), actor)
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
                return await self._stops.take(command)
            case "start":
                return await self._stops.call_off(actor)
            case _:
                raise Refused(f"There is no command {command.verb!r}.", "`autolab --help` lists them.")

    async def _experiment(self, words: dict[str, Any]) -> Experiment:
        number = experiment_number(words["id"])
        experiment = await self._context.store.experiment(number)
        if experiment is None:
            raise no_experiment(number)
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
                f"{stands(experiment)} and has no run under way.",
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
        raise Refused(
            f"Run {run.id} has not ended within {KILL_PATIENCE_SECONDS:.0f} s.",
            f"See `autolab log {run.experiment_id}`.",
        )

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
            raise Refused(f"{stands(experiment)}; only what waits can be dropped.", instead_of_dropping(experiment))
        await self._context.store.move(experiment.id, State.DROPPED, f"dropped by {actor}", actor=actor)
        return f"experiment {experiment.id} is dropped"

    async def _priority(self, experiment: Experiment, value: int, actor: str) -> str:
        if experiment.state in ENDED:
            raise Refused(f"{stands(experiment)}; it waits for nothing.", instead_of_ranking(experiment))
        await self._context.store.set_priority(experiment.id, value, f"set by {actor}", actor=actor)
        return f"experiment {experiment.id} has priority {value}"

    async def _promote(self, experiment: Experiment, actor: str) -> str:
        if experiment.state not in (State.DISCARDED, State.NOT_CONFIRMED):
            raise Refused(
                f"{stands(experiment)}; only one that was measured and not merged can be promoted by hand.",
                instead_of_promoting(experiment),
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
