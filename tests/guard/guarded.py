"""What the guard's tests have in common: the shipped train.py, and a patch's refusals in one text."""

from __future__ import annotations

from pathlib import Path

from orchestrator.guard import refusals

TRAIN = (Path(__file__).parents[2] / "nanogpt" / "train.py").read_text()


def judged(after: str, before: str = TRAIN) -> str:
    return " ".join(refusals({"train.py": before}, {"train.py": after}, contract=True))


def line_of(source: str, text: str) -> int:
    return 1 + source[: source.index(text)].count("\n")
