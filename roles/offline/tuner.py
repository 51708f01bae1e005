"""When the catalogue is used up: Optuna's TPE over the numeric constants of train.py, one constant an experiment."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from roles.offline.constants import Constant, constants

WIDEST = 1.0  # a constant moves by at most a factor 2 ** WIDEST at a time
_TITLE = re.compile(r"^(?P<name>[A-Z][A-Z0-9_]*): (?P<old>[-+.\deE]+) -> (?P<new>[-+.\deE]+)$")


@dataclass(frozen=True, slots=True)
class Move:
    """One constant, one new value."""

    name: str
    old: str
    new: str

    @property
    def title(self) -> str:
        return f"{self.name}: {self.old} -> {self.new}"


def move_of(title: str) -> Move | None:
    """The move that an experiment's title names."""
    match = _TITLE.match(title.strip())
    return Move(match["name"], match["old"], match["new"]) if match else None


def _complement(name: str) -> bool:
    """Decay rates such as 0.95 vary by their distance from 1."""
    return name.startswith("BETA")


def _moved(constant: Constant, shift: float) -> str:
    factor = 2.0**shift
    if _complement(constant.name):
        return constant.show(1 - (1 - constant.value) * factor)
    if constant.whole:
        grain = {"WIDTH": 16, "SEQUENCE": 8, "BATCH": 1}.get(constant.name, 1)
        return f"{max(grain, round(constant.value * factor / grain) * grain)}"
    return constant.show(constant.value * factor if constant.value else 0.01 * factor)


def _shift(move: Move) -> float | None:
    """How far a move went, in powers of two."""
    old, new = float(move.old), float(move.new)
    if _complement(move.name):
        old, new = 1 - old, 1 - new
    if old <= 0 or new <= 0:
        return None
    return max(-WIDEST, min(WIDEST, math.log2(new / old)))


def _fits(source_constants: dict[str, Constant], name: str, text: str) -> bool:
    """Whether a value makes a program that can run: heads must divide the width, and leave an even head size."""
    value = {constant.name: constant.value for constant in source_constants.values()} | {name: float(text)}
    width, heads = value.get("WIDTH"), value.get("HEADS")
    if width and heads and (heads < 1 or width % heads or (width // heads) % 2):
        return False
    return not (_complement(name) and not 0 < float(text) < 1)


class Tuner:
    """Asks TPE for the next move, from what earlier moves did to the score."""

    def __init__(self, source: str, profile: str, seed: int) -> None:
        self._constants = {constant.name: constant for constant in constants(source, profile)}
        self._seed = seed

    def next_moves(self, count: int, experiments: Iterable[dict[str, Any]], taken: set[str]) -> list[Move]:
        """Up to `count` new moves; `experiments` are the entries of list_experiments, `taken` are titles in use."""
        import optuna

        if not self._constants:
            return []
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        history = list(experiments)
        sampler = optuna.samplers.TPESampler(seed=self._seed + len(history), n_startup_trials=8)
        study = optuna.create_study(direction="minimize", sampler=sampler)
        names = sorted(self._constants)
        for experiment in history:
            self._tell(optuna, study, names, experiment)
        moves: list[Move] = []
        for _ in range(40 * count):
            if len(moves) == count:
                break
            trial = study.ask()
            constant = self._constants[trial.suggest_categorical("constant", names)]
            text = _moved(constant, trial.suggest_float(f"shift {constant.name}", -WIDEST, WIDEST))
            move = Move(constant.name, constant.show(constant.value), text)
            if float(text) == float(move.old) or move.title.lower() in taken:
                continue
            if _fits(self._constants, constant.name, text):
                taken.add(move.title.lower())
                moves.append(move)
        return moves

    def _tell(self, optuna: Any, study: Any, names: list[str], experiment: dict[str, Any]) -> None:
        move, delta = move_of(str(experiment["title"])), experiment["delta"]
        if move is None or move.name not in self._constants:
            return
        shift = _shift(move)
        if shift is None:
            return
        if delta is None:
            if experiment["state"] not in ("crashed", "invalid"):
                return
            delta = 1.0  # it failed: as bad as can be
        study.add_trial(
            optuna.trial.create_trial(
                params={"constant": move.name, f"shift {move.name}": shift},
                distributions={
                    "constant": optuna.distributions.CategoricalDistribution(names),
                    f"shift {move.name}": optuna.distributions.FloatDistribution(-WIDEST, WIDEST),
                },
                value=float(delta),
            )
        )
