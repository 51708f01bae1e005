"""What an experiment was before a person asked for another attempt: kept so that the order can be taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment
from orchestrator.store.scores import ScoreBook
from orchestrator.store.states import IllegalMove, State

MOST_KEPT = 20
"""Requeues of one experiment that can be taken back one after the other."""

_GIVEN = ("attempt", "title", "hypothesis", "patch")
_KEPT = tuple(
    field.name
    for field in fields(Experiment)
    if field.name not in ("id", "source", "created_at", "val_bpb", "delta", "ground")  # scores are of runs
)


@dataclass(frozen=True, slots=True)
class EarlierAttempt:
    """An experiment as it was, and what it was given then."""

    was: dict[str, Any]  # by column
    given: dict[str, Any]

    @property
    def state(self) -> State:
        return State(self.was["state"])

    @property
    def attempt(self) -> int:
        return int(self.was["attempt"])

    @property
    def reworded(self) -> list[str]:
        """What was changed in place, by name; nothing where it was a new attempt."""
        names = [name for name in _GIVEN if name in self.was and self.was[name] != self.given.get(name)]
        return [] if "attempt" in names else names

    def stands_behind(self, now: Experiment) -> bool:
        """Whether what waits is still what was asked for then."""
        return all(getattr(now, name) == value for name, value in self.given.items())


def _key(experiment_id: int) -> str:
    return f"before requeues of {experiment_id}"


async def earlier_attempt(reader: Reader, experiment_id: int) -> EarlierAttempt | None:
    """What the newest requeue of the experiment has changed; None where it was none or was taken back."""
    kept = await _kept(reader, experiment_id)
    return EarlierAttempt(**kept[-1]) if kept else None


async def _kept(reader: Reader, experiment_id: int) -> list[dict[str, Any]]:
    """One for each requeue that was not taken back, the newest last."""
    found: list[dict[str, Any]] = json.loads(await reader.meta(_key(experiment_id), "[]"))
    return found


class AttemptBook(ScoreBook):
    """The part of the writer that keeps what a requeue changes."""

    async def keep_attempt(self, before: Experiment) -> None:
        """After a requeue: `before` is what the experiment was."""
        async with self._change():
            now = await self._known(before.id)
            was = {name: getattr(before, name) for name in _KEPT}
            kept = await _kept(self, before.id)
            kept.append({"was": was, "given": {name: getattr(now, name) for name in _GIVEN}})
            await self._keep(before.id, kept)

    async def _keep(self, experiment_id: int, kept: list[dict[str, Any]]) -> None:
        values = (_key(experiment_id), json.dumps(kept[-MOST_KEPT:]))
        await self._do("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", values)

    async def take_back_attempt(self, experiment_id: int, only_from: State, actor: str) -> Experiment:
        """The experiment is what it was before its newest requeue, with the score of its runs then.

        Raises IllegalMove when it is no longer in the state `only_from`.
        """
        async with self._change():
            earlier, now = await earlier_attempt(self, experiment_id), await self._known(experiment_id)
            assert earlier is not None, f"experiment {experiment_id} was not requeued"
            if now.state is not only_from:
                raise IllegalMove(f"experiment {experiment_id} is {now.state} by now, no longer {only_from}")
            columns = ", ".join(f"{name} = ?" for name in earlier.was)
            await self._do(f"UPDATE experiments SET {columns} WHERE id = ?", [*earlier.was.values(), experiment_id])
            await self._rescore(experiment_id)
            await self._keep(experiment_id, (await _kept(self, experiment_id))[:-1])
            told = f"{actor} has undone the requeue: attempt {earlier.attempt} is {earlier.state} as before"
            await self._event("experiment", actor, told, experiment_id=experiment_id)
        return await self._known(experiment_id)
