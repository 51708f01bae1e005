"""The wins as a person reviews them: rows, a count and the facts of one. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.columns import Column
from orchestrator.figures import figure
from orchestrator.review.wins import Score, Win, moved, worth
from orchestrator.store.states import ENDED, State, in_words
from tui.present import Cell, age, difference, plain, score
from tui.tones import Line, Said, Tone, fit

WIN_COLUMNS = (
    Column("#", 3, right=True),
    Column("", 1),
    Column("id", 4, right=True),
    Column("title", 22, share=6, most=64),
    Column("before", 6, right=True, rank=4, above=74),
    Column("after", 6, right=True),
    Column("±", 6, right=True, rank=5, above=74),
    Column("gain", 7, right=True),
    Column("vault", 6, right=True, rank=3),
    Column("cost", 6, right=True, rank=6),
    Column("review", 14, share=2, most=30, rank=2, above=74),
)
ACCEPTED, OPEN, OUT = "✓", "·", "×"  # noqa: RUF001


def mark(win: Win) -> Said:
    """One sign for what people have decided of it; the words stand in the column `review`."""
    if win.is_revert:
        return Said(" ")
    if win.taken_out is not None:
        return Said(OUT, Tone.WARN)
    return Said(ACCEPTED, Tone.GOOD) if win.accepted is not None else Said(OPEN, Tone.DIM)


def review_word(win: Win) -> str:
    """What people have decided of a win, in a few words."""
    if word := moved(win):
        return word
    return f"by {win.accepted.actor}" if win.accepted is not None else "to review"


def win_cells(win: Win) -> tuple[Cell, ...]:
    gain = -win.experiment.delta if win.experiment.delta is not None else None
    return (
        Said(str(win.order), Tone.DIM),
        mark(win),
        Said(win.experiment.label, Tone.DIM),
        Said(_title(win), Tone.STRONG),
        Said(score(win.before.mean), Tone.DIM),
        Said(score(win.experiment.val_bpb)),
        Said(error(win.score), Tone.DIM),
        Said(difference(gain), Tone.GOOD if gain is not None and gain > 0 else Tone.WARN),
        Said(score(win.vault) if win.vault is not None else "", Tone.DIM),
        Said(f"{win.slot_seconds:.0f} s", Tone.DIM),
        Said(review_word(win), Tone.DIM),
    )


def _title(win: Win) -> str:
    kind = f"[{win.experiment.promoted_as}] " if win.experiment.promoted_as else ""
    return kind + plain(win.experiment.title)


def error(side: Score) -> str:
    return "" if side.error is None else f"±{figure(side.error, '.3f')}"


def decided(wins: Sequence[Win]) -> int:
    """How many a person has decided about: accepted, or taken out again."""
    return sum(win.accepted is not None or win.taken_out is not None for win in wins if not win.is_revert)


def no_wins(wins: Sequence[Win]) -> str:
    """What else master took by a person's decision: `, 2 taken out, 1 put back`."""
    back = sum(win.is_return for win in wins)
    out = sum(win.is_revert for win in wins) - back
    return f", {out} taken out" * bool(out) + f", {back} put back" * bool(back)


def list_title(wins: Sequence[Win]) -> str:
    """Of the list."""
    return f"1 wins {sum(not win.is_revert for win in wins)}" + no_wins(wins)


def reviewed(wins: Sequence[Win]) -> str:
    if not wins:
        return "no wins yet"
    return f"{decided(wins)} of {sum(not win.is_revert for win in wins)} reviewed" + no_wins(wins)


def first_open(wins: Sequence[Win]) -> str | None:
    """The key of the first row that nobody has decided about."""
    undecided = [win for win in wins if win.accepted is None and win.taken_out is None and not win.is_revert]
    return str(undecided[0].experiment.id) if undecided else None


