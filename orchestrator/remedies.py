"""What helps where the state of an experiment stands in the way of an order: the command to type, with its number."""

from __future__ import annotations

from orchestrator.errors import LabError
from orchestrator.store.reader import Reader
from orchestrator.store.records import REVERSAL, Decision, Experiment
from orchestrator.store.states import ENDED, WAITING, State, in_words


def stands(experiment: Experiment) -> str:
    """The beginning of a refusal, as in "Experiment 9 is given up"."""
    return f"Experiment {experiment.id} is {in_words(experiment.state)}"


def instead_of_dropping(experiment: Experiment) -> str:
    """For one that waits no more."""
    if experiment.state in ENDED:
        return "It is over, so there is nothing to drop."
    return _wait_or_kill(experiment)


def instead_of_promoting(experiment: Experiment) -> str:
    """For one that was not measured, or is part of master."""
    if experiment.state is State.PROMOTED:
        return "Master holds it already; `autolab review` lists what master has taken."
    if experiment.state in ENDED:
        return f"`autolab requeue {experiment.id}` tries it again."
    return f"Wait for its outcome: `autolab show {experiment.id}` tells where it stands."


def instead_of_ranking(experiment: Experiment) -> str:
    """For one that is over, whose priority would change nothing."""
    if experiment.state is State.PROMOTED:
        return "It is part of master already."
    return f"`autolab requeue {experiment.id}` puts it into the queue again."


def instead_of_requeueing(experiment: Experiment) -> str:
    """For one without an outcome."""
    return f"`autolab drop {experiment.id}` drops it." if experiment.state in WAITING else _wait_or_kill(experiment)


def no_other_change(experiment: Experiment) -> LabError:
    """For one that is master without a win: what is asked for is nothing but that."""
    return LabError(
        f"{experiment.title.split(':')[0]} is master without that win, and nothing else.",
        "Give another patch as an experiment of your own: `autolab add`, or a in the room.",
    )


async def require_in_master(reader: Reader, experiment: Experiment) -> None:
    """Before a win is taken out or measured without. Raises LabError for one that is out already, for a revert that was
    undone, and for the return of a win: each names the experiment to ask of instead."""
    number, by = experiment.reverses, experiment.taken_out_by
    if experiment.puts_back is not None:
        said, win = f"Experiment {experiment.id} put experiment {experiment.puts_back} back.", experiment.puts_back
    elif by is None:
        return
    elif experiment.is_revert and number is not None:
        said, win = f"Experiment {by} has put experiment {number} back already.", number
    else:
        said, win = f"Experiment {experiment.id} was taken out of master by experiment {by} already.", experiment.id
    meant = await reader.experiment(win)
    out = None if meant is None else meant.taken_out_by
    way = f"`autolab revert {win}` takes it out" if out is None else f"`autolab revert {out}` puts it back"
    raise LabError(said, f"{way}, measured anew.")


async def require_not_asked(reader: Reader, experiment: Experiment, decision: Decision) -> None:
    """Before master without it is queued, to be merged or only measured. Raises LabError while that waits already."""
    rows = await reader.rows(
        "SELECT id, state FROM experiments WHERE source = ? AND decision = ?",
        (f"{REVERSAL}{experiment.id}", str(decision)),
    )
    for row in rows:
        if State(row["state"]) not in ENDED:
            raise LabError(
                f"Experiment {row['id']} does that already and is {in_words(row['state'])}.",
                f"See `autolab show {row['id']}`.",
            )


def _wait_or_kill(experiment: Experiment) -> str:
    if experiment.state is State.SCORED:  # between two runs, or before its judgement
        return f"Wait for its outcome: `autolab show {experiment.id}` tells where it stands."
    if experiment.state is State.CONFIRMING:  # with a run, or between two
        return (
            f"Wait for its outcome: `autolab show {experiment.id}` tells where it stands;"
            f" `autolab kill {experiment.id}` ends a run that is under way."
        )
    return f"`autolab kill {experiment.id}` ends the run that is under way."
