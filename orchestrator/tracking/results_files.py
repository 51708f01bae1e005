"""The results as karpathy/autoresearch's results.tsv and as JSON: for `autolab export`, and in files of the lab."""

from __future__ import annotations

import json

from orchestrator import views
from orchestrator.figures import figure
from orchestrator.history import COLUMNS
from orchestrator.lab import Lab
from orchestrator.marks import behind, score_mark
from orchestrator.runs.files import write_whole
from orchestrator.runs.log_text import inert
from orchestrator.store.reader import Reader
from orchestrator.store.states import RAN, State

UNSANDBOXED = " [unsandboxed]"
SCORELESS = {State.PRUNED: " [pruned]", State.INVALID: " [invalid]"}
"""The format has no word of its own for what was stopped early or refused: without a score it is a crash there, and
never discarded."""


async def tsv(reader: Reader) -> str:
    """Commit, score (0 for a crash), peak memory in GiB, keep | discard | crash, and the idea, of every outcome.

    Cells are plain: there are no quotes in this format, and so no tab or line break within a cell.
    """
    experiments = await reader.results(sort="id", descending=False, limit=None)
    runs = await reader.runs_of_many([experiment.id for experiment in experiments])
    mark = await score_mark(reader)
    lines = ["\t".join(COLUMNS)]
    for experiment in experiments:
        ran = runs[experiment.id]
        unmeasured = experiment.state not in RAN or (experiment.state is State.PROMOTED and experiment.val_bpb is None)
        if not experiment.commit_id or not ran or unmeasured:
            continue  # the format has no word for what is under way
        memory = max((run.peak_memory or 0 for run in ran), default=0)
        kept = "keep" if experiment.state is State.PROMOTED else "discard"
        scoreless = SCORELESS.get(experiment.state, "")
        score = None if scoreless else experiment.val_bpb
        cells = (
            experiment.commit_id[:7],
            figure(score or 0.0, ".6f"),
            f"{memory / 2**30:.1f}",
            kept if score is not None else "crash",
            " ".join(inert(experiment.title).split())
            + UNSANDBOXED * views.unsandboxed(experiment, ran)
            + scoreless
            + behind(mark) * (score is not None),
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


async def as_json(reader: Reader) -> str:
    """What `autolab results --json` prints."""
    return json.dumps(await views.results_json(reader), indent=2, ensure_ascii=False) + "\n"


async def write_results(lab: Lab) -> None:
    """Write both files anew; whoever reads them finds them whole. Raises LabError and OSError."""
    async with Reader(lab.database) as reader:
        texts = {lab.results_tsv: await tsv(reader), lab.results_json: await as_json(reader)}
    for path, text in texts.items():
        content = text.encode("utf-8", errors="replace")
        if not path.is_file() or path.read_bytes() != content:
            write_whole(path, content, sync=True)
