"""The slots as rows, with what the room remembers of each: small histories of its readings, and the pace of its run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from orchestrator.columns import Column
from orchestrator.figures import figure
from orchestrator.store.records import IN_USE, Experiment, Run, RunKind, SlotRow
from tui.present import Cell, plain
from tui.tones import Said, Tone

PHASE_SYMBOLS = {"idle": "·", "starting": "~", "training": "►", "scoring": "=", "paused": "‖", IN_USE: "!"}
PHASE_TONES = {"idle": Tone.DIM, "paused": Tone.WARN, IN_USE: Tone.WARN}
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 8
STEP_SECONDS = 5.0  # one character of a history
PACE_SECONDS = 60.0  # of training, from which the remaining time is reckoned
LEAST_PACE_SECONDS = 3.0  # that the room must have seen of it: a guess from less jumps about
WARM = (30.0, 90.0)  # degrees Celsius: the range of a temperature's history

SLOT_COLUMNS = (
    Column("slot", 5),
    Column("phase", 10),
    Column("done", 6, share=2, most=32, rank=3),
    Column("", 4, right=True),
    Column("left", 6, right=True, rank=1),
    Column("loss", 6, right=True, rank=2),
    Column("experiment", 20, share=6),
    Column("run", 15, rank=8),
    Column("early stopping", 16, share=2, most=30, rank=5),
    Column("use", 4, right=True, rank=3),
    Column("", SPARK_WIDTH, rank=9),
    Column("memory", 11, right=True, rank=4),
    Column("", SPARK_WIDTH, rank=10),
    Column("temp", 5, right=True, rank=6),
    Column("", SPARK_WIDTH, rank=11),
    Column("power", 5, right=True, rank=7),
    Column("", SPARK_WIDTH, rank=12),
)


@dataclass(slots=True)
class History:
    """One reading over time: the last value of each step."""

    values: deque[float | None] = field(default_factory=lambda: deque(maxlen=SPARK_WIDTH))
    _step: int = -1

    def add(self, at: float, value: float | None) -> None:
        """`at`: seconds of any one clock. Steps without news keep the value before: only changes are written."""
        step = int(at // STEP_SECONDS)
        if self._step >= 0 and step <= self._step:
            if self.values:
                self.values[-1] = value
            return
        gap = min(step - self._step - 1, SPARK_WIDTH) if self._step >= 0 else 0
        self.values.extend([self.values[-1]] * gap if self.values else [])
        self.values.append(value)
        self._step = step

    def shown(self, low: float, high: float) -> str:
        """SPARK_WIDTH characters, the newest at the right; empty where nothing was ever read."""
        if all(value is None for value in self.values):
            return ""
        return "".join(_spark(value, low, high) for value in self.values).rjust(SPARK_WIDTH)


def _spark(value: float | None, low: float, high: float) -> str:
    if value is None:
        return " "
    share = (value - low) / (high - low) if high > low else 0.0
    return SPARKS[max(0, min(len(SPARKS) - 1, int(share * len(SPARKS))))]


@dataclass(slots=True)
class Machine:
    """What the room has seen of one slot since it was opened."""

    use: History = field(default_factory=History)
    memory: History = field(default_factory=History)
    temperature: History = field(default_factory=History)
    power: History = field(default_factory=History)
    most_power: float = 1.0
    run_id: int | None = None
    pace: deque[tuple[float, float]] = field(default_factory=deque)  # (seconds, progress) of the run's training

    def take(self, slot: SlotRow) -> None:
        at = datetime.fromisoformat(slot.updated_at).timestamp()
        self.use.add(at, slot.utilisation)
        self.memory.add(at, slot.memory_used)
        self.temperature.add(at, slot.temperature)
        self.power.add(at, slot.power)
        self.most_power = max(self.most_power, slot.power or 0.0)
        if slot.run_id != self.run_id or slot.phase != "training":
            self.run_id = slot.run_id
            self.pace.clear()
        if slot.phase == "training" and slot.progress is not None:
            if not self.pace or at - self.pace[-1][0] >= 1.0:
                self.pace.append((at, slot.progress))
            while at - self.pace[0][0] > PACE_SECONDS and len(self.pace) > 2:
                self.pace.popleft()

    def remaining(self, slot: SlotRow) -> float | None:
        """Seconds until the budget is used up, at the pace of the last minute; None while nothing can be said."""
        if slot.phase != "training" or not slot.progress:
            return None
        begin, first = self.pace[0] if self.pace else (0.0, 0.0)
        end, last = self.pace[-1] if self.pace else (0.0, 0.0)
        if last <= first or end - begin < LEAST_PACE_SECONDS:
            return None
        return (1.0 - slot.progress) * (end - begin) / (last - first)


def clock(seconds: float) -> str:
    """Time that is left, coarse enough to be read: `8 s`, `4:10`, `2 h 5`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    return f"{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02d} h"


