"""What is believed of the gains that a lab has measured, and of all that its master has gained by them."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.evidence import (
    BASELINE_SEEDS,
    Belief,
    Measured,
    believed,
    expected_false,
    noise_of,
    prior_of,
)
from orchestrator.runs.untrusted import LARGEST_SCORE
from orchestrator.store.reader import Reader
from orchestrator.store.records import SIMPLIFICATION, Decision


@dataclass(frozen=True, slots=True)
class Progress:
    """What a master has come to since its start."""

    gain: float | None  # believed of all that was merged together, bits per byte
    wins: int  # that stand in it
    undone: bool  # all that was ever merged is out again
    expected_false: float  # of the wins that claim a gain


async def progress_of(reader: Reader, line: str, beliefs: dict[int, Belief]) -> Progress:
    """Of the lab's master, or that of the team `line`."""
    rows = await reader.rows(
        "SELECT id, decision, promoted_as, taken_out_by FROM experiments WHERE state = 'promoted' AND id > 0"
        " AND line = ?",
        (line,),
    )
    stand = [row for row in rows if row["decision"] == Decision.NONE and row["taken_out_by"] is None]
    wins = [row for row in stand if row["id"] in beliefs]
    claimed = [beliefs[row["id"]] for row in wins if row["promoted_as"] != SIMPLIFICATION]
    undone = bool(rows) and not stand
    return Progress(
        sum(beliefs[row["id"]].gain for row in wins) if wins or undone else None,
        len(wins),
        undone,
        expected_false(claimed),
    )


async def beliefs_of(reader: Reader) -> dict[int, Belief]:
    """What to believe of the gain of every experiment that was measured against a baseline, by its id.

    Of a difference beyond any score, from before such were refused, nothing is believed.
    """
    rows = await reader.rows(
        "SELECT e.id, e.delta, e.ground, count(r.id) AS runs FROM experiments AS e JOIN runs AS r"
        " ON r.experiment_id = e.id AND r.commit_id = e.commit_id AND r.attempt = e.attempt AND r.ground = e.ground"
        " AND r.val_bpb IS NOT NULL AND NOT r.void WHERE abs(e.delta) <= ? GROUP BY e.id",
        (LARGEST_SCORE,),
    )
    found: dict[int, Belief] = {}
    for ground in {row["ground"] for row in rows}:
        noise = noise_of(await reader.score_groups(ground))
        if noise is None:
            continue
        measured = {
            row["id"]: Measured(-row["delta"], noise.deviation * (1 / row["runs"] + 1 / BASELINE_SEEDS) ** 0.5)
            for row in rows
            if row["ground"] == ground
        }
        prior = prior_of(list(measured.values()), noise.deviation)
        found |= {number: believed(one, prior) for number, one in measured.items()}
    return found
