"""What the offline model does where one conversation does everything: the catalogue's next idea, made, run, read."""

from __future__ import annotations

import json
import re

from roles.offline.scripts import changed_source, new_proposals, smallest_edit, unable
from roles.offline.transcript import Block, Call, Turn, blocks, last_answer, make

LOOKED = ("list_experiments", "read_file")


def everything(brief: str, made: list[Call], seed: int) -> Turn:
    """The next turn, by what the last call was and what was answered."""
    wanted = int(found.group(1)) if (found := re.search(r"Make (\d+) experiments", brief)) else 1
    ended = sum(call.name == "abandon" or _is_result(call) for call in made)
    last = made[-1] if made else None
    number = len(made) + 1
    if last is None:
        # One that came back is begun already: its patch is made from today's file.
        return _read(number) if "is begun again" in brief else _look(number)
    match last.name:
        case "begin_experiment" if "is begun" in last.answer:
            return _read(number)
        case "begin_experiment" | "list_experiments" | "read_file" if _begun(brief, made) is None:
            return _begin(made, seed, number, ended)
        case "read_file":
            return _edit(brief, made, number)
        case "edit_file" if "is changed" in last.answer:
            return Turn("The change is made.", (make("run_experiment", number),))
        case "run_experiment" if "is handed in" in last.answer:
            return Turn("I wait for what comes.", (make("wait_for_result", number),))
        case "edit_file" | "run_experiment":
            return _abandon(last.answer, number)
        case "wait_for_result" if "its run crashed" in last.answer:
            return _abandon("offline and rule-based, I cannot read a traceback", number)
        case "wait_for_result" if "is begun again" in last.answer:
            return _read(number)
        case _ if ended >= wanted:
            return Turn("That is enough for now.", (make("finish", number, summary=f"{ended} experiments made"),))
        case _:
            return _look(number)


def _is_result(call: Call) -> bool:
    return call.name == "wait_for_result" and "comes back" not in call.answer


def _look(number: int) -> Turn:
    return Turn(
        "I look at what was tried and at today's train.py.",
        (make("list_experiments", number, limit=5000), make("read_file", number + 1, path="train.py")),
    )


def _read(number: int) -> Turn:
    return Turn("I read train.py.", (make("read_file", number, path="train.py"),))


def _begin(made: list[Call], seed: int, number: int, ended: int) -> Turn:
    """The first idea that fits today's train.py and was not tried."""
    known = json.loads(last_answer(made, "list_experiments") or "{}")
    source = last_answer(made, "read_file") or ""
    taken = {str(entry["title"]).lower() for entry in known["experiments"]}
    taken |= {str(call.arguments["title"]).lower() for call in made if call.name == "begin_experiment"}
    found = new_proposals(1, known, source, taken, seed + len(made))
    if not found:
        return Turn("I have no further idea.", (make("finish", number, summary=f"{ended} experiments made"),))
    idea = {key: value for key, value in found[0].items() if key != "edit"}
    return Turn(f"I try: {idea['title']}.", (make("begin_experiment", number, **idea),))


def _begun(brief: str, made: list[Call]) -> Block | None:
    """The experiment that is begun and not handed in."""
    begun: Block | None = None
    if "is begun again" in brief and blocks(brief):
        begun = blocks(brief)[0]
    handed: Block | None = None
    for call in made:
        match call.name:
            case "begin_experiment" if "is begun" in call.answer:
                words = {key: str(call.arguments.get(key) or "") for key in ("title", "source", "variable")}
                begun = Block(0, words["title"], words["source"], words["variable"], "", "")
            case "run_experiment" if "is handed in" in call.answer:
                handed, begun = begun, None
            case "abandon":
                begun = None
            case "wait_for_result" if "is begun again" in call.answer:
                begun = handed
    return begun


def _edit(brief: str, made: list[Call], number: int) -> Turn:
    block, source = _begun(brief, made), last_answer(made, "read_file") or ""
    changed = None if block is None else changed_source(block, source)
    if block is None:
        return _abandon("no experiment is at hand", number)
    if changed is None:
        return _abandon(unable(block), number)
    old, new = smallest_edit(source, changed)
    return Turn(
        f"I make the one change: {block.title}.", (make("edit_file", number, path="train.py", old=old, new=new),)
    )


def _abandon(reason: str, number: int) -> Turn:
    return Turn("I cannot make this patch.", (make("abandon", number, reason=reason[:500]),))
