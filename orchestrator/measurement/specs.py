"""What a run is ordered to do: its commands, and what the code that agents wrote is shown while it runs.

The trainer sees its worktree and its own output directory, and the train split once its budget has begun. The processes
that answer the scorer see the worktree and the weights. The scorer itself is Autolab's own and runs outside. A script
of a repository sees its worktree and what autolab.toml lets it read.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from orchestrator.context import Context
from orchestrator.corpus import Corpus
from orchestrator.measurement.protection import installed, scorer_hash
from orchestrator.runs import Limits, RunSpec, Slot
from orchestrator.runs.child import of_slot
from orchestrator.runs.provenance import versions
from orchestrator.runs.slots import device_files, device_kind
from orchestrator.sandbox import Mount, View, enclose, search_path
from orchestrator.store.records import Run
from orchestrator.targets.target import SEED_VARIABLE, ScriptTarget

Clock = Literal["cpu", "wall"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where what a run works with stands, as the run sees it."""

    work: str
    out: str
    answer: str
    weights: str


ALIKE = Places("/autolab/work", "/autolab/out", "/autolab/answer", "/autolab/weights.pt")
"""The same for every run, so that nothing can depend on which run it is."""


def worktree_of(context: Context, run_id: int) -> Path:
    return context.lab.worktrees / f"run-{run_id}"


def marker_of(context: Context, run_id: int) -> str:
    """What every process of a run carries."""
    return f"{context.lab.root}#{run_id}"


def spec_of(context: Context, run: Run, slot: Slot, free_startup: float | None = None) -> RunSpec:
    """The order for one run. `free_startup`: CPU seconds of start-up that a CPU slot's budget is not charged for."""
    match context.settings.optimised():
        case ScriptTarget() as script:
            return _of_script(context, run, slot, script)
        case _:
            spec = _of_nanogpt(context, run, slot)
            return replace(spec, limits=replace(spec.limits, free_startup_seconds=free_startup))


