"""The verbs that change something: each leaves a command, and tells the daemon's answer."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import Namespace
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from orchestrator.actor import who
from orchestrator.cli.hints import for_lab
from orchestrator.cli.saying import say
from orchestrator.errors import LabError, UsageError
from orchestrator.given import experiment_number, is_digits, require_one
from orchestrator.history import read_results
from orchestrator.lab import Lab, daemon_of, find_lab
from orchestrator.patches.offline import OFFLINE_WORKERS, only_offline_workers
from orchestrator.runs.log_text import inert
from orchestrator.settings import read_settings
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command, Experiment
from orchestrator.store.states import State
from orchestrator.undoable import given_with, not_begun, refuse_in_hand, require_last

PATIENCE_SECONDS = 60.0
MOST_FILE_BYTES = 16 * 2**20


def send(lab: Lab, verb: str, arguments: dict[str, Any]) -> str:
    """The answer to a command. With no daemon alive, this process answers it under the lab's lock.

    Raises LabError when it is refused.
    """
    command = asyncio.run(_send(lab, verb, arguments))
    match command.state:
        case "done":
            return for_lab(command.answer, lab)
        case "refused":
            raise LabError(command.answer)
        case _:
            raise LabError(
                f"The daemon has not answered within {PATIENCE_SECONDS:.0f} s; the command stays in its inbox.",
                "Look at `autolab status`.",
            )


async def _send(lab: Lab, verb: str, arguments: dict[str, Any]) -> Command:
    async with Reader(lab.database) as reader:
        command_id = await reader.post_command(verb, arguments, who())
        for _ in range(3):  # a daemon may come or go in between
            if daemon_of(lab) is not None:
                return await reader.answer(command_id, PATIENCE_SECONDS)
            try:
                from orchestrator.daemon import answer_alone  # brings the engine, which is not needed beside a daemon

                await answer_alone(lab)
            except LabError as error:
                if "is held by" not in error.sentence:
                    raise
            command = await reader.answer(command_id, 1.0)
            if command.state != "waiting":
                return command
        return await reader.answer(command_id, PATIENCE_SECONDS)


def _tell(answer: str) -> int:
    say(f"{answer[:1].upper()}{answer[1:]}.")
    return 0


def pause_or_resume(words: Namespace) -> int:
    meant, words.lab = _meant_and_lab(words.words)
    if "id" in meant and words.lab is not None:
        require_one(words.verb, words.lab)
    return _tell(send(find_lab(words.lab), words.verb, meant))


def _meant_and_lab(words: list[str]) -> tuple[dict[str, Any], str | None]:
    """`[ID | AGENT] [LAB]`: a word alone is a lab where one has that path, else who is meant."""
    match words:
        case []:
            return {}, None
        case [only] if not is_digits(only) and Path(only).expanduser().exists():
            return {}, only
        case [only]:
            return _meant(only), None
        case [first, second]:
            return _meant(first), second
        case _:
            raise UsageError("Too many words.", "It takes [ID | AGENT] [LAB].")


def _meant(word: str) -> dict[str, Any]:
    return {"id": experiment_number(word)} if is_digits(word) else {"agent": word}


def on_experiment(words: Namespace) -> int:
    more = {"off": True} if getattr(words, "off", False) else {}
    return _tell(send(find_lab(words.lab), words.verb, {"id": words.id, **more}))


def priority(words: Namespace) -> int:
    return _tell(send(find_lab(words.lab), "priority", {"id": words.id, "value": words.value}))


def message(words: Namespace) -> int:
    if words.lab is not None and not Path(words.lab).exists():
        raise UsageError(
            f"There is no lab {words.lab}.", f"Quote the text: autolab message {words.agent} 'TEXT' [LAB]."
        )
    text = words.text if words.text != "-" else _read_text("-", "The message", "Give it as text.")
    return _tell(send(find_lab(words.lab), "message", {"agent": words.agent, "text": text}))


def add(words: Namespace) -> int:
    lab = find_lab(words.lab)
    given: dict[str, Any] = {"title": words.title, "hypothesis": words.hypothesis}
    if words.patch is not None:
        given["patch"] = _patch(words.patch)
    if words.source is not None:
        given["source"] = words.source
    if words.priority is not None:
        given["priority"] = words.priority
    number = int(send(lab, "add", given))
    experiment = asyncio.run(_experiment(lab, number))
    if experiment is not None and experiment.state is State.REJECTED:
        say(f"autolab: Experiment {number} will not run: {experiment.reason}", to=sys.stderr)
    elif experiment is not None and words.patch is not None:
        from orchestrator.patches.submitting import caution

        if warning := caution(experiment.reason):
            say(f"autolab: Experiment {number} is ready{warning}.", to=sys.stderr)
    elif words.patch is None and asyncio.run(_only_offline(lab)):
        say(f"autolab: A worker is to make the patch, but {OFFLINE_WORKERS}.", to=sys.stderr)
    say(json.dumps({"id": number}) if words.json else number)
    return 0


def _patch(name: str) -> str:
    patch = _read_text(name, "The patch", "Name a file with a unified diff.")
    if not patch.strip():
        raise LabError(f"The patch in {name} is empty.", "Name a file with a unified diff.")
    return patch


def requeue(words: Namespace) -> int:
    given: dict[str, Any] = {"id": words.id}
    if words.patch is not None:
        given["patch"] = _patch(words.patch)
    for name in ("title", "hypothesis"):
        if getattr(words, name) is not None:
            given[name] = getattr(words, name)
    return _tell(send(find_lab(words.lab), "requeue", given))


def undo(words: Namespace) -> int:
    lab = find_lab(words.lab)

    async def taken_back() -> list[str]:
        """Orders that wait for a daemon, as no room or command line was there to carry them out."""
        async with Reader(lab.database) as reader:
            orders = await not_begun(reader, who()) if daemon_of(lab) is None else []
            return [order.called for order in orders if await reader.withdraw_command(order)]

    async def last() -> list[int]:
        """What was ordered last, with all that was ordered at once with it, newest first."""
        async with Reader(lab.database) as reader:
            await refuse_in_hand(reader, who())
            try:
                return [one.command.id for one in await given_with(reader, await require_last(reader, who()))]
            except LabError as error:
                with suppress(LabError):
                    older = await require_last(reader, who(), further=True)
                    raise LabError(str(error), f"z in the room goes further back, to {older.what}.") from None
                raise

    if withdrawn := asyncio.run(taken_back()):
        for what in withdrawn:
            _tell(f"{what} is taken back; it waited for the daemon, and nothing was done yet")
        return 0
    for order in asyncio.run(last()):
        _tell(send(lab, "undo", {"command": order}))
    return 0


def set_key(words: Namespace) -> int:
    return _tell(send(find_lab(words.lab), "set", {"key": words.key, "value": words.value}))


def import_results(words: Namespace) -> int:
    name, lab = _file_and_lab(words.words)
    text = _read_text(name, "The results", "Name a results.tsv.")
    found = find_lab(lab)
    maximised = read_settings(found.settings_file).target.direction == "maximise"
    read_results(text, name, maximised)  # a broken file is told here, before anything is left for the daemon
    return _tell(send(found, "import", {"name": inert(name), "text": text}))


def _file_and_lab(words: list[str]) -> tuple[str, str | None]:
    """`[LAB] FILE`, and the other way round where the words leave no doubt."""
    match words:
        case [only]:
            return only, None
        case [first, second] if Path(first).is_file() and Path(second).is_dir():
            return first, second
        case [first, second]:
            return second, first
        case _:
            raise UsageError("Too many words.", "It takes [LAB] FILE.")


async def _experiment(lab: Lab, number: int) -> Experiment | None:
    async with Reader(lab.database) as reader:
        return await reader.experiment(number)


async def _only_offline(lab: Lab) -> bool:
    async with Reader(lab.database) as reader:
        return await only_offline_workers(reader)


def _read_text(name: str, what: str, remedy: str) -> str:
    """A text file that a person names; - is standard input."""
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).expanduser().open("rb") as file:
            content = file.read(MOST_FILE_BYTES + 1)
        if len(content) > MOST_FILE_BYTES:
            raise LabError(f"{what} in {name} cannot be read: more than {MOST_FILE_BYTES // 2**20} MiB.", remedy)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LabError(f"{what} in {name} cannot be read: it is no UTF-8 text (byte {error.start}).", remedy) from error
    except OSError as error:
        raise LabError(f"{what} in {name} cannot be read ({error.strerror}).", remedy) from error
