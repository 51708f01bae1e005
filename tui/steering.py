"""Carrying out what the person orders: asking first where the table says so, sending it, showing the answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from textual.app import App

from orchestrator.actions import BY_NAME, Action
from orchestrator.actor import who
from orchestrator.errors import LabError
from orchestrator.lab import Lab, daemon_of
from orchestrator.remedies import require_in_master, require_not_asked
from orchestrator.store.reader import Reader
from orchestrator.store.records import TOGETHER, Decision
from orchestrator.store.states import ACTIVE, ENDED, WAITING, State
from tui.commands import Order
from tui.completing import MEANT
from tui.present import plain
from tui.screens.dialogs import Confirm
from tui.several import named, summary
from tui.typed_ahead import OPENS

ANSWER_SECONDS = 60.0
AT_ONCE_SECONDS = 0.8  # an answer that takes longer is announced
PRIORITY_STEP = 10
MOST_TITLES = 6  # of experiments, named in a question
POINTLESS = {
    "drop": "only what waits is dropped",
    "priority": "it waits for nothing",
    "end": "no run of it is under way",
    "kill": "no run of it is under way",
    "promote": "only what was measured and not merged can be merged",
    "requeue": "only what has ended, and is no part of master, is queued again",
    "revert": "master holds nothing of it",
    "ablate": "master holds nothing of it",
    "accept": "only wins are reviewed",
}
"""Why an action is not for an experiment whose state is not among those that it is for."""

REMEDIES: tuple[tuple[frozenset[str], frozenset[State], str], ...] = (
    (frozenset({"drop", "requeue"}), frozenset(ACTIVE), "`:kill {}` ends its run"),
    (frozenset({"kill", "end"}), frozenset(WAITING), "`:drop {}` takes it out of the queue"),
    (frozenset({"requeue"}), frozenset(WAITING), "`:priority {} N` lets it run earlier"),
    (frozenset({"promote"}), frozenset((*WAITING, *ACTIVE)), "wait for its outcome"),
    (frozenset({"promote"}), ENDED - {State.PROMOTED}, "`:requeue {}` tries it again"),
    (frozenset({"drop", "priority", "kill", "end"}), ENDED - {State.PROMOTED}, "`:requeue {}` queues it again"),
    (frozenset({"requeue"}), frozenset({State.PROMOTED}), "`:revert {}` takes it out of master"),
    (frozenset({"promote", "revert", "ablate", "accept"}), frozenset(State), "b lists what master has taken"),
)
"""What a person can do instead; the first that holds for verb and state."""

STOP_NOW = "Stop the lab now? Runs under way are killed; they run again after the next start."
PUT_BACK = "Put experiment {} back into master? It is measured with it first, then merged."
"""What is asked in place of the table's question."""

QUEUES = ("revert", "ablate", "requeue")
"""Orders of a key that put something into the queue."""

DOWN = "The daemon is not running: the order waits until it is back (S starts it)."


