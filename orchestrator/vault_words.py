"""What the vault split says of promotions, for people alone: no brief and no tool of an agent reads here."""

from __future__ import annotations

from orchestrator.evidence import GAIN_MISSING
from orchestrator.marks import is_self_reported
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment
from orchestrator.store.states import State
from orchestrator.store.vault import due_runs, vault_scores, vault_verdicts

NO_VAULT = "none: a script brings its own data, so nothing is held out from it"


async def vault_means(reader: Reader) -> dict[int, float]:
    """The mean score on the vault, bits per byte, of every experiment that was scored on it. For people alone."""
    rows = await reader.rows(
        "SELECT runs.experiment_id AS id, avg(v.bpb) AS bpb FROM vault_scores AS v JOIN runs ON runs.id = v.run_id"
        " WHERE v.bpb IS NOT NULL GROUP BY runs.experiment_id"
    )
    return {int(row["id"]): float(row["bpb"]) for row in rows}


async def vault_word(reader: Reader, experiment: Experiment) -> str:
    """What the vault says of a promoted experiment, for people; empty for any other."""
    if experiment.state is not State.PROMOTED:
        return ""
    if await is_self_reported(reader):
        return NO_VAULT
    mean = (await vault_means(reader)).get(experiment.id)
    said = (await vault_verdicts(reader)).get(experiment.id, "")
    if mean is None:
        return said or ("" if experiment.is_start else "not scored yet")
    return f"{mean:.4f}" + (f"; {said}" if said else "")


async def vault_account(reader: Reader) -> str:
    """What the vault says of the lab's promotions, in a sentence for people."""
    if await is_self_reported(reader):
        return NO_VAULT
    scores = await vault_scores(reader)
    due = await due_runs(reader)
    if not due:
        return "scored at promotions; there has been none yet"
    states = [scores[run.id].state if run.id in scores else "again" for run in due]
    agreed = await vault_verdicts(reader)
    missing = sum(sentence.startswith(GAIN_MISSING) for sentence in agreed.values())
    waiting = sum(state in ("scoring", "again") for state in states)
    scored = states.count("scored")
    told = f"{scored} run{'s' * (scored != 1)} scored" + (f", {waiting} to come" if waiting else "")
    if not agreed:
        return told
    told += f"; {len(agreed)} win{'s' * (len(agreed) != 1)} compared, "
    return told + (f"the gain of {missing} is not there" if missing else "every gain is there too")
