"""When the catalogue is used up: Optuna's TPE over the numeric constants of train.py, one constant an experiment.

One study over all constants at once falls in love with the first that looks well and asks for it for ever; so the
constants take turns, and TPE chooses the step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from roles.offline.constants import Constant, constants

TUNER = "TPE (Optuna), no language model"
"""Who writes the patches of constants that were handed to the tuner."""

SOURCE = "TPE over the constants of train.py (Bergstra et al. 2011; Optuna, arXiv:1907.10902)"
WIDEST = 1.0  # a constant moves by at most a factor 2 ** WIDEST at a time
GRAIN = 0.1  # two steps closer than this are the same idea
STARTUP = 3  # steps of a constant that are drawn at random
ROUNDS = 3  # how often all constants are asked for one more step
ATTEMPTS = 20
UNKNOWN, PRUNED, FAILED = 0.0, 0.5, 1.0  # for want of a difference, in bits per byte
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
    """Takes the constants in turn, the least tried first, and asks TPE how far to move each."""

    def __init__(self, source: str, profile: str, seed: int) -> None:
        self._constants = {constant.name: constant for constant in constants(source, profile)}
        self._seed = seed

    def next_moves(self, count: int, experiments: Iterable[dict[str, Any]], taken: set[str]) -> list[Move]:
        """Up to `count` new moves; `experiments` are the entries of list_experiments, `taken` are titles in use."""
        counts, tried = self._recorded(experiments)
        order = sorted(counts, key=lambda name: (counts[name], (_number_of(name) + self._seed) % 1009))
        moves: list[Move] = []
        for grain in (GRAIN, 0.0):  # finer only when nothing coarse is left
            for name in order * ROUNDS:
                if len(moves) == count:
                    return moves
                found = self._move(self._constants[name], tried[name], taken, grain)
                if found is not None:
                    taken.add(found.title.lower())
                    moves.append(found)
                    tried[name].append((_shift(found) or 0.0, UNKNOWN))
        return moves

    def moves_of(self, name: str, count: int, experiments: Iterable[dict[str, Any]], taken: set[str]) -> list[Move]:
        """Up to `count` new values of one constant; the arguments are those of `next_moves`, `name` must be known."""
        tried = self._recorded(experiments)[1][name]
        moves: list[Move] = []
        for grain in (GRAIN, 0.0):
            while len(moves) < count:
                found = self._move(self._constants[name], tried, taken, grain)
                if found is None:
                    break
                taken.add(found.title.lower())
                moves.append(found)
                tried.append((_shift(found) or 0.0, UNKNOWN))
        return moves

    def _recorded(
        self, experiments: Iterable[dict[str, Any]]
    ) -> tuple[dict[str, int], dict[str, list[tuple[float, float]]]]:
        """How often each constant was moved, and how its steps from where it stands today did."""
        counts = dict.fromkeys(sorted(self._constants), 0)
        tried: dict[str, list[tuple[float, float]]] = {name: [] for name in counts}
        for experiment in experiments:
            move = move_of(str(experiment["title"]))
            if move is None or move.name not in counts:
                continue
            counts[move.name] += 1
            constant, shift = self._constants[move.name], _shift(move)
            if shift is not None and move.old == constant.show(constant.value):  # a step from where it stands today
                tried[move.name].append((shift, _badness(experiment)))
        return counts, tried

    def _move(self, constant: Constant, tried: list[tuple[float, float]], taken: set[str], grain: float) -> Move | None:
        """A value of this constant that is new and not next to one that was tried."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=self._seed + len(tried), n_startup_trials=STARTUP)
        study = optuna.create_study(direction="minimize", sampler=sampler)
        range_of_shift = optuna.distributions.FloatDistribution(-WIDEST, WIDEST)
        for step, badness in tried:
            study.add_trial(
                optuna.trial.create_trial(
                    params={"shift": step}, distributions={"shift": range_of_shift}, value=badness
                )
            )
        for _ in range(ATTEMPTS):
            text = _moved(constant, study.ask().suggest_float("shift", -WIDEST, WIDEST))
            move = Move(constant.name, constant.show(constant.value), text)
            shift = None if float(text) == float(move.old) else _shift(move)
            near = shift is not None and any(abs(shift - other) < grain for other, _ in tried)
            if shift is None or near or move.title.lower() in taken:
                continue
            if _fits(self._constants, constant.name, text):
                return move
        return None


def _badness(experiment: dict[str, Any]) -> float:
    """What TPE is to make small: the difference to the baseline, in bits per byte; as much as can be for a failure."""
    delta = experiment["delta"]
    if delta is not None:
        return float(delta)
    return {"pruned": PRUNED, "crashed": FAILED, "invalid": FAILED}.get(str(experiment["state"]), UNKNOWN)


def _number_of(name: str) -> int:
    """A number to mix the constants with, the same in every process (unlike `hash`)."""
    return sum(index * ord(letter) for index, letter in enumerate(name, start=1))