def heading(wins: Sequence[Win], width: int) -> Line:
    told = reviewed(wins)
    gain = figure(-sum(win.experiment.delta or 0.0 for win in wins if win.stands), "+.4f")
    words = f"  {told}" + (f"   gain together {gain}" if wins else "")
    if wins and len(words) + 6 > width:
        words = f"  {told}, gain {gain}"
    title = fit("review", max(6, width - len(words))) if len(words) + 6 > width else "review"
    return [Said(title, Tone.STRONG), Said(fit(words, max(0, width - len(title))).rstrip(), Tone.DIM)]


def side(one: Score) -> str:
    """`2.6934 ±0.006, 3 runs`."""
    if one.mean is None:
        return "not measured"
    runs = f"{one.runs} run{'s' if one.runs != 1 else ''}"
    return f"{figure(one.mean)} {error(one)}".strip() + f", {runs}"


def win_facts(win: Win) -> list[tuple[str, str]]:
    """What stands beside the diff, as (name, words)."""
    one = win.experiment
    base = f" (experiment {win.before_id})" if win.before_id is not None else ""
    gain = difference(-one.delta) if one.delta is not None else "not known"
    believed = f", {figure(win.believed, '+.4f')} believed" if win.believed is not None else ""
    facts = [
        ("after", side(win.score)),
        ("before", side(win.before) + base),
        ("gain", gain + believed),
        (
            "vault",
            "; ".join(part for part in (score(win.vault) if win.vault is not None else "", win.vault_said) if part),
        ),
        ("cost", f"{win.slot_seconds:.0f} slot seconds in {win.runs} run{'s' if win.runs != 1 else ''}"),
        ("source", one.source),
        ("by", _by(win)),
        ("review", _review(win)),
        ("without", without(win)),
        ("why", one.why),
    ]
    return [(name, plain(words)) for name, words in facts if words.strip()]


def decided_line(win: Win, width: int) -> Line:
    """For a small screen: what was decided, and what else is known of its gain."""
    vault = f"vault {score(win.vault)}" if win.vault is not None else ""
    believed = f"{figure(win.believed, '+.4f')} believed" if win.believed is not None else ""
    parts = [review_word(win) + _way_back(win), worth(win), believed, vault]
    return [Said(fit("  ".join(part for part in parts if part), width), Tone.DIM)]


def scores_line(win: Win, width: int) -> Line:
    """For a small screen: both sides of the comparison, and where the idea is from."""
    words = f"{side(win.score)}  before {side(win.before)}  {plain(win.experiment.source)}"
    return [Said(fit(words, width), Tone.DIM)]


def _by(win: Win) -> str:
    one = win.experiment
    team = f" of team {one.team}" if one.team else ""
    return f"{one.author}{team}" + (f", patched by {one.role_model}" if one.role_model else "")


def _review(win: Win) -> str:
    if win.accepted is None or win.taken_out is not None or win.is_revert:
        told = review_word(win) + _way_back(win)
        return f"{told}; {_accepted(win)}" if win.accepted is not None else told
    return _accepted(win)


def _accepted(win: Win) -> str:
    return "" if win.accepted is None else f"accepted by {win.accepted.actor} {age(win.accepted.at)} ago"


def _way_back(win: Win) -> str:
    """What puts a win back that is out of master."""
    revert = win.experiment if win.is_revert and not win.is_return else win.taken_out
    if revert is None or revert.state is not State.PROMOTED or revert.taken_out_by is not None:
        return ""
    return f": X on {'this' if revert is win.experiment else revert.id} puts it back"


def without(win: Win) -> str:
    """What measuring master without it has given so far."""
    told = []
    for left_out in win.left_out:
        other = left_out.experiment
        if other.val_bpb is not None and other.delta is not None:
            word = "worth" if other.delta > 0 else "worth nothing:"
            told.append(f"{word} {other.delta:+.4f} {left_out.where} (experiment {other.id})")
        else:
            waits = in_words(other.state)
            told.append(f"experiment {other.id} is {waits}" + ("" if other.state in ENDED else ", not measured yet"))
    return "; ".join(told)
