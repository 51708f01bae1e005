"""The verbs of a review: the wins in order, what happened lately, a patch as a file, a change on another branch."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.cli.asking import ask, print_json
from orchestrator.cli.changing import send
from orchestrator.cli.saying import say
from orchestrator.cli.tables import print_rows, print_table
from orchestrator.columns import Column
from orchestrator.figures import figure
from orchestrator.lab import find_lab
from orchestrator.review.exporting import write_patch
from orchestrator.review.morning import Morning, morning_of
from orchestrator.review.wins import Win, moved, require_patch, wins_of, worth
from orchestrator.store.ablations import ABLATION, MERGED
from orchestrator.store.records import to_the_minute
from orchestrator.store.states import State, in_words

WIN_COLUMNS = (
    Column("order", 5, right=True, rank=2),
    Column("id", 4, right=True),
    Column("val_bpb", 7, right=True),
    Column("gain", 7, right=True),
    Column("review", 12, share=1),
    Column("title", 24, share=2),
)


def review(words: Namespace) -> int:
    wins = ask(find_lab(words.lab), wins_of)
    if words.json:
        print_json([win_json(win) for win in wins])
        return 0
    if not wins:
        say("Master has taken no change yet.")
        return 0
    rows = []
    for win in wins:
        one, entry = win.experiment, win_json(win)
        gain = "-" if entry["gain"] is None else figure(entry["gain"], "+.4f")
        rows.append((win.order, one.label, figure(one.val_bpb or 0.0), gain, _decided(win), one.title))
    print_table(WIN_COLUMNS, rows)
    return 0


def _decided(win: Win) -> str:
    """What people have decided about it, and what it measures as worth."""
    return ", ".join(said for said in (moved(win) or _accepted(win), worth(win)) if said)


def _accepted(win: Win) -> str:
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
        "takes_out": one.reverses if win.is_revert and not win.is_return else None,
        "puts_back": one.puts_back,
        "measured_without": [
            {
                "id": other.experiment.id,
                "state": str(other.experiment.state),
                "worth": other.experiment.delta,
                "on": other.on,
            }
            for other in win.left_out
        ],
    }


def morning(words: Namespace) -> int:
    lab = find_lab(words.lab)
    since = datetime.now(UTC) - timedelta(hours=words.hours)
    at = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = ask(lab, lambda reader: morning_of(reader, at))
    if words.json:
        print_json(morning_json(told))
        return 0
    then, now = (figure(value) if value is not None else "-" for value in (told.best_then, told.best_now))
    rows: list[tuple[object, ...]] = []
    rows.append(("since", _since(told, words.hours)))
    rows.append(("best", f"{then} -> {now}"))
    for win in told.merged:
        one, word = win.experiment, _merged_as(win)
        gain = "-" if one.delta is None else f"gain {figure(-one.delta, '+.4f')}"
        of = one.puts_back or one.reverses if win.is_revert else None  # the win that it moves
        rows.append((word, of or one.label, gain, one.title + f" ({one.label})" * win.is_revert))
    for one in told.own:
        rows.append(("own", one.label, in_words(one.state), one.title, one.why))
    for one in told.measured:
        rows.append((ABLATION, one.label, one.title, one.why))
    no_wins = {State.PROMOTED: len(told.merged) - len(told.wins)}  # they are listed above
    for state, number in told.outcomes.items():
        if number > no_wins.get(state, 0):
            word = MERGED if state is State.PROMOTED else in_words(state)
            rows.append(("ended", f"{number - no_wins.get(state, 0)} {word}"))
    if told.measured:
        rows.append(("ended", f"{len(told.measured)} {ABLATION}"))
    for name, share in told.slots.items():
        rows.append(("slot", name, f"{share:.0%} busy"))
    rows.append(("spent", f"{told.tokens} tokens", f"{told.money:.2f}"))
    for note in told.learned:
        rows.append((note.kind, to_the_minute(note.at), note.text.strip()))
    for event in told.anomalies:
        rows.append(("anomaly", to_the_minute(event.at), event.reason))
    for one in told.next:
        rows.append(("next", one.label, in_words(one.state), one.title))
    print_rows(rows)
    return 0


def _merged_as(win: Win) -> str:
    if win.is_return:
        return "put back"
    return "taken out" if win.is_revert else "merged"


def _since(told: Morning, hours: float) -> str:
    """How far back it goes; a lab that is younger is told of from its beginning."""
    if told.began is None or not told.whole:
        return f"{to_the_minute(told.since)} UTC, the last {hours:g} h"
    ago = f"{told.age / 3600:.0f} h" if told.age >= 3600 else f"{told.age / 60:.0f} min"
    return f"the lab began, {ago} ago ({to_the_minute(told.began)} UTC)"


def morning_json(told: Morning) -> dict[str, Any]:
    """`autolab morning --json`."""
    return {
        "since": told.since,
        "now": told.now,
        "best_then": told.best_then,
        "best_now": told.best_now,
        "wins": [win_json(win) for win in told.wins],
        "reverts": [win_json(win) for win in told.reverts],
        "returns": [win_json(win) for win in told.returns],
        "outcomes": {str(state): number for state, number in told.outcomes.items()},
        "own": [{"id": one.id, "title": one.title, "state": str(one.state), "reason": one.reason} for one in told.own],
        "measured": [{"id": one.id, "title": one.title, "reason": one.reason} for one in told.measured],
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
    say(write_patch(lab, experiment, Path(words.out).expanduser() if words.out else None))
    return 0


def pick(words: Namespace) -> int:
    answer = send(find_lab(words.lab), "pick", {"id": words.id, "onto": words.base})
    say(f"{answer[:1].upper()}{answer[1:]}.")
    return 0
