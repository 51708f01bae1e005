"""What a person ordered last, and how that is undone: read from the table of commands and from the events.

Only a person's own orders count, newest first. What did nothing, what was undone already, an experiment of one's own
that has ended, and the pause of a run that has ended, is passed over.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import LabError
from orchestrator.remedies import instead_of_requeueing, stands
from orchestrator.review.wins import accepted_by
from orchestrator.store.attempts import earlier_attempt
from orchestrator.store.reader import Reader
from orchestrator.store.records import TOGETHER, Command, Event, Experiment, Run
from orchestrator.store.states import EDITABLE, ENDED, WAITING, State, in_words

MOST_ORDERS = 500

FOR_GOOD = {
    "end": "the training of that run is lost. `autolab requeue {id}`, or r in the room, runs it again.",
    "kill": "the training of that run is lost. `autolab requeue {id}`, or r in the room, runs it again.",
    "promote": "master holds it now. `autolab revert {id}` takes it out again, measured first.",
    "message": "what was said stays said. Send another message.",
    "import": "the agents may have read it.",
    "pick": "the branch is yours. `git branch -D {branch}` removes it.",
    "stop": "`autolab start` starts the lab again.",
    "start": "`autolab stop` lets it rest after all.",
}
"""Orders that cannot be undone, and why: {id} is the experiment, {branch} what a pick has made."""

MADE_ONE = frozenset({"add", "revert", "ablate"})
"""Orders that make an experiment: undone while it waits, and of no further interest once it has ended."""

HOLDING = {"pause": "resume", "resume": "pause"}
"""Orders that hold something or let it go on, and the one that undoes each."""


@dataclass(frozen=True, slots=True)
class Undo:
    """How an order is undone: another order in its place, or, for `restore`, the state or number from before."""

    command: Command
    what: str  # "the drop of experiment 12, Muon for the matrices"
    then: str  # what is so afterwards: "it is queued again"
    verb: str  # the order that undoes it; "state", "attempt", "priority" and "unmark" are no verbs of people
    arguments: dict[str, Any]


async def last_order(reader: Reader, actor: str, *, further: bool = False) -> Command | None:
    """The newest order of this person ("user@host") that changed something and still stands; `further`: and that can
    be undone."""
    rows = await reader.rows(
        "SELECT * FROM commands WHERE actor = ? AND state = 'done' ORDER BY id DESC LIMIT ?", (actor, MOST_ORDERS)
    )
    orders = [Command.from_row(row) for row in rows]
    undone = {order.arguments.get("command") for order in orders if order.verb == "undo"}
    for order in orders:
        passed_over = order.verb == "undo" or order.id in undone or order.answer.endswith(" already")
        passed_over = passed_over or (further and order.verb in FOR_GOOD)
        if not passed_over and not await _is_over(reader, order):
            return order
    return None


async def require_last(reader: Reader, actor: str, *, further: bool = False) -> Undo:
    """How this person's last order is undone; `further`: what stands for good is passed over, for somebody who is asked
    first. Raises LabError: there is none, or it stands for good."""
    order = await last_order(reader, actor, further=further) or await last_order(reader, actor)
    if order is None:
        raise LabError(f"{actor} has ordered nothing that could be undone.", "Only one's own orders are undone.")
    return await undo_of(reader, order)


async def not_begun(reader: Reader, actor: str) -> list[Command]:
    """What this person ordered last, with all that was ordered at once with it, newest first, as long as no daemon has
    begun it: nothing has been done that would have to be undone."""
    rows = await reader.rows(
        "SELECT * FROM commands WHERE actor = ? AND state = 'waiting' ORDER BY id DESC LIMIT ?", (actor, MOST_ORDERS)
    )
    orders = [order for order in map(Command.from_row, rows) if not await reader.meta(order.underway)]
    mark = orders[0].arguments.get(TOGETHER) if orders else None
    return orders[:1] if mark is None else [one for one in orders if one.arguments.get(TOGETHER) == mark]


async def refuse_in_hand(reader: Reader, actor: str) -> None:
    """While this person's last order is not answered yet, an undo would be of an older one. Raises LabError."""
    rows = await reader.rows(
        "SELECT * FROM commands WHERE actor = ? AND state != 'refused' ORDER BY id DESC LIMIT 1", (actor,)
    )
    for order in (one for one in map(Command.from_row, rows) if one.state == "waiting"):
        if order.verb == "stop":
            raise LabError("The lab is stopping, as you ordered.", "`autolab start`, or S in the room, calls that off.")
        raise LabError(f"Your last order, {order.called}, is being carried out.", "Undo it once it is answered.")


