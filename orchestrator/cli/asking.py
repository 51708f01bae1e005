"""A lab's store asked for one thing, and how its answers are worded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from orchestrator.cli.saying import write
from orchestrator.figures import figure
from orchestrator.lab import Lab
from orchestrator.store.ablations import ABLATION, OUT, is_ablation
from orchestrator.store.reader import Reader
from orchestrator.store.records import REVERSAL
from orchestrator.store.states import State, beside

T = TypeVar("T")


def ask(lab: Lab, question: Callable[[Reader], Awaitable[T]]) -> T:
    """Open the lab's database for one question."""

    async def asked() -> T:
        async with Reader(lab.database) as reader:
            return await question(reader)

    return asyncio.run(asked())


def print_json(value: object) -> None:
    """A value as people and programs read it, on standard output."""
    write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else figure(value, form)


def state_word(experiment: dict[str, Any]) -> str:
    """Its state as people read it; a start is part of master before it is measured, and what measures master without a
    win is no idea that failed; a win that was taken out of master again is no part of it."""
    if experiment.get("taken_out_by") is not None and not experiment["source"].startswith(REVERSAL):
        return OUT
    if is_ablation(experiment["state"], experiment["source"]):
        return ABLATION
    unmeasured = experiment["state"] == State.PROMOTED and experiment["val_bpb"] is None
    return "unmeasured" if unmeasured else str(experiment["state"]).replace("_", " ")


def why(experiment: dict[str, Any]) -> str:
    return beside(experiment["state"], experiment["reason"])
