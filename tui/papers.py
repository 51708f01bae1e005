"""Papers as rows, and one paper as a text to read. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from orchestrator.columns import Column
from orchestrator.review.citing import Cited
from orchestrator.store.records import Experiment
from tui.present import Cell, difference, plain, score, standing
from tui.tones import Line, Said, Tone, fit

PAPER_COLUMNS = (
    Column("arXiv", 11),
    Column("published", 10, rank=3, above=90),
    Column("cited", 5, right=True),
    Column("title", 18, share=4, most=90),
    Column("what came of it", 28, share=1, most=48, rank=1),
)
CITING_COLUMNS = (
    Column("id", 5, right=True),
    Column("state", 15),
    Column("val_bpb", 7, right=True),
    Column("delta", 7, right=True, rank=1),
    Column("title", 20, share=4, most=64),
    Column("why", 20, share=3, rank=2, above=90),
)


def paper_cells(one: Cited) -> tuple[Cell, ...]:
    merged = "merged" in one.outcome
    return (
        Said(one.id, Tone.LIVE),
        Said(one.published, Tone.DIM),
        Said(str(len(one.experiments) or ""), Tone.PLAIN),
        Said(plain(one.title), Tone.STRONG if merged else Tone.PLAIN),
        Said(one.outcome, Tone.GOOD if merged else Tone.DIM),
    )


def citing_cells(experiment: Experiment) -> tuple[Cell, ...]:
    better = experiment.delta is not None and experiment.delta < 0
    return (
        Said(experiment.label, Tone.DIM),
        standing(experiment),
        Said(score(experiment.val_bpb)),
        Said(difference(experiment.delta), Tone.GOOD if better else Tone.DIM),
        Said(plain(experiment.title)),
        Said(plain(experiment.why), Tone.DIM),
    )


def heading(papers: Sequence[Cited], search: str, total: int, width: int) -> Line:
    """How many papers, how many were tried, and how many of those brought a win."""
    tried = sum(bool(one.experiments) for one in papers)
    won = sum("merged" in one.outcome for one in papers)
    found = f"/{search} {len(papers)} of {total}" if search else f"{len(papers)}"
    words = f"  {found}, {tried} cited by experiments, {won} with a win"
    return [Said("papers", Tone.STRONG), Said(fit(words, max(0, width - 6)), Tone.DIM)]


def paper_lines(one: Cited, colours: dict[str, str]) -> list[Text]:
    """Title, link, day and abstract."""
    dim = Style(color=colours["dim"])
    said = [
        Text(plain(one.title), Style(color=colours["strong"], bold=True)),
        Text(one.link, Style(color=colours["live"])),
        Text(
            "  ".join(part for part in (f"published {one.published}" * bool(one.published), one.outcome) if part), dim
        ),
        Text(""),
    ]
    if one.summary:
        return [*said, *[Text(plain(part)) for part in one.summary.split("\n") if part.strip()]]
    return [*said, Text("Nobody has looked it up, so there is no abstract here; agents do with search_papers.", dim)]