async def given_with(reader: Reader, how: Undo) -> list[Undo]:
    """What was ordered at once with that order, itself among it, newest first, as far as it can be undone."""
    mark = how.command.arguments.get(TOGETHER)
    if mark is None:
        return [how]
    rows = await reader.rows(
        "SELECT * FROM commands WHERE actor = ? AND state = 'done' AND id <= ? ORDER BY id DESC LIMIT ?",
        (how.command.actor, how.command.id, MOST_ORDERS),
    )
    found = []
    for order in map(Command.from_row, rows):
        if order.arguments.get(TOGETHER) == mark and order.verb == how.command.verb:
            with contextlib.suppress(LabError):
                found.append(await undo_of(reader, order))
    return found


async def _is_over(reader: Reader, order: Command) -> bool:
    """Whether what the order made, held or ranked has run its course: nothing is to take back, and it hides nothing
    older."""
    if order.verb in HOLDING and order.arguments.get("id") is not None:
        run = await _held_by(reader, order)
        return run is not None and run.ended
    if order.verb not in (*MADE_ONE, "requeue", "priority"):
        return False
    made = order.verb in MADE_ONE
    experiment = await (_made_by(reader, order) if made else _experiment(reader, order.arguments))
    return experiment is not None and experiment.state in ENDED


async def undo_of(reader: Reader, order: Command) -> Undo:
    """How an order is undone. Raises LabError with the reason when it cannot be."""
    words = order.arguments
    match order.verb:
        case verb if verb in FOR_GOOD:
            of = f" of experiment {words['id']}" if "id" in words else ""
            why = FOR_GOOD[verb].format(id=words.get("id"), branch=_picked(order))
            raise LabError(f"Your last order, {verb}{of}, cannot be undone: {why}")
        case "drop":
            return await _of_drop(reader, order)
        case "priority":
            return await _of_priority(reader, order)
        case verb if verb in HOLDING:
            return await _of_holding(reader, order)
        case "accept":
            experiment = await _experiment(reader, words)
            mark = await accepted_by(reader, experiment.id)
            if words.get("off"):
                if mark is not None:
                    raise LabError(f"Experiment {experiment.id} was accepted by {mark.actor} since.")
                named = f"that your mark on experiment {_named(experiment)} was taken off"
                return Undo(order, named, "it is accepted again", "accept", {"id": experiment.id})
            if mark is None or mark.actor != order.actor:
                raise LabError(f"Your mark on experiment {experiment.id} is gone already.")
            named = f"your mark on experiment {_named(experiment)}"
            return Undo(order, named, "it is to be reviewed again", "unmark", {"id": experiment.id})
        case "set":
            return await _of_setting(reader, order)
        case "requeue":
            return await _of_requeue(reader, order)
        case verb if verb in MADE_ONE:
            return await _of_own(reader, order)
        case _:
            raise LabError(f"Your last order, {order.verb}, cannot be undone.")


async def _of_holding(reader: Reader, order: Command) -> Undo:
    """The queue, the agents that it changed something for, or the very run that was held: a later one of the same
    experiment is not meant."""
    other, words = HOLDING[order.verb], order.arguments
    if words.get("agent") is not None:
        then = f"{words['agent']} {'is paused again' if other == 'pause' else 'goes on'}"
        changed = {"agent": words["agent"], "only": await _agents_of(reader, order)}
        return Undo(order, f"the {order.verb} of {words['agent']}", then, other, changed)
    if words.get("id") is None:
        return Undo(order, f"the {order.verb} of the queue", f"the queue is {other}d", other, words)
    of = f"run of experiment {words['id']}"
    run = await _held_by(reader, order)
    if run is not None and run.ended:
        raise LabError(f"The {of} has ended ({run.outcome}), so its {order.verb} cannot be undone any more.")
    named = words if run is None else {**words, "run": run.id}
    return Undo(order, f"the {order.verb} of the {of}", f"the {of} is {other}d", other, named)


async def _of_drop(reader: Reader, order: Command) -> Undo:
    experiment = await _experiment(reader, order.arguments)
    last = await _last_event(reader, order, "state")
    if experiment.state is not State.DROPPED or last is None or last.after != State.DROPPED:
        raise LabError(
            f"{stands(experiment)} by now, so your drop of it is undone already.",
            f"`autolab show {experiment.id}` tells its story.",
        )
    before = State(last.before or State.QUEUED)
    if before is State.PATCHING and experiment.commit_id is None:
        before = State.QUEUED  # nobody holds it any more
    return Undo(
        order,
        f"the drop of experiment {_named(experiment)}",
        f"it is {before} again",
        "state",
        {"id": experiment.id, "state": str(before)},
    )


async def _of_priority(reader: Reader, order: Command) -> Undo:
    experiment = await _experiment(reader, order.arguments)
    last = await _last_event(reader, order, "priority")
    if last is None or last.before is None or last.actor != order.actor or str(experiment.priority) != last.after:
        raise LabError(
            f"The priority of experiment {experiment.id} was changed by somebody else since.", "Set it by + and -."
        )
    if experiment.state in ENDED:
        raise LabError(f"{stands(experiment)}; it waits for nothing.")
    value = int(last.before)
    named = f"the priority {last.after} of experiment {_named(experiment)}"
    return Undo(order, named, f"it is {value} again", "priority", {"id": experiment.id, "value": value})