def memory(used: int | None, total: int | None) -> str:
    if used is None:
        return ""
    return f"{used / 2**30:.1f}G" if not total else f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB"


def unread(slot: SlotRow) -> SlotRow:
    """The slot where no daemon reads the machine: what was read last is no longer so."""
    return replace(slot, utilisation=None, memory_used=None, temperature=None, power=None)


def slot_cells(slot: SlotRow, machine: Machine, run: Run | None, experiment: Experiment | None) -> tuple[Cell, ...]:
    total = slot.memory_total or max([1.0, *(value for value in machine.memory.values if value is not None)])
    readings = (
        Said("" if slot.utilisation is None else f"{slot.utilisation:.0%}"),
        Said(machine.use.shown(0.0, 1.0), Tone.LIVE),
        Said(memory(slot.memory_used, slot.memory_total), Tone.DIM),
        Said(machine.memory.shown(0.0, total), Tone.DIM),
        Said("" if slot.temperature is None else f"{slot.temperature:.0f}°C", Tone.DIM),
        Said(machine.temperature.shown(*WARM), Tone.DIM),
        Said("" if slot.power is None else f"{slot.power:.0f} W", Tone.DIM),
        Said(machine.power.shown(0.0, machine.most_power), Tone.DIM),
    )
    if run is None or experiment is None:
        nothing = Said("")
        idle = Said(f"{PHASE_SYMBOLS.get(slot.phase, '·')} {slot.phase}", PHASE_TONES.get(slot.phase, Tone.DIM))
        device = Said(plain(f"others: {slot.verdict}" if slot.phase == IN_USE else slot.device), Tone.DIM)
        return (Said(slot.name), idle, None, nothing, nothing, nothing, device, nothing, nothing, *readings)
    phase = Said(f"{PHASE_SYMBOLS.get(slot.phase, ' ')} {slot.phase}", PHASE_TONES.get(slot.phase, Tone.LIVE))
    left = machine.remaining(slot)
    return (
        Said(slot.name),
        phase,
        slot.progress or 0.0,
        Said("" if slot.progress is None else f"{slot.progress:.0%}"),
        Said("" if left is None else clock(left)),
        Said("" if slot.loss is None else figure(slot.loss), Tone.STRONG),
        Said(f"{experiment.label} {_what_for(run, experiment)}{plain(experiment.title)}"),
        Said(f"{run.kind} seed {run.seed}", Tone.DIM),
        Said(plain(slot.verdict), Tone.DIM),
        *readings,
    )


def _what_for(run: Run, experiment: Experiment) -> str:
    """Why something trains that has run before: it confirms, or, part of master, is the baseline of what comes."""
    if run.kind is RunKind.CONFIRM:
        return "confirm: "
    return "baseline: " if run.kind is RunKind.BASELINE and experiment.id != 0 else ""


def busy(slots: Sequence[SlotRow]) -> int:
    return sum(slot.run_id is not None for slot in slots)
