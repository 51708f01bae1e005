"""What the scorer said, believed only when it makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.runs.log_text import inert
from orchestrator.runs.reasons import exit_words, ran_out_of_memory
from orchestrator.runs.result import Cut, Outcome
from orchestrator.runs.untrusted import LARGEST_SCORE, count, is_score, real

LONGEST = 500


@dataclass(frozen=True, slots=True)
class Score:
    val_bpb: float
    parameters: int | None


def judge(written: dict[str, Any] | None, exit_code: int, last: str) -> Score:
    """The score that a scorer wrote. Raises Cut for a refusal, and when there is no score to believe.

    `last` is the last that it printed. None of it is quoted: a model prints there too, and has seen the text.
    """
    if exit_code != 0 or written is None:
        if ran_out_of_memory(last):
            raise Cut(Outcome.OUT_OF_MEMORY, "the scorer ran out of memory; the log holds the last that it said")
        raise Cut(Outcome.INVALID, f"the scorer gave no score: {exit_words(exit_code)}; the log holds what it said")
    if "refused" in written:
        sentence = inert(str(written["refused"])).replace("\n", " ")
        raise Cut(Outcome.INVALID, f"the scorer refused: {sentence[:LONGEST]}")
    val_bpb = real(written.get("val_bpb"))
    if val_bpb is None:
        raise Cut(Outcome.INVALID, "the scorer's result holds no score that is a number")
    if not is_score(val_bpb):
        raise Cut(Outcome.INVALID, f"the scorer's result, {val_bpb:.3g}, is larger than any score ({LARGEST_SCORE:g})")
    return Score(val_bpb, count(written.get("parameters")))