class Steering:
    """The hands of one room; what they do appears as toasts."""

    def __init__(self, app: App[Any], lab: Lab, reader: Reader) -> None:
        self._app = app
        self._lab = lab
        self._reader = reader
        self._priorities: dict[int, int] = {}  # asked for and not answered yet

    def order(self, order: Order, *, ask: bool = True) -> None:
        """Carry it out; `ask`: with the question first that the table has for it."""
        asks = ask and (order.action.confirm or ("ids" in order.arguments and order.action.several))
        self._app.run_worker(self._order(order, ask), name=OPENS if asks else "", group="orders")

    async def _order(self, order: Order, ask: bool) -> None:
        action, arguments = order.action, order.arguments
        if "ids" in arguments:
            await self._order_several(action, arguments)
            return
        if not action.confirm or not ask:
            await self._send(action, arguments)
            return
        if (refused := await self._pointless(action, arguments.get("id"))) is not None:
            self._refuse(action, refused)
            return
        now = "--now" in arguments.get("words", ())
        if action.name == "stop":
            arguments = {"now": now}
        question, yes = await self._question(action, arguments.get("id"))
        question = STOP_NOW if action.name == "stop" and now else question
        self._ask(question, await self._about(action, arguments), action, lambda: self._send(action, arguments), yes)

    async def _question(self, action: Action, experiment_id: int | None) -> tuple[str, str]:
        """And the word on the button that says yes."""
        experiment = None if experiment_id is None else await self._reader.experiment(experiment_id)
        if action.name == "revert" and experiment is not None and experiment.is_revert:
            return PUT_BACK.format(experiment.reverses), "Put back"
        return action.confirm.format(experiment.label if experiment is not None else ""), ""

    def _refuse(self, action: Action, words: str) -> None:
        self._app.notify(words, title=f"{action.verb or action.name}: refused", severity="warning", markup=False)

    def _ask(self, question: str, about: str, action: Action, then: Callable[[], Any], yes: str = "") -> None:
        def answered(sure: bool | None) -> None:
            if sure:
                self._app.run_worker(then(), group="orders")

        self._app.push_screen(Confirm(question, yes or (action.footer or action.name).capitalize(), about), answered)

    async def _order_several(self, action: Action, arguments: dict[str, Any]) -> None:
        if not action.several:
            await self._send_several(action, arguments)
            return
        reasons = {number: await self._pointless(action, number) for number in arguments["ids"]}
        ids = [number for number in arguments["ids"] if reasons[number] is None]
        left_out = [reason for reason in reasons.values() if reason is not None]
        if not ids:
            self._refuse(action, left_out[0])
            return
        arguments = {**arguments, "ids": ids}
        titles = [f"{number}  {await self._title(number)}" for number in ids[:MOST_TITLES]]
        titles += [f"and {len(ids) - MOST_TITLES} more"] * (len(ids) > MOST_TITLES)
        about = "\n".join(titles + [f"left out: {reason}" for reason in left_out[:MOST_TITLES]])
        self._ask(action.several.format(named(ids)), about, action, lambda: self._send_several(action, arguments))

    async def _pointless(self, action: Action, experiment_id: int | None) -> str | None:
        """Why the action means nothing to that experiment as it stands: nobody is asked whether they are sure then."""
        experiment = None if experiment_id is None else await self._reader.experiment(experiment_id)
        verb = "priority" if action.name in ("raise", "lower") else action.verb or ""
        meant = MEANT.get(verb)
        if verb in ("end", "kill") and any(
            run.experiment_id == experiment_id for run in await self._reader.runs_underway()
        ):
            return None  # also of a master that is being measured
        if experiment is None:
            return (
                None
                if experiment_id is None
                else f"There is no experiment {experiment_id}: 3 lists the results, 4 the queue."
            )
        if verb in ("revert", "ablate"):
            try:
                await require_in_master(self._reader, experiment)
                await require_not_asked(self._reader, experiment, Decision.MERGE if verb == "revert" else Decision.NONE)
            except LabError as error:
                return str(error)
        if meant is None or experiment.state in meant or experiment.taken_out_by is not None:
            return None  # of a win that is out of master the lab itself says what can be done
        sentence = f"Experiment {experiment.label} is {experiment.state.replace('_', ' ')}: {POINTLESS[verb]}"
        ways = (way for verbs, states, way in REMEDIES if verb in verbs and experiment.state in states)
        return "; ".join([sentence, *(way.format(experiment.id) for way in list(ways)[:1])]) + "."

    async def _send_several(self, action: Action, arguments: dict[str, Any]) -> None:
        """One command for each, all left before the first answer is waited for; one notice for all."""
        rest = {key: value for key, value in arguments.items() if key != "ids"}
        try:
            posted, together = [], uuid4().hex[:8]
            for number in arguments["ids"]:
                verb, words = await self._verb(action, {"id": number, TOGETHER: together, **rest})
                posted.append(await self._reader.post_command(verb, words, who()))
            if daemon_of(self._lab) is None:
                self._app.notify(DOWN, title=f"{len(posted)} orders", severity="warning")
                return
            answers = [await self._reader.answer(command_id, ANSWER_SECONDS) for command_id in posted]
        except LabError as error:
            self._app.notify(str(error), severity="error", markup=False)
            return
        finally:
            for number in arguments["ids"]:
                self._priorities.pop(number, None)
        whole = all(command.state == "done" for command in answers)
        self._app.notify(summary(answers), title=verb, severity="information" if whole else "warning", markup=False)

    async def _about(self, action: Action, arguments: dict[str, Any]) -> str:
        """What is meant: the experiment's title, below the very run where one is named; and what becomes of it."""
        number, named = arguments.get("id"), arguments.get("run")
        experiment = None if number is None else await self._reader.experiment(number)
        runs = [run for run in await self._reader.runs_underway() if run.id == named]
        lines = [
            *(f"{run.kind} run {run.id} on {run.slot}, seed {run.seed}" for run in runs),
            await self._title(number),
        ]
        if action.verb in ("end", "kill") and experiment is not None and experiment.state is not State.PROMOTED:
            stays = " What it has scored so far stays." if experiment.val_bpb is not None else ""
            lines.append(f"Experiment {experiment.label} ends as killed; r queues it again.{stays}")
        return "\n".join(lines)

    async def _title(self, experiment_id: int | None) -> str:
        experiment = None if experiment_id is None else await self._reader.experiment(experiment_id)
        return "" if experiment is None else plain(experiment.title)

    async def _send(self, action: Action, arguments: dict[str, Any]) -> None:
        """Leave the command for the daemon and show the answer, after the fact."""
        try:
            verb, arguments = await self._verb(action, arguments)
            command_id = await self._reader.post_command(verb, arguments, who())
            if daemon_of(self._lab) is None:
                self._app.notify(DOWN, title=verb, severity="warning")
                return
            command = await self._reader.answer(command_id, AT_ONCE_SECONDS)
            if command.state == "waiting":
                self._app.notify("the daemon is at it", title=verb, timeout=3)
                command = await self._reader.answer(command_id, ANSWER_SECONDS)
        except LabError as error:
            self._app.notify(str(error), severity="error", markup=False)
            return
        finally:
            self._priorities.pop(arguments.get("id", -1), None)
        match command.state:
            case "done":
                back = "; z takes it back while it waits" if verb in QUEUES else ""
                self._app.notify(plain(command.answer) + back, markup=False)
            case "refused":
                self._app.notify(plain(command.answer), title=f"{verb}: refused", severity="warning", markup=False)
            case _:
                self._app.notify("The daemon has not answered yet.", title=verb, severity="warning")

    async def _verb(self, action: Action, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Keys that stand for a verb by what they find: `p` and `P` pause or resume, `+` and `-` count."""
        match action.name:
            case "pause_run" if "agent" in arguments:
                held = any(one.paused_by for one in await self._reader.agents() if one.name == arguments["agent"])
                return ("resume" if held else "pause"), arguments
            case "pause_run":
                phases = {slot.run_id: slot.phase for slot in await self._reader.slots()}
                runs = [run for run in await self._reader.runs_underway() if run.experiment_id == arguments["id"]]
                meant = [run for run in runs if arguments.get("run") in (None, run.id)]
                paused = any(phases.get(run.id) == "paused" for run in meant)
                return ("resume" if paused else "pause"), arguments
            case "pause_queue":
                paused = await self._reader.meta("paused") == "yes"
                return ("resume" if paused else "pause"), {}
            case "raise" | "lower":
                number = arguments["id"]
                experiment = await self._reader.experiment(number)
                now = self._priorities.get(number, experiment.priority if experiment is not None else 0)
                value = now + (PRIORITY_STEP if action.name == "raise" else -PRIORITY_STEP)
                self._priorities[number] = value
                return "priority", {**arguments, "id": number, "value": value}
            case "accept" if "off" not in arguments:
                from orchestrator.review.wins import accepted_by  # brings more than the first screen needs

                mark = await accepted_by(self._reader, arguments["id"])
                return "accept", {**arguments, "off": True} if mark is not None and mark.actor == who() else arguments
            case _:
                return action.verb or action.name, arguments

    # -- the lab

    def start_daemon(self) -> None:
        self._app.run_worker(self._start_daemon(), exclusive=True, group="start")

    async def _start_daemon(self) -> None:
        stopping = any(order.verb == "stop" for order in await self._reader.waiting_commands())
        if daemon_of(self._lab) is not None and not stopping:
            held = await self._reader.meta("paused") == "yes"
            self._app.notify("The lab is at work already" + ("; its queue is paused: P resumes it." if held else "."))
            return
        if not stopping:
            self._app.notify("starting the daemon")
        status, said, errors = await run_autolab("start", str(self._lab.root))
        if status != 0:
            words = plain(errors or said).removeprefix("autolab: ") or "The daemon could not be started."
            self._app.notify(words, title="start", severity="error", timeout=15, markup=False)
        else:
            if stopping:
                self._app.notify(plain(said), title="start", markup=False)
            tell_of_warnings(self._app, errors)

    def import_results(self, words: Sequence[str]) -> None:
        """What `autolab import` says of the file that is named."""
        if len(words) != 1:
            self._app.notify("`import` takes one file: a results.tsv.", severity="warning")
            return
        self._app.run_worker(self._import_results(words[0]), group="orders")

    async def _import_results(self, file: str) -> None:
        status, said, errors = await run_autolab("import", str(self._lab.root), file)
        words = plain(errors or said).strip().removeprefix("autolab: ")
        self._app.notify(words, title="import", severity="warning" if status or errors else "information", markup=False)


def tell_of_warnings(app: App[Any], errors: str) -> None:
    """What `autolab start` says beside that the lab is at work."""
    for line in errors.splitlines():
        words = plain(line).removeprefix("autolab: ")
        app.notify(words, title="start", severity="warning", timeout=15, markup=False)


async def run_autolab(*words: str) -> tuple[int, str, str]:
    """One command of the command line in a process of its own: status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace"), errors.decode(errors="replace")


def message_order(agent: str, text: str) -> Order:
    return Order(BY_NAME["message"], {"agent": agent, "text": text})
