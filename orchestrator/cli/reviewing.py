"""The verbs of a review: the wins in order, what happened lately, a patch as a file, a change on another branch."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.cli.asking import ask
from orchestrator.cli.changing import send
from orchestrator.figures import figure
from orchestrator.lab import find_lab
from orchestrator.review.exporting import write_patch
from orchestrator.review.morning import Morning, morning_of
from orchestrator.review.wins import Win, require_patch, wins_of
from orchestrator.store.states import State


def review(words: Namespace) -> int:
    wins = ask(find_lab(words.lab), wins_of)
    if words.json:
        _print_json([win_json(win) for win in wins])
        return 0
    for win in wins:
        one, entry = win.experiment, win_json(win)
        gain = "-" if entry["gain"] is None else figure(entry["gain"], "+.4f")
        print(f"{win.order}\t{one.label}\t{figure(one.val_bpb or 0.0)}\t{gain}\t{_decided(win)}\t{one.title}")
    return 0


def _decided(win: Win) -> str:
    """What people have decided about it."""
    if win.is_revert:
        return f"takes out {win.experiment.reverses}"
    if win.taken_out:
        return "reverted"
    return f"accepted by {win.accepted.actor}" if win.accepted else "to review"


def win_json(win: Win) -> dict[str, Any]:
    """One entry of `autolab review --json`; scores in bits per byte, a gain is positive."""
    one = win.experiment
    return {
        "order": win.order,
        "id": one.id,
        "title": one.title,
        "val_bpb": win.score.mean,
        "error": win.score.error,
        "before": win.before.mean,
        "before_error": win.before.error,
        "gain": None if one.delta is None else -one.delta,
        "believed": win.believed,
        "vault": win.vault,
        "slot_seconds": round(win.slot_seconds, 3),
        "source": one.source,
        "team": one.team,
        "merge": win.merge,
        "merged_at": win.merged_at,
        "accepted_by": win.accepted.actor if win.accepted else None,
        "taken_out_by": win.taken_out.id if win.taken_out else None,
        "takes_out": one.reverses if win.is_revert else None,
    }


def morning(words: Namespace) -> int:
    since = datetime.now(UTC) - timedelta(hours=words.hours)
    at = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = ask(find_lab(words.lab), lambda reader: morning_of(reader, at))
    if words.json:
        _print_json(morning_json(told))
        return 0
    then, now = (figure(value) if value is not None else "-" for value in (told.best_then, told.best_now))
    print(f"best\t{then} -> {now}")
    for win in told.merged:
        one, word = win.experiment, "reverted" if win.is_revert else "merged"
        print(f"{word}\t{one.label}\t{figure(-(one.delta or 0.0), '+.4f')}\t{one.title}")
    for one in told.own:
        print(f"own\t{one.label}\t{one.state}\t{one.title}\t{one.why}")
    for state, number in told.outcomes.items():
        taken = f", {len(told.reverts)} of them reverts" if state is State.PROMOTED and told.reverts else ""
        print(f"ended\t{number} {state}{taken}")
    for name, share in told.slots.items():
        print(f"slot\t{name}\t{share:.0%} busy")
    print(f"spent\t{told.tokens} tokens\t{told.money:.2f}")
    for note in told.learned:
        print(f"{note.kind}\t{note.text.strip()}")
    for event in told.anomalies:
        print(f"anomaly\t{event.at}\t{event.reason}")
    for one in told.next:
        print(f"next\t{one.label}\t{one.state}\t{one.title}")
    return 0


def morning_json(told: Morning) -> dict[str, Any]:
    """`autolab morning --json`."""
    return {
        "since": told.since,
        "now": told.now,
        "best_then": told.best_then,
        "best_now": told.best_now,
        "wins": [win_json(win) for win in told.wins],
        "reverts": [win_json(win) for win in told.reverts],
        "outcomes": {str(state): number for state, number in told.outcomes.items()},
        "own": [{"id": one.id, "title": one.title, "state": str(one.state), "reason": one.reason} for one in told.own],
        "runs": told.runs,
        "slots": told.slots,
        "tokens": told.tokens,
        "money": told.money,
        "learned": [{"by": note.author, "at": note.at, "text": note.text} for note in told.learned],
        "anomalies": [{"at": event.at, "reason": event.reason} for event in told.anomalies],
        "next": [{"id": one.id, "title": one.title, "state": str(one.state)} for one in told.next],
    }


def patch(words: Namespace) -> int:
    lab = find_lab(words.lab)
    experiment = ask(lab, lambda reader: require_patch(reader, words.id))
    print(write_patch(lab, experiment, Path(words.out).expanduser() if words.out else None))
    return 0


def pick(words: Namespace) -> int:
    answer = send(find_lab(words.lab), "pick", {"id": words.id, "onto": words.base})
    print(f"{answer[:1].upper()}{answer[1:]}.")
    return 0


def _print_json(value: object) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
