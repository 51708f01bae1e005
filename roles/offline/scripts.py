"""What the offline model does in each role: rules that look at the conversation and choose the next calls."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from roles.chat import Message
from roles.offline.catalogue import CATALOGUE, idea_of
from roles.offline.constants import with_constant
from roles.offline.lessons import lesson, silent
from roles.offline.planning import plan
from roles.offline.transcript import Block, Call, Turn, blocks, brief_of, calls, last_answer, make
from roles.offline.tuner import SOURCE, Move, Tuner, move_of

MOST_ADDED_LINES = 120


def next_turn(messages: Sequence[Message], tools: set[str], seed: int) -> Turn:
    """The next turn of whichever role has these tools."""
    made, brief = calls(messages), brief_of(messages)
    if "propose" in tools:
        return research(brief, made, seed)
    if "queue" in tools:
        return plan(brief, made, tools)
    if "submit_patch" in tools:
        return patch(brief, made, tools)
    if "approve" in tools:
        return review(brief, made)
    if "hand_over" in tools:
        return hand_over(brief, made, tools)
    return report(made)


# -- researcher


def research(brief: str, made: list[Call], seed: int) -> Turn:
    """The next ideas of the catalogue that fit today's train.py, then the tuner's moves."""
    if last_answer(made, "list_experiments") is None:
        return Turn(
            "I look at what was tried and at today's train.py.",
            (make("list_experiments", 1, limit=5000), make("read_file", 2, path="train.py")),
        )
    wanted = int(found.group(1)) if (found := re.search(r"Propose (\d+) new", brief)) else 3
    proposed = [call for call in made if call.name == "propose"]
    accepted = sum("is proposed" in call.answer for call in proposed)
    missing = wanted - accepted
    if missing <= 0 or len(proposed) > 4 * wanted:
        return Turn("That is enough for now.", (make("finish", 1000, summary=f"{accepted} experiments proposed"),))
    known = json.loads(last_answer(made, "list_experiments") or "{}")
    source = last_answer(made, "read_file") or ""
    taken = {str(entry["title"]).lower() for entry in known["experiments"]}
    taken |= {str(call.arguments["title"]).lower() for call in proposed}
    new = new_proposals(missing, known, source, taken, seed + len(proposed))
    if not new:
        return Turn("I have no further idea.", (make("finish", 1000, summary=f"{accepted} experiments proposed"),))
    number = 100 + len(proposed)
    return Turn(
        f"I propose {len(new)}: " + "; ".join(str(one["title"]) for one in new) + ".",
        tuple(make("propose", number + offset, **one) for offset, one in enumerate(new)),
    )


def new_proposals(count: int, known: dict[str, Any], source: str, taken: set[str], seed: int) -> list[dict[str, Any]]:
    new: list[dict[str, Any]] = []
    for idea in CATALOGUE:
        if len(new) == count:
            return new
        if idea.title.lower() not in taken and idea.apply(source) is not None:
            new.append(
                {
                    "title": idea.title,
                    "hypothesis": idea.hypothesis,
                    "expected": -idea.expected,
                    "source": idea.source,
                    "variable": idea.variable,
                    "edit": f"the catalogue's edit {idea.title!r}",
                }
            )
    profile = str(known["baseline"].get("profile", "cpu"))
    tuner = Tuner(source, profile, seed)
    for move in tuner.next_moves(count - len(new), known["experiments"], taken):
        new.append(
            {
                "title": move.title,
                "hypothesis": f"By what earlier moves of the constants did, {move.name} = {move.new} may do better.",
                "source": SOURCE,
                "variable": move.name,
                "edit": f"Set {move.name} to {move.new} for profile {profile}",
            }
        )
    return new


# -- worker


def patch(brief: str, made: list[Call], tools: set[str]) -> Turn:
    """Apply the catalogue's edit, or set the constant; give up on anything else, and say why."""
    found = blocks(brief)
    if not found:
        return _give_up("the brief holds no experiment")
    block = found[0]
    source = last_answer(made, "read_file")
    if source is None:
        return Turn("I read train.py.", (make("read_file", 1, path="train.py"),))
    checked = last_answer(made, "check_patch")
    if checked is not None and "would be refused" in checked:
        return _give_up(checked)
    if submitted := last_answer(made, "submit_patch"):
        return _give_up(submitted)
    # In one reply: where the check refuses the patch, the call after it is held back.
    check = (make("check_patch", 3),) if "check_patch" in tools else ()
    if "The tree at hand holds the patches of both already" in brief:
        return Turn("Both are there.", (*check, make("submit_patch", 4, summary=block.title)))
    if edited := last_answer(made, "edit_file"):
        if "is changed" not in edited:
            return _give_up(edited)
        return Turn("The change is made.", (*check, make("submit_patch", 4, summary=block.title)))
    changed = changed_source(block, source)
    if changed is None:
        return _give_up(unable(block))
    old, new = smallest_edit(source, changed)
    return Turn(f"I make the one change: {block.title}.", (make("edit_file", 2, path="train.py", old=old, new=new),))


