"""The verbs that make, start and stop a lab, and run one headless: init, start, stop, run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from argparse import Namespace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from orchestrator.actor import who
from orchestrator.cli.asking import ask
from orchestrator.cli.hints import for_lab
from orchestrator.cli.saying import say
from orchestrator.errors import LabError, UsageError
from orchestrator.lab import DaemonIdentity, Lab, daemon_of, find_lab
from orchestrator.neighbours import labs_at_work, told
from orchestrator.settings import read_settings
from orchestrator.starting import start as start_daemon
from orchestrator.store.reader import Reader
from orchestrator.targets.recognition import Wishes
from orchestrator.targets.target import Direction

STOP_LOOK_SECONDS = 0.2
END_PATIENCE_SECONDS = 60.0


def init(words: Namespace) -> int:
    from orchestrator.create import create_lab  # each verb brings what it needs itself

    root = Path(words.place).expanduser().resolve()
    wishes = _wishes(words)
    if words.source is None and not wishes.silent:
        raise UsageError("The --target options describe another repository.", "Name it: --from REPO.")
    if words.progress_json:
        return _init_for_a_program(root, words.profile, words.source, wishes)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),  # elsewhere all that is left of it is an empty line
    ) as bar:
        task = bar.add_task("preparing", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=escape(stage), completed=done, total=total or None)

        made = asyncio.run(create_lab(root, words.profile, words.source, wishes, show))
    for note in made.notes:
        say(note)
    say(f"The lab {made.lab.root} is ready. {for_lab('Open it with `autolab-tui`.', made.lab)}")
    return 0


def _wishes(words: Namespace) -> Wishes:
    return Wishes(
        command=words.target_command,
        editable=tuple(words.target_editable),
        protected=tuple(words.target_protected),
        metric=words.target_metric,
        direction=Direction(words.target_direction) if words.target_direction else None,
        progress=words.target_progress,
        budget_seconds=words.target_budget,
        timeout_seconds=words.target_timeout,
    )


def _init_for_a_program(root: Path, profile: str, source: str | None, wishes: Wishes) -> int:
    """Progress, and an error if there is one, as JSON lines."""
    from orchestrator.create import create_lab

    def show(stage: str, done: int, total: int) -> None:
        print(json.dumps({"stage": stage, "done": done, "total": total}), flush=True)

    try:
        asyncio.run(create_lab(root, profile, source, wishes, show))
    except LabError as error:
        print(json.dumps({"error": error.sentence, "remedy": error.remedy}), flush=True)
        return 1
    return 0


def start(words: Namespace) -> int:
    lab = find_lab(words.lab)
    alive = daemon_of(lab)
    if alive is not None and any(order.verb == "stop" for order in ask(lab, Reader.waiting_commands)):
        if asyncio.run(_called_off(lab)):
            say("The stop is called off; the lab goes on.")
            return 0
        say("The lab is about to end; it is started again then.", to=sys.stderr)
        alive = _wait_for_the_end(lab)
    if alive is not None:
        say(f"The lab {lab.root} is at work already (process {alive.pid}).")
        return 0
    identity = start_daemon(lab)
    watch = for_lab("Watch it with `autolab-tui`.", lab)
    say(f"The lab {lab.root} is at work (process {identity.pid}). {watch}")
    _tell_of_models(lab)
    _tell_of_neighbours(lab)
    return 0


async def _called_off(lab: Lab) -> bool:
    """Whether the daemon goes on in spite of an order to stop."""
    async with Reader(lab.database) as reader:
        command_id = await reader.post_command("start", {}, who())
        while daemon_of(lab) is not None:
            command = await reader.answer(command_id, timeout=1.0)
            if command.state != "waiting":
                return command.state == "done"
        command = await reader.answer(command_id, timeout=0.0)
        await reader.withdraw_command(command)
        return False


def _wait_for_the_end(lab: Lab) -> DaemonIdentity | None:
    """Of a daemon that ends; the identity of one that is still there after a minute."""
    deadline = time.monotonic() + END_PATIENCE_SECONDS
    while (alive := daemon_of(lab)) is not None and time.monotonic() < deadline:
        time.sleep(STOP_LOOK_SECONDS)
    return alive


def _tell_of_models(lab: Lab) -> None:
    """Each key that an agent will ask for in vain, and that the built-in model will have no idea."""
    from orchestrator.team.keys import keys_not_set
    from orchestrator.team.models import without_ideas

    settings = read_settings(lab.settings_file)
    for sentence in [*keys_not_set(lab, settings, os.environ), *filter(None, [without_ideas(settings)])]:
        say(f"autolab: {for_lab(sentence, lab)}", to=sys.stderr)


def _tell_of_neighbours(lab: Lab) -> None:
    others = labs_at_work(but=lab)
    if others:
        say(told(others))


def stop(words: Namespace) -> int:
    lab = find_lab(words.lab)
    alive = daemon_of(lab)
    if alive is None:
        asyncio.run(_kill_orphans(lab, words.now))
        say("The daemon is not running.")
        return 0
    if ask(lab, Reader.runs_underway):
        killing = "Killing the runs under way; they run again after the next start."
        say(killing if words.now else "Waiting for the runs under way to finish.", to=sys.stderr)
    answer = asyncio.run(_ask_to_stop(lab, words.now))
    say(f"The lab rests: {answer}.")
    return 0


async def _ask_to_stop(lab: Lab, now: bool) -> str:
    async with Reader(lab.database) as reader:
        command_id = await reader.post_command("stop", {"now": now}, who())
        while True:
            command = await reader.answer(command_id, timeout=1.0)
            gone = daemon_of(lab) is None
            if command.state == "refused":
                remedy = "" if command.answer.startswith("called off") else "Try `autolab stop --now`."
                raise LabError(f"The lab has not stopped: {command.answer.removesuffix('.')}.", remedy)
            if gone:
                return command.answer if command.state == "done" else "the daemon ended"
            await asyncio.sleep(STOP_LOOK_SECONDS)


async def _kill_orphans(lab: Lab, now: bool) -> None:
    """With the daemon down, `stop --now` still ends the runs that outlived it."""
    if not now:
        return
    async with Reader(lab.database) as reader:
        underway = await reader.runs_underway()
        for run in underway:
            await reader.post_command("kill", {"id": run.experiment_id, "run": run.id}, who())
    if underway:
        from orchestrator.daemon import answer_alone

        await answer_alone(lab)


def run(words: Namespace) -> int:
    from orchestrator.cli.watching import watch
    from orchestrator.daemon import serve
    from orchestrator.engine.engine import Ending

    lab = find_lab(words.lab)
    alive = daemon_of(lab)
    if alive is not None:
        raise LabError(
            f"The lab {lab.root} is at work already (process {alive.pid}).",
            "Watch it with `autolab-tui`, or end it with `autolab stop`.",
        )
    begin = time.monotonic()
    _tell_of_models(lab)
    _tell_of_neighbours(lab)
    console = Console(highlight=False, soft_wrap=True)

    async def work() -> Ending:
        watcher = asyncio.create_task(watch(lab, words.experiments, console))
        try:
            return await serve(lab, "run", words.experiments, console.print)
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    ending = asyncio.run(work())
    minutes = (time.monotonic() - begin) / 60
    say(f"{ending.reason[:1].upper()}{ending.reason[1:]} ({minutes:.1f} min).")
    return 0 if ending.complete else 1
