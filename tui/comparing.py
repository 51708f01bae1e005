"""The teams side by side as lines and rows. Pure functions."""

from __future__ import annotations

from orchestrator.columns import Column
from orchestrator.comparison import CONFIDENCE, Comparison, Completion, Estimate, TeamFigures
from tui.present import Cell, amount, plain
from tui.tones import Line, Said, Tone, fit

TEAM_COLUMNS = (
    Column("team", 11, share=2, most=24),
    Column("merged", 9, right=True),
    Column("share", 17, right=True, rank=5, above=96),
    Column("believed gain", 23, right=True, rank=2),
    Column("gain a slot-hour", 23, right=True),
    Column("gain for money", 23, right=True, rank=4, above=110),
    Column("slot-hours", 10, right=True, rank=3, above=100),
    Column("tokens", 7, right=True, rank=6, above=130),
    Column("money", 8, right=True, rank=6, above=130),
    Column("leads", 5, right=True),
)
ROLE_COLUMNS = (
    Column("team", 11, share=1, most=24),
    Column("role", 10),
    Column("model", 14, share=4, most=48),
    Column("jobs", 6, right=True),
    Column("completed", 19, right=True),
)


def heading(found: Comparison | None, width: int) -> Line:
    title = "teams side by side"
    if found is None:
        return [Said(title, Tone.STRONG)]
    many = (
        f"  {len(found.teams)} team{'s' * (len(found.teams) != 1)}; low .. high holds the figure with {CONFIDENCE:.0%}"
    )
    return [Said(title, Tone.STRONG), Said(fit(many, max(0, width - len(title))).rstrip(), Tone.DIM)]


def team_cells(one: TeamFigures) -> tuple[Cell, ...]:
    own = "  own master" if one.line else ""
    return (
        Said(plain(one.team) + own, Tone.STRONG),
        Said(f"{one.promotions} of {one.outcomes}"),
        Said(percent(one.promotion_share), Tone.DIM),
        Said(spoken(one.believed_gain), _tone(one.believed_gain)),
        Said(spoken(one.gain_per_slot_hour), _tone(one.gain_per_slot_hour)),
        Said(spoken(one.gain_per_money)),
        Said(f"{one.slot_hours:.2f}", Tone.DIM),
        Said(amount(one.tokens) if one.tokens else "-", Tone.DIM),
        Said(f"{one.money:.2f}" if one.money else "-", Tone.DIM),
        Said("-" if one.leads is None else f"{one.leads:.0%}"),
    )


def role_cells(one: Completion) -> tuple[Cell, ...]:
    share = one.share
    return (
        Said(plain(one.team), Tone.DIM),
        Said(plain(one.role)),
        Said(plain(one.model)),
        Said(f"{one.finished + one.failed}", Tone.DIM),
        Said(percent(share), Tone.WARN if share is not None and share.value < 0.8 else Tone.PLAIN),
    )


def spoken(estimate: Estimate | None) -> str:
    """`0.120 (0.080 .. 0.150)`."""
    if estimate is None:
        return "-"
    sure = f" ({estimate.low:.3f} .. {estimate.high:.3f})" if estimate.low < estimate.high else ""  # else: too few
    return f"{estimate.value:.3f}{sure}"


def percent(estimate: Estimate | None) -> str:
    """`30 % (11 .. 60 %)`."""
    return "-" if estimate is None else f"{estimate.value:.0%} ({100 * estimate.low:.0f} .. {estimate.high:.0%})"


def _tone(estimate: Estimate | None) -> Tone:
    """A gain that its interval holds apart from nothing."""
    return Tone.GOOD if estimate is not None and estimate.low > 0 else Tone.PLAIN