def _give_up(reason: str) -> Turn:
    return Turn("I cannot make this patch.", (make("give_up", 9, reason=reason[:500]),))


def unable(block: Block) -> str:
    """Why there is no patch for it."""
    if idea_of(block.title) or move_of(block.title) or _ORDER.search(block.edit):
        return "offline and rule-based, I find that this idea does not fit today's train.py"
    return (
        "offline and rule-based, I can only apply my catalogue's ideas and set constants, and this is neither: it needs"
        " a patch by hand, or a language model"
    )


_ORDER = re.compile(r"Set ([A-Z][A-Z0-9_]*) to ([-+.\deE]+)(?: for profile (cpu|gpu))?")


def changed_source(block: Block, source: str) -> str | None:
    """train.py with the block's idea or constant in it; None when neither fits."""
    if idea := idea_of(block.title):
        return idea.apply(source)
    order = _ORDER.search(block.edit)
    move: Move | None = move_of(block.title)
    if order is not None:
        name, text, profile = order.group(1), order.group(2).rstrip("."), order.group(3) or "cpu"
    elif move is not None:
        name, text, profile = move.name, move.new, "cpu"
    else:
        return None
    changed = with_constant(source, name, text, profile)
    return None if changed == source else changed


def smallest_edit(source: str, changed: str) -> tuple[str, str]:
    """The lines from the first to the last that differ, widened until the old ones occur exactly once."""
    old, new = source.splitlines(keepends=True), changed.splitlines(keepends=True)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    while True:
        piece = "".join(old[head : len(old) - tail])
        # From either end the same place: `count` would pass over occurrences that overlap.
        once = piece and source.find(piece) == source.rfind(piece)
        if once or (head == 0 and tail == 0):
            return piece, "".join(new[head : len(new) - tail])
        head, tail = max(0, head - 1), max(0, tail - 1)


# -- reviewer


