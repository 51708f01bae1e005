"""Where a job ends that does not end by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """All counts are of one model's share of a job; the next model of the list begins anew."""

    calls: int = 40  # replies
    nudges: int = 3  # in a row, after replies without a call
    refusals: int = 6  # replies in a row of which every call was refused
    same_calls: int = 5  # times that one call may be answered with the same text
    looks: int = 12  # replies in a row that only look; then one is held to what moves the job on
    fresh_contexts: int = 1  # after a context that led nowhere
    answer_characters: int = 60_000  # of a tool's answer; the rest is stored, and read page by page