async def _of_requeue(reader: Reader, order: Command) -> Undo:
    """As long as nothing was run of the new attempt, and nobody works at its patch."""
    experiment = await _experiment(reader, order.arguments)
    earlier = await earlier_attempt(reader, experiment.id)
    if earlier is None or not earlier.stands_behind(experiment) or await _requeued_since(reader, order):
        raise LabError(f"Experiment {experiment.id} was requeued or changed again since.")
    begun = any(run.attempt == experiment.attempt for run in await reader.runs_of(experiment.id))
    if experiment.state not in EDITABLE or begun:
        raise LabError(
            f"{stands(experiment)}; only what still waits is taken back.",
            instead_of_requeueing(experiment),
        )
    then = f"it is {in_words(earlier.state)} again, as attempt {earlier.attempt}"
    what = f"the requeue of experiment {_named(experiment)}"
    if earlier.reworded:
        what = f"your change of the {' and the '.join(earlier.reworded)} of experiment {_named(experiment)}"
        then = "it has what it had before"
    return Undo(order, what, then, "attempt", {"id": experiment.id, "state": str(experiment.state)})


async def _requeued_since(reader: Reader, order: Command) -> bool:
    row = await reader.row(
        "SELECT 1 FROM commands WHERE verb = 'requeue' AND state = 'done' AND id > ?"
        " AND json_extract(arguments, '$.id') = ? AND id NOT IN"
        " (SELECT json_extract(arguments, '$.command') FROM commands WHERE verb = 'undo' AND state = 'done')",
        (order.id, order.arguments["id"]),
    )
    return row is not None


async def _of_setting(reader: Reader, order: Command) -> Undo:
    key = str(order.arguments["key"])
    row = await reader.row(
        "SELECT * FROM events WHERE kind = 'setting' AND reason LIKE ? ORDER BY seq DESC LIMIT 1", (f"{key} is %",)
    )
    last = None if row is None else Event.from_row(row)
    if last is None or last.actor != order.actor or last.at < order.at:
        raise LabError(f"{key} was changed by somebody else since.", "`autolab settings` shows what it is.")
    then = f"it is {last.before} again" if last.before is not None else "it is taken out of autolab.toml again"
    return Undo(order, f"the change of {key} to {last.after}", then, "set", {"key": key, "value": last.before})


async def _of_own(reader: Reader, order: Command) -> Undo:
    """An experiment that the order made: taken out of the queue while it waits."""
    experiment = await _made_by(reader, order)
    if experiment is None or experiment.state not in WAITING:
        state = "not there" if experiment is None else in_words(experiment.state)
        number = "that you made" if experiment is None else str(experiment.id)
        runs = experiment is not None and experiment.state not in ENDED
        remedy = f"`autolab end {number}`, or x in the room, stops its run." if runs else ""
        raise LabError(f"Experiment {number} is {state}; only what still waits is taken back.", remedy)
    return Undo(order, f"experiment {_named(experiment)}", "it is dropped", "drop", {"id": experiment.id})


async def _made_by(reader: Reader, order: Command) -> Experiment | None:
    """The experiment that the answer to an order of MADE_ONE names."""
    made = re.search(r"\d+", order.answer)
    return await reader.experiment(int(made.group())) if made is not None else None


def _picked(order: Command) -> str:
    """The branch that the answer to a pick names."""
    made = re.match(r"branch (\S+)", order.answer)
    return made[1] if made is not None else "BRANCH"


async def _agents_of(reader: Reader, order: Command) -> list[str]:
    """The agents that the order has paused or resumed; others of the team or role were so before."""
    rows = await reader.rows(
        "SELECT reason FROM events WHERE kind = 'agent' AND actor = ? AND at BETWEEN ? AND ? AND reason LIKE ?",
        (order.actor, order.at, order.answered_at, f"agent % is {order.verb}d"),
    )
    return [str(row["reason"]).split()[1] for row in rows]


async def _held_by(reader: Reader, order: Command) -> Run | None:
    """The run that the answer to an order of HOLDING names."""
    held = re.search(r"\d+", order.answer)
    return await reader.run(int(held.group())) if held is not None else None


async def _experiment(reader: Reader, words: dict[str, Any]) -> Experiment:
    experiment = await reader.experiment(int(words["id"]))
    assert experiment is not None, f"an order was carried out on experiment {words['id']}"
    return experiment


async def _last_event(reader: Reader, order: Command, kind: str) -> Event | None:
    """The newest event of that kind about the order's experiment."""
    row = await reader.row(
        "SELECT * FROM events WHERE kind = ? AND experiment_id = ? AND at >= ? ORDER BY seq DESC LIMIT 1",
        (kind, int(order.arguments["id"]), order.at),
    )
    return None if row is None else Event.from_row(row)


def _named(experiment: Experiment) -> str:
    return f"{experiment.label}, {experiment.title}"