def review(brief: str, made: list[Call]) -> Turn:
    """Refuse repetitions, several constants at once, and patches that are too large to be one idea."""
    if last_answer(made, "list_experiments") is None:
        return Turn("I compare it with what was tried.", (make("list_experiments", 1, limit=5000),))
    found = blocks(brief)
    block = found[0] if found else None
    known = json.loads(last_answer(made, "list_experiments") or "{}")["experiments"]
    diff = brief.split("```diff\n", 1)[-1].split("\n```", 1)[0]
    if block is not None:
        for entry in known:
            if entry["id"] < block.id and entry["title"].lower() == block.title.lower() and entry["state"] != "dropped":
                return _reject(f"repeats experiment {entry['id']} ({entry['state']})")
    added = [line[1:] for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    removed = [line[1:] for line in diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    if not added and not removed:
        return _reject("changes nothing")
    if len(added) > MOST_ADDED_LINES:
        return _reject(f"adds {len(added)} lines, which is more than one idea")
    moved = sorted(_names(added) & _names(removed))
    if len(moved) > 1:
        return _reject(f"changes {len(moved)} constants at once ({', '.join(moved)})")
    return Turn("One change, and a new one.", (make("approve", 2, reason="one change, not tried before"),))


def _names(lines: list[str]) -> set[str]:
    return {match.group(1) for line in lines if (match := re.match(r"([A-Z][A-Z0-9_]*) = ", line))}


def _reject(reason: str) -> Turn:
    return Turn("This should not run.", (make("reject", 2, reason=reason),))


def hand_over(brief: str, made: list[Call], tools: set[str]) -> Turn:
    """Wins, losses and failures by variable; what shares a variable with a win goes first. Each gets its lesson."""
    answer = last_answer(made, "list_experiments")
    if answer is None:
        return Turn("I read what the wave brought.", (make("list_experiments", 1, limit=200),))
    known = json.loads(answer)
    entries = _ideas(known["experiments"])
    won = [entry for entry in entries if entry["state"] == "promoted"]
    lost = [entry for entry in entries if entry["state"] in ("discarded", "not_confirmed")]
    failed = [entry for entry in entries if entry["state"] in ("crashed", "invalid", "lost")]
    variables = {entry["variable"] for entry in won}
    wishes = [
        {
            "id": entry["id"],
            "priority": (_hope(entry["title"])) + 20,
            "reason": f"{entry['variable']} has brought a gain already",
        }
        for entry in entries
        if entry["state"] in ("proposed", "queued", "ready") and entry["variable"] in variables
    ]
    findings = " ".join(
        (
            f"Baseline {_bpb(known['baseline']['val_bpb'])}.",
            f"Won: {_titles(won) or 'nothing yet'}.",
            f"No gain beyond noise: {_titles(lost) or 'nothing yet'}.",
            f"Failed: {_titles(failed) or 'nothing'}.",
        )
    )
    told = [call for call in made if call.name == "lesson"]
    by_id, noise = {entry["id"]: entry for entry in entries}, known["baseline"].get("noise")
    lessons = [
        make("lesson", 10 + number, id=number, lesson=lesson(by_id[number], noise))
        for number in (silent(brief) if "lesson" in tools and not told else [])
        if number in by_id
    ]
    handed = make("hand_over", 2, findings=findings, priorities=wishes)
    return Turn("I write down what each result teaches, and hand over.", (*lessons, handed))


def _ideas(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the measurements of master with a win taken out: they are no ideas that failed."""
    return [entry for entry in entries if not str(entry.get("source", "")).startswith("reversal of experiment")]


def _hope(title: str) -> int:
    idea = idea_of(title)
    return 0 if idea is None else round(100 * idea.expected)


# -- reporter


def report(made: list[Call]) -> Turn:
    """The state of the research in three paragraphs."""
    answer = last_answer(made, "list_experiments")
    if answer is None:
        return Turn("I read the results.", (make("list_experiments", 1, limit=5000),))
    known = json.loads(answer)
    entries, baseline = _ideas(known["experiments"]), known["baseline"]
    won = sorted((e for e in entries if e["state"] == "promoted"), key=lambda e: e["delta"] or 0.0)
    near = [e for e in entries if e["state"] == "not_confirmed"]
    lost = [e for e in entries if e["state"] == "discarded"]
    wrong = [e for e in entries if e["state"] in ("crashed", "invalid", "lost", "given_up")]
    return Turn(
        "I report.",
        (
            make(
                "report",
                2,
                open_questions="\n".join(f"Is {e['title']} ({e['id']}) more than noise?" for e in near[:5]),
                works=f"Master stands at {_bpb(baseline['val_bpb'])}. Merged: {_gains(won) or 'nothing yet'}.",
                does_not_work=f"No gain beyond noise: {_gains(lost) or 'nothing yet'}."
                f" A first gain did not last: {_gains(near) or 'nothing'}.",
                looks_wrong="; ".join(f"{e['id']} {e['title']}: {e['reason'] or e['state']}" for e in wrong)
                or "Nothing.",
            ),
        ),
    )


def _bpb(value: float | None) -> str:
    return "a baseline that is still being measured" if value is None else f"{value:.4f}"


def _titles(entries: list[dict[str, Any]]) -> str:
    return ", ".join(str(entry["title"]) for entry in entries[:20])


def _gains(entries: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"{entry['title']} ({entry['delta']:+.4f})" if entry["delta"] is not None else str(entry["title"])
        for entry in entries[:20]
    )