@dataclass(frozen=True, slots=True)
class _Training:
    """What is the same for a run that counts and for a smoke run."""

    profile: str
    seed: int
    budget_seconds: float
    gpu: str | None
    nodes: tuple[str, ...]  # the slot's device files

    @property
    def clock(self) -> Clock:
        return "wall" if self.gpu is not None else "cpu"

    @property
    def common(self) -> dict[str, str]:
        return {"AUTOLAB_PROFILE": self.profile, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

    def environment(self, places: Places) -> dict[str, str]:
        return {
            **self.common,
            "AUTOLAB_HARNESS": "stdin",
            "AUTOLAB_RUN_DIR": places.out,
            SEED_VARIABLE: str(self.seed),
            "AUTOLAB_BUDGET_SECONDS": str(self.budget_seconds),
        }

    def command(self, context: Context, worktree: Path, out: Path, places: Places) -> list[str]:
        """train.py as it is started, in its sandbox."""
        command = [sys.executable, "-u", "train.py"]
        if not context.walls.sealed:
            return command
        mounts = (Mount(str(worktree), places.work), Mount(str(out), places.out, writable=True))
        environment = {**of_slot(self.gpu, self.clock), **self.environment(places)}
        return enclose(context.walls, View(mounts, places.work, environment, self.nodes), command)


def _places(context: Context, directory: Path, worktree: Path) -> Places:
    if context.walls.moves:
        return ALIKE
    answer = str(installed("answer.py").parent)
    return Places(str(worktree), str(directory / "out"), answer, str(directory / "weights.pt"))


def spec_of_training(
    context: Context, worktree: Path, directory: Path, corpus: Corpus, budget_seconds: float
) -> RunSpec:
    """The order to train a worktree for a moment on one CPU core, without a score: a smoke run."""
    training = _Training(corpus.profile, 1, budget_seconds, None, ())
    places = _places(context, directory, worktree)
    return RunSpec(
        run_id=0,
        marker=f"{context.lab.root}#smoke-{directory.name}",
        run_dir=str(directory),
        worktree=str(worktree),
        train_command=training.command(context, worktree, directory / "out", places),
        score_command=None,
        env=training.environment(places),
        score_env={},
        seed=training.seed,
        clock=training.clock,
        budget_seconds=budget_seconds,
        slot="",
        protected={path: str(installed(path)) for path in context.settings.target.protected},
        sandbox=context.walls.kind,
        train_data=str(Path(corpus.train) / "tokens.bin"),
    )


def _of_nanogpt(context: Context, run: Run, slot: Slot) -> RunSpec:
    """Training, then scoring by Autolab's own scorer."""
    settings = context.settings
    directory, worktree = context.lab.run_directory(run.id), worktree_of(context, run.id)
    training = _training(context, run, slot)
    places = _places(context, directory, worktree)
    return replace(
        _common(context, run, slot),
        train_command=training.command(context, worktree, directory / "out", places),
        score_command=_scorer(
            context, training, worktree, directory / "weights.pt", context.corpus.validation, directory
        ),
        env=training.environment(places),
        score_env=training.common,
        clock=training.clock,
        budget_seconds=settings.run.budget_seconds,
        protected={path: str(installed(path)) for path in settings.target.protected},
        train_data=str(Path(context.corpus.train) / "tokens.bin"),
        known_facts={
            **versions(),
            "device": device_kind(slot),
            "data": context.corpus.fingerprint,
            "scorer": scorer_hash(),
        },
        limits=_limits(context),
    )


def spec_of_vault(context: Context, run: Run, slot: Slot, directory: Path, worktree: Path) -> RunSpec:
    """The order to score the kept weights of a run on the vault split, by the same scorer in the same sandbox."""
    training = _training(context, run, slot)
    weights = context.lab.run_directory(run.id) / "weights.pt"
    return replace(
        _common(context, run, slot),
        marker=f"{context.lab.root}#vault-{run.id}",
        run_dir=str(directory),
        worktree=str(worktree),
        score_command=_scorer(context, training, worktree, weights, context.corpus.vault, directory),
        score_env=training.common,
        clock=training.clock,
        protected={path: str(installed(path)) for path in context.settings.target.protected},
        limits=_limits(context),
    )


def _training(context: Context, run: Run, slot: Slot) -> _Training:
    settings = context.settings
    return _Training(settings.lab.profile, run.seed, settings.run.budget_seconds, slot.gpu, tuple(device_files(slot)))


def _scorer(
    context: Context, training: _Training, worktree: Path, weights: Path, split: str, directory: Path
) -> list[str]:
    """The command that scores weights on a split and writes score.json in `directory`."""
    walls = context.walls
    places = ALIKE if walls.moves else replace(_places(context, directory, worktree), weights=str(weights))
    answer = [sys.executable, "-u", f"{places.answer}/answer.py", f"{places.work}/train.py", places.weights]
    if walls.sealed:
        mounts = (Mount(str(worktree), places.work), Mount(str(weights), places.weights))
        tools = [Mount(str(installed(name)), f"{places.answer}/{name}") for name in ("answer.py", "prepare.py")]
        environment = {**of_slot(training.gpu, training.clock), **training.common}
        answer = enclose(walls, View((*mounts, *tools), places.work, environment, training.nodes), answer)
    return [
        *(sys.executable, "-P", "-m", "nanogpt.evaluate"),
        *("--train-py", str(worktree / "train.py")),
        *("--weights", str(weights)),
        *("--data", split),
        *("--profile", training.profile),
        *("--result", str(directory / "score.json")),
        *("--answerer", json.dumps(answer)),
    ]


def originals_of(context: Context, run_id: int) -> Path:
    """Where the protected files of a script are kept as they were committed."""
    return context.lab.run_directory(run_id) / "originals"


def _of_script(context: Context, run: Run, slot: Slot, script: ScriptTarget) -> RunSpec:
    """The command of a repository: what it prints is its score. It may write to its worktree, which goes with it."""
    walls, worktree = context.walls, worktree_of(context, run.id)
    work = "/autolab/work" if walls.moves else str(worktree)
    environment = {
        SEED_VARIABLE: str(run.seed),
        "AUTOLAB_BUDGET_SECONDS": f"{script.budget_seconds:g}",
        "PYTHONUNBUFFERED": "1",
        **script.environment,
    }
    at_home = _at_home(expanded(path) for path in script.readable)
    command = list(script.command)
    program = shutil.which(command[0], path=search_path()) or shutil.which(command[0])
    if walls.sealed:
        shown = [path for path in (*map(expanded, script.readable), *_beside(program)) if Path(path).exists()]
        mounts = (Mount(str(worktree), work, writable=True), *(Mount(path, path) for path in shown))
        seen = View(mounts, work, {**of_slot(slot.gpu, "wall"), **environment}, device_files(slot), at_home=at_home)
        command = enclose(walls, seen, [program or command[0], *command[1:]])
    return replace(
        _common(context, run, slot),
        train_command=command,
        env=environment,
        budget_seconds=script.timeout_seconds,
        protected={path: str(originals_of(context, run.id) / path) for path in script.protected},
        program=script.program,
        code=list(script.editable),
        data=[expanded(path) for path in script.readable],
        known_facts={**versions(), "device": device_kind(slot), "command": shlex.join(script.command)},
        at_home={} if walls.sealed else at_home,
        limits=replace(_limits(context), grace_seconds=0.0),
    )


def _at_home(readable: Iterable[str]) -> dict[str, str]:
    """What of it is in a person's home, by its path from there, so that a run whose home is another finds it by `~`."""
    found: dict[str, str] = {}
    for path in sorted(map(Path, readable)):  # who holds another comes before it
        if path.is_relative_to(Path.home()) and path.exists() and not any(map(path.is_relative_to, found.values())):
            found[str(path.relative_to(Path.home()))] = str(path)
    return found


def expanded(path: str) -> str:
    return str(Path(path).expanduser())


def _beside(program: str | None) -> list[str]:
    """A program that stands where the sandbox shows nothing, and what it is a link to."""
    if program is None or str(Path(program).parent) in search_path().split(":"):
        return []
    return list(dict.fromkeys([program, str(Path(program).resolve())]))


def _common(context: Context, run: Run, slot: Slot) -> RunSpec:
    """What every kind of run has."""
    return RunSpec(
        run_id=run.id,
        marker=marker_of(context, run.id),
        run_dir=str(context.lab.run_directory(run.id)),
        worktree=str(worktree_of(context, run.id)),
        train_command=[],
        score_command=None,
        env={},
        score_env={},
        seed=run.seed,
        clock="wall",
        budget_seconds=0.0,
        slot=slot.name,
        gpu=slot.gpu,
        sandbox=context.walls.kind,
    )


def _limits(context: Context) -> Limits:
    run = context.settings.run
    return Limits(
        startup_seconds=run.startup_seconds,
        grace_seconds=run.grace_seconds,
        hang_seconds=run.hang_seconds,
        scoring_seconds=run.scoring_seconds,
        memory_bytes=int(run.memory_gib * 2**30) or None,
        log_bytes=run.log_kib * 1024,
        output_bytes=int(run.disk_gib * 2**30),
    )
