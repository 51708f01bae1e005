"""One daemon per lab: it holds the lab's lock for life, never forks, and is safe to kill at any instant."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.branches import Repository
from orchestrator.context import Context, Standing
from orchestrator.corpus import own_data, prepare_corpus
from orchestrator.daemon_log import death_lines, start_line
from orchestrator.engine.answering import answer_without_daemon
from orchestrator.engine.engine import Ending, Engine
from orchestrator.errors import LabError
from orchestrator.lab import Lab, LabLock
from orchestrator.marks import DIRECTION
from orchestrator.measurement.conditions import conditions_of
from orchestrator.measurement.protection import check_master
from orchestrator.runs import local_executor
from orchestrator.runs.slots import device_files
from orchestrator.sandbox import needed_walls
from orchestrator.settings import read_settings
from orchestrator.store.records import utc_now
from orchestrator.store.writer import Writer
from orchestrator.targets.target import ScriptTarget, Target


@asynccontextmanager
async def opened(lab: Lab) -> AsyncIterator[Context]:
    """The lab with its lock held: settings read, repository and store open, corpus checked. Raises LabError."""
    settings = read_settings(lab.settings_file)
    repository = await asyncio.to_thread(Repository.open, lab.root)
    lock = LabLock(lab)
    lock.acquire()
    try:
        if settings.optimised().self_reported:
            corpus = own_data(settings.lab.profile)
        else:
            await check_master(repository, settings.target.protected)
            corpus = await asyncio.to_thread(prepare_corpus, settings.lab.profile, check=True)
        slots = None if settings.lab.slots == "auto" else settings.lab.slots
        executor = local_executor(profile=settings.lab.profile, slots=slots)
        nodes = tuple(device_files(executor.slots()[0]))
        walls = await asyncio.to_thread(needed_walls, corpus.library, settings.run.sandbox, nodes)
        async with Writer(lab.database) as store:
            await _check_kind(store, settings.target.kind)
            await _note_direction(store, settings.optimised())
            await _check_data(store, corpus.fingerprint, settings.lab.profile)
            await store.measure_under(conditions_of(settings))
            yield Context(lab, Standing(settings), store, repository, executor, corpus, walls)
    finally:
        lock.release()


async def _check_data(store: Writer, fingerprint: str, profile: str) -> None:
    known = await store.meta("data_fingerprint")
    if not known:  # a new database for an old lab
        await store.set_meta("data_fingerprint", fingerprint)
        await store.set_meta("profile", profile)
    elif known != fingerprint or await store.meta("profile") != profile:
        raise LabError(
            f"The data of profile {profile} is not what this lab was measured on"
            f" (fingerprint {fingerprint[:12]}, the lab has {known[:12]}); scores would not compare.",
            "Use the Python and the data that the lab was made with, or make a new lab.",
        )


async def _check_kind(store: Writer, kind: str) -> None:
    known = await store.meta("target")
    if not known:  # a database from before there were kinds, or a new one
        await store.set_meta("target", kind)
    elif known != kind:
        raise LabError(
            f"This lab was made for a target of kind {known}, and autolab.toml says {kind}; scores would not compare.",
            f'Set kind = "{known}" again, or make a new lab.',
        )


async def _note_direction(store: Writer, target: Target) -> None:
    """For those who read scores; a database from before does not have it."""
    if isinstance(target, ScriptTarget) and await store.meta(DIRECTION) != target.direction:
        await store.set_meta(DIRECTION, target.direction)


async def serve(
    lab: Lab, mode: str, experiments: int | None = None, told: Callable[[str], None] | None = None
) -> Ending:
    """Be the daemon of this lab until it is stopped (or `experiments` have an outcome).

    `told` hears at once what is done about a signal.
    """
    async with opened(lab) as context:
        engine = Engine(context, experiments)
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            words = engine.interrupt(leave=mode == "daemon")
            if told is not None:
                told(words)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, interrupt)

        async def ready() -> None:
            identity = {"pid": os.getpid(), "started_at": utc_now(), "mode": mode}
            temporary = lab.identity_file.with_suffix(".new")
            temporary.write_text(json.dumps(identity))
            os.replace(temporary, lab.identity_file)

        try:
            return await engine.run(ready)
        finally:
            _disown(lab)


def _disown(lab: Lab) -> None:
    """Take the daemon's name away, unless another lab and its daemon are there by now."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        if json.loads(lab.identity_file.read_text())["pid"] == os.getpid():
            lab.identity_file.unlink()


async def answer_alone(lab: Lab) -> None:
    """With no daemon alive: hold the lock for a moment and answer the commands that wait. Raises LabError."""
    async with opened(lab) as context:
        await answer_without_daemon(context)


def main() -> int:
    """`python -m orchestrator.daemon LAB`: what `autolab start` starts."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    lab = Lab(Path(sys.argv[1]))
    print(start_line(), file=sys.stderr, flush=True)
    try:
        ending = asyncio.run(serve(lab, "daemon"))
    except Exception as error:
        print(death_lines(error), file=sys.stderr, flush=True)
        return 1
    print(f"{utc_now()} {ending.reason}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
