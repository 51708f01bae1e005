"""Papers and what came of them: those that were looked up, and those that an experiment names as its source."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from orchestrator.errors import LabError
from orchestrator.papers.paper import arxiv_ids, link_of, printable
from orchestrator.store.papers import paper_row
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment
from orchestrator.store.states import ENDED, State

_LIKE_AN_ID = "*[0-9][0-9][0-9][0-9].[0-9][0-9][0-9][0-9]*"


@dataclass(frozen=True, slots=True)
class Cited:
    """A paper with the experiments whose source names it, oldest first. `summary` is empty where none was looked up."""

    id: str  # arXiv
    title: str
    summary: str
    published: str  # as 2021-09-17, or empty
    experiments: tuple[Experiment, ...]

    @property
    def link(self) -> str:
        return link_of(self.id)

    @property
    def outcome(self) -> str:
        """What came of it, in a few words: `2 tried, 1 merged, best -0.0321`."""
        tried = [one for one in self.experiments if _was_tried(one)]
        merged = sum(one.state is State.PROMOTED for one in tried)
        deltas = [one.delta for one in tried if one.delta is not None]
        waiting = len(self.experiments) - len(tried)
        parts = [f"{len(tried)} tried"] * bool(tried) + [f"{merged} merged"] * bool(merged)
        parts += [f"best {min(deltas):+.4f}"] if deltas else []
        parts += [f"{waiting} not tried"] * bool(waiting)
        return ", ".join(parts) or "not tried"


def _was_tried(experiment: Experiment) -> bool:
    """It has ended, or an earlier attempt has."""
    return experiment.attempt > 1 or (experiment.state in ENDED and experiment.state is not State.DROPPED)


async def papers_of(reader: Reader) -> list[Cited]:
    """All of them: the most cited first, then the newest; those that nothing cites last. Raises LabError."""
    citing: dict[str, list[Experiment]] = defaultdict(list)
    rows = await reader.rows("SELECT * FROM experiments WHERE source GLOB ? ORDER BY id", (_LIKE_AN_ID,))
    for citation in rows:
        experiment = Experiment.from_row(citation)
        for arxiv_id in arxiv_ids(experiment.source):
            citing[arxiv_id].append(experiment)
    known = {row["id"]: row for row in await reader.rows("SELECT id, title, summary, published FROM papers")}
    found = []
    for arxiv_id in {*citing, *known}:
        experiments, row = tuple(citing.get(arxiv_id, ())), known.get(arxiv_id)
        if row is not None:
            found.append(Cited(arxiv_id, row["title"], row["summary"], row["published"], experiments))
        else:
            found.append(Cited(arxiv_id, named_in(experiments[0].source, arxiv_id), "", "", experiments))
    return sorted(found, key=lambda one: (len(one.experiments), one.id), reverse=True)


def named_by(experiment: Experiment) -> list[str]:
    """The arXiv ids that an experiment's source names, at least one. Raises LabError."""
    ids = arxiv_ids(experiment.source)
    if not ids:
        source = printable(experiment.source).strip() or "nothing"
        raise LabError(
            f"Experiment {experiment.id} names no paper; its source is {source}.", "`autolab papers` lists them."
        )
    return ids


async def require_paper(reader: Reader, words: str) -> Cited:
    """One paper by its arXiv id, however it is written (2104.09864, arXiv:2104.09864v2, a link), or the first that the
    experiment of that number names. Raises LabError."""
    ids = arxiv_ids(words)
    if not ids and (number := re.fullmatch(r"#?(\d{1,9})(\.\d+)?", words.strip())):
        experiment = await reader.experiment(int(number[1]))
        if experiment is None:
            raise LabError(f"There is no experiment {number[1]}.", "A paper's own id looks like 2104.09864.")
        ids = named_by(experiment)
    if not ids:
        raise LabError(
            f"{words.strip() or 'Nothing'} is no arXiv id and no experiment.",
            "An id looks like 2104.09864; `autolab papers` lists them.",
        )
    rows = await reader.rows("SELECT * FROM experiments WHERE instr(source, ?) > 0 ORDER BY id", (ids[0],))
    experiments = tuple(one for one in map(Experiment.from_row, rows) if ids[0] in arxiv_ids(one.source))
    row = await paper_row(reader, ids[0])
    if row is not None:
        return Cited(row.id, row.title, row.summary, row.published, experiments)
    if not experiments:
        raise LabError(f"The lab knows no paper arXiv:{ids[0]}.", "`autolab papers` lists those that it knows.")
    return Cited(ids[0], named_in(experiments[0].source, ids[0]), "", "", experiments)


def named_in(source: str, arxiv_id: str) -> str:
    """What a source calls the paper beside its id and its link; the id where it says no more."""
    one = rf"{re.escape(arxiv_id)}(?:v\d+)?"
    part = next((part for part in source.split(";") if arxiv_id in part), source)
    rest = re.sub(rf"https?://\S+|\(?arxiv:\s*{one}\)?|{one}", " ", part, flags=re.I)
    rest = re.sub(r"([,;])(\s*[,;])+", r"\1", " ".join(rest.split()))  # what stood between two commas was the id
    return rest.strip(" ,;:()") or f"arXiv:{arxiv_id}"
