"""An experiment's facts, runs and timeline as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from orchestrator.marks import scores_told
from orchestrator.review.citing import Cited
from orchestrator.review.happened import told_once
from orchestrator.runs.log_text import in_paragraphs
from orchestrator.store.records import Event, Experiment, Run, VaultScore
from orchestrator.store.states import ASKED_AGAIN
from orchestrator.views import run_seconds
from tui.present import became, difference, plain, refused, score, standing

SHORT_TITLE = 40
"""Cells of a title that the heading shows whole on any screen."""

Colours = dict[str, str]
"""A theme's variables by name."""


def facts_table(
    experiment: Experiment,
    colours: Colours,
    vault: str = "",
    bare: bool = False,
    lesson: str = "",
    paper: Cited | None = None,
    mark: str = "",
    earlier: str = "",
) -> Table:
    """`vault`: what the vault split says of it (orchestrator.vault_words.vault_word); `bare`: its score is unsandboxed;
    `lesson`: what it taught; `paper`: the one that it names; `mark`: of the lab's scores (orchestrator.marks);
    `earlier`: what came of the attempts before (attempts_before)."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=colours["dim"], no_wrap=True)
    table.add_column()
    measured = experiment.val_bpb is not None
    rows = (
        ("title", experiment.title if cell_len(experiment.title) > SHORT_TITLE else ""),
        ("state", f"{standing(experiment).text}{_by(experiment)}: {experiment.why}"),
        ("val_bpb", f"{score(experiment.val_bpb)}  {difference(experiment.delta)} against its baseline" * measured),
        ("before", earlier),
        ("scores", scores_told(mark) if measured else ""),
        ("sandbox", "unsandboxed: nothing stood around the runs that gave this score" * bare),
        ("promoted as", experiment.promoted_as),
        ("vault", vault),
        ("lesson", lesson),
        ("hypothesis", experiment.hypothesis),
        ("source", experiment.source),
        (
            "paper",
            f"{paper.title}" if paper is not None and paper.summary and paper.title not in experiment.source else "",
        ),
        ("link", f"{paper.link}  (i opens the paper)" if paper is not None else ""),
        ("variable", experiment.variable),
        ("edit", experiment.edit),
        ("proposed by", _proposer(experiment)),
        ("patched by", experiment.role_model),
        ("priority", str(experiment.priority) if experiment.priority else ""),
        ("branch", experiment.branch or ""),
        ("commit", _commits(experiment)),
    )
    for name, value in rows:
        if value.strip():
            table.add_row(name, Text(in_paragraphs(value) if name == "hypothesis" else plain(value)))
    return table


def _proposer(experiment: Experiment) -> str:
    """Who had the idea; a person, and what Autolab does by itself, is of no team."""
    of_team = f" of team {experiment.team}" if experiment.team not in ("", "person", "none") else ""
    return f"{experiment.author}{of_team}"


def _commits(experiment: Experiment) -> str:
    if experiment.commit_id is None:
        return ""
    on = f" on {experiment.parent[:10]}" if experiment.parent else ""
    return f"{experiment.commit_id[:10]}{on}"


def attempts_before(experiment: Experiment, runs: Sequence[Run]) -> str:
    """What came of the runs of each attempt before the present one: the mean score, or how the last of them ended."""
    told = []
    for attempt in range(1, experiment.attempt):
        ended = [run for run in runs if run.attempt == attempt and run.ended and run.outcome not in ASKED_AGAIN]
        scores = [run.val_bpb for run in ended if run.counts and run.commit_id == ended[-1].commit_id]
        if found := [one for one in scores if one is not None]:
            count = f"{len(found)} run{'s' * (len(found) != 1)}"
            told.append(f"attempt {attempt} scored {score(fmean(found))} ({count})")
        elif ended:
            told.append(f"attempt {attempt} {ended[-1].outcome}")
    return ", ".join(told)


def runs_table(runs: Sequence[Run], colours: Colours, vault: Mapping[int, VaultScore] | None = None) -> Table | Text:
    """`vault`: scores on the vault split by run; the column is there where there is one."""
    held_out = {run.id: score(vault[run.id].bpb) for run in runs if vault and run.id in vault}
    if not runs:
        return Text("no runs yet", style=colours["dim"])
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=colours["dim"])
    whys = ["" if run.outcome == "scored" else plain(run.reason) for run in runs]
    several = any(run.attempt > 1 for run in runs)
    for heading in (
        "run",
        *(["attempt"] if several else []),
        "kind",
        "seed",
        "slot",
        "outcome",
        "val_bpb",
        *(["vault"] if held_out else []),
        "steps",
        "seconds",
        "why" if any(whys) else "",
    ):
        right = heading in ("run", "attempt", "seed", "val_bpb", "vault", "steps", "seconds")
        table.add_column(heading, no_wrap=heading != "why", justify="right" if right else "left")
    for run, why in zip(runs, whys, strict=True):
        seconds = run_seconds(run)
        table.add_row(
            str(run.id),
            *([str(run.attempt)] if several else []),
            str(run.kind),
            str(run.seed),
            run.slot,
            run.outcome or "► under way",
            score(run.val_bpb),
            *([held_out.get(run.id, "")] if held_out else []),
            "" if run.steps is None else str(run.steps),
            "" if seconds is None else f"{seconds:.0f}",
            Text(why),
        )
    return table


def timeline(events: Sequence[Event], colours: Colours) -> Table:
    """What happened to it, when (UTC), who did it and why."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=colours["dim"])
    table.add_column("UTC", no_wrap=True, style=colours["dim"])
    table.add_column("what", no_wrap=True)
    table.add_column("by", no_wrap=True, style=colours["dim"])
    table.add_column("why")
    day = ""
    for event in told_once(events):
        date, time = event.at[:10], event.at[11:19]
        table.add_row(time if date == day else f"{date[5:]} {time}", _what(event), event.actor, Text(plain(event.why)))
        day = date
    return table


def _what(event: Event) -> str:
    if event.kind == "state":
        return became(event).text
    if refused(event):
        return "refused"
    if event.kind == "priority":
        return f"priority {event.after}"
    if event.kind == "master":
        return "◆ master"
    if event.kind == "experiment":
        return "note"
    return f"run {event.run_id}" if event.kind == "run" and event.run_id is not None else event.kind


def _by(experiment: Experiment) -> str:
    """Of a win that is out of master: what took it out, before why it was merged."""
    return "" if experiment.taken_out_by is None else f" of master by {experiment.taken_out_by}; it was merged as"
