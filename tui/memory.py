"""How this person left the room of this lab: pane, zoom, order and filters, in a small file of the lab."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.store.filters import COLUMNS, EVERYTHING, Filter, understood
from tui.chronicle import Story
from tui.own_files import write_whole
from tui.screens.dashboard import Dashboard
from tui.watch import Watch, Wish

MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Layout:
    """What is remembered; the filters as they were typed."""

    pane: str = "results"
    zoomed: bool = False
    series: str = ""
    results: str = ""
    queue: str = ""
    sort: str = "id"
    descending: bool = True


class Memory:
    """One file for each person; `keep`: whether it is written, or only read."""

    def __init__(self, lab: Lab, person: str, *, keep: bool) -> None:
        self._path = lab.hidden / "rooms" / (re.sub(r"[^\w.@-]", "_", person) + ".json")
        self._keep = keep
        self._kept = Layout()

    def recall(self) -> Layout:
        """As it was left; what cannot be read, or makes no sense any more, is as in a new room."""
        given: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, RecursionError):
            with self._path.open("rb") as file:
                found = json.loads(file.read(MOST_BYTES))
            fresh = asdict(Layout())
            if isinstance(found, dict):
                given = {key: value for key, value in found.items() if type(value) is type(fresh.get(key))}
        layout = Layout(**{field.name: given[field.name] for field in fields(Layout) if field.name in given})
        self._kept = layout
        return layout

    def keep(self, layout: Layout) -> None:
        """Write it, if it differs. A lab that cannot be written to remembers nothing."""
        if self._keep and layout != self._kept:
            self._kept = layout
            with contextlib.suppress(OSError):
                write_whole(self._path, json.dumps(asdict(layout)) + "\n")


def layout_of(wish: Wish, dashboard: Dashboard) -> Layout:
    """The room as it is."""
    series = dashboard.plotting.chosen
    results, queue = wish.results.text, wish.queue.typed
    return Layout(dashboard.pane, dashboard.zoomed, series, results, queue, wish.sort, wish.descending)


def restore(was: Layout, watch: Watch, dashboard: Dashboard) -> None:
    """The room as it was left, before it is shown."""
    sort = was.sort if was.sort in COLUMNS else "id"
    results, queue = _filter_of(was.results), _filter_of(was.queue)
    watch.wants(results=results, queue=queue, sort=sort, descending=was.descending)
    dashboard.restore(was.pane, was.zoomed, was.series)


def hidden_by(story: Story) -> str:
    """Which remembered filters leave nothing to see, and how they are dropped; empty where there is none."""
    wish = story.wish
    told = []
    if wish.results.terms and story.measured and not story.matching:
        told.append(f"none of {story.measured} results matches `{wish.results.text}`: 3, then esc, shows all")
    if wish.queue.terms and story.waiting and not story.queue:
        told.append(f"nothing of {story.waiting} that wait matches `{wish.queue.text}`: 4, then esc, shows all")
    return "As you left the filters, " + "; ".join(told) if told else ""


def _filter_of(text: str) -> Filter:
    """A remembered filter; everything, if it is not understood any more."""
    try:
        return understood(text)
    except LabError:
        return EVERYTHING
