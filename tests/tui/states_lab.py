"""A lab with one experiment in each state of the chart, each with a commit of its own on the real program."""

from __future__ import annotations

from pathlib import Path

from orchestrator.branches import Repository
from orchestrator.lab import Lab
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from tests.tui.lab_maker import TRAIN_PY
from tests.tui.room_lab import a_real_master, make_empty_lab

WAY: dict[State, tuple[State, ...]] = {
    State.PROPOSED: (),
    State.QUEUED: (State.QUEUED,),
    State.PATCHING: (State.QUEUED, State.PATCHING),
    State.DROPPED: (State.DROPPED,),
    State.GIVEN_UP: (State.QUEUED, State.PATCHING, State.GIVEN_UP),
    State.REJECTED: (State.QUEUED, State.PATCHING, State.REJECTED),
}
"""How an experiment comes to where no patch has been made yet; to all others leads a ready patch."""

UNDERWAY = (State.RUNNING, State.CONFIRMING)
"""States in which a run is under way in this lab."""


async def make_states_lab(root: Path) -> tuple[Lab, dict[State, int]]:
    """The lab, and the number of the experiment in each state (all but promoted: 0, the start, is that)."""
    lab = await make_empty_lab(root)
    master = await a_real_master(lab)
    repository = Repository(lab.root)
    found = {State.PROMOTED: 0}
    async with Writer(lab.database) as store:
        await store.set_meta("profile", "cpu")
        await store.set_slots([("cpu0", "CPU core"), ("cpu1", "CPU core")])
        await _run(store, 0, RunKind.BASELINE, 1, master, 3.4)
        for state in State:
            if state not in found:
                found[state] = await _bring(store, repository, lab, state, master)
    return lab, found


async def _bring(store: Writer, repository: Repository, lab: Lab, state: State, master: str) -> int:
    proposal = Proposal(f"An idea that is {state}", "it may help", "own", str(state))
    number = (await store.add_experiment(proposal, author="researcher", team="offline")).id
    if state in WAY:
        for step in WAY[state]:
            await store.move(number, step, "on its way")
        return number
    commit = _patched(repository, lab, number, master)
    for step in (State.QUEUED, State.PATCHING):
        await store.move(number, step, "on its way")
    branch = f"exp/{number}-{state}"
    await store.move(number, State.READY, "approved", parent=master, commit_id=commit, branch=branch)
    if state is State.READY:
        return number
    failed = state in (State.KILLED, State.CRASHED, State.PRUNED, State.INVALID, State.LOST)
    underway = state is State.RUNNING
    await _run(store, number, RunKind.SCREEN, 1, commit, None if failed or underway else 3.3, ended=not underway)
    if failed:
        await store.move(number, state, f"it is {state}")
    elif not underway:
        await store.move(number, State.SCORED, "scored")
        if state is State.DISCARDED:
            await store.move(number, state, "no gain")
        elif state is not State.SCORED:
            await store.move(number, State.CONFIRMING, "a contender")
            await _run(store, number, RunKind.CONFIRM, 2, commit, 3.3, ended=state is not State.CONFIRMING)
            if state is State.NOT_CONFIRMED:
                await store.move(number, state, "within noise")
    return number


def _patched(repository: Repository, lab: Lab, number: int, master: str) -> str:
    tree = lab.worktrees / f"w{number}"
    repository.checkout_commit(tree, master)
    (tree / "train.py").write_text(TRAIN_PY.replace("LEARNING_RATE = 1e-3", f"LEARNING_RATE = {number}e-3", 1))
    return repository.commit(tree, "Rate", "Faster", {"Experiment": str(number), "Parent": master}, "worker-1")


async def _run(
    store: Writer, number: int, kind: RunKind, seed: int, commit: str, score: float | None, ended: bool = True
) -> None:
    experiment = await store.experiment(number)
    assert experiment is not None
    place = Place("cpu0" if kind is RunKind.SCREEN else "cpu1", "a core", "bubblewrap")
    run = await store.begin_run(experiment, kind, seed, place, commit)
    if ended and score is None:
        await store.end_run(run.id, Measurement("crash", "it came to nothing"))
    elif ended:
        await store.end_run(run.id, Measurement("scored", f"scored {score:.4f}", score, steps=100))
