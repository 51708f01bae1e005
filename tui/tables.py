"""Filters and orders of the two tables: asked for by key or by word, understood, refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from textual.app import App

from orchestrator.errors import LabError
from orchestrator.store.filters import EVERYTHING, Filter, column_named, understood
from tui.screens.dialogs import Ask
from tui.typed_ahead import OPENS
from tui.watch import Watch

RESULT_ORDERS = ("id", "val_bpb", "delta", "believed", "error", "state", "title", "source", "age")
"""What `o` goes through; `:results sort=COLUMN` takes any column."""

HINT = "words, ~letters of a title, state=discarded delta<0 by=ada title~muon age<2h sort=delta; empty shows all"
SHORT_HINT = "words, ~letters, state=discarded delta<0 sort=delta; empty shows all"


def not_understood(text: str) -> str | None:
    """What is the matter with a filter; None for one that is understood."""
    try:
        understood(text)
    except LabError as error:
        return str(error)
    return None


class Tables:
    """The hands on the tables of one room."""

    def __init__(self, app: App[Any], watch: Watch, shown: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """`shown` ends when a table shows what is wished for: keys that are typed meanwhile wait for it."""
        self._app = app
        self._watch = watch
        self._shown = shown

    def _wish(self, **changes: Any) -> None:
        self._watch.wants(**changes)
        self._app.run_worker(self._shown(), name=OPENS, group="tables")

    def ask(self, pane: str) -> None:
        """`/`: what is to be seen of the table."""
        asked: Filter = getattr(self._watch.wish, pane)
        hint = HINT if self._app.size.width > len(HINT) + 4 else SHORT_HINT

        before = self._watch.wish

        def given(text: str | None) -> None:
            if text is not None:
                self.see(pane, text)
            elif not self._watch.wish.same_rows(before):  # as it was before anything was typed
                kept = {"sort": before.sort, "descending": before.descending} if pane == "results" else {}
                self._wish(**{pane: asked}, **kept)

        value = asked.typed if pane == "queue" else asked.text
        self._app.push_screen(Ask(f"{pane} /", value, hint, not_understood, lambda text: self.see(pane, text)), given)

    def see(self, pane: str, text: str) -> None:
        """Show only what `text` asks for."""
        try:
            asked = understood(text)
        except LabError as error:
            self._tell(error)
            return
        order: dict[str, Any] = {}
        if pane == "results" and asked.sort is not None:
            order = {"sort": asked.sort, "descending": asked.descending}
        self._wish(**{pane: asked if asked.terms or asked.sort is not None else EVERYTHING}, **order)

    def order(self, pane: str, words: Sequence[str], raw: str) -> None:
        """`:results muon` filters; `:results sort delta` sorts, and again turns it round."""
        if list(words[:1]) == ["sort"] and len(words) == 2:
            self.sort(pane, words[1])
        else:
            self.see(pane, raw)

    def sort(self, pane: str, name: str) -> None:
        try:
            column = column_named(name)
        except LabError as error:
            self._tell(error)
            return
        wish = self._watch.wish
        if pane == "queue":
            turned = not wish.queue.descending if wish.queue.sort == column else column == "id"
            sign = "-" if turned else ""
            self.see("queue", f"{wish.queue.text} sort={sign}{column}".strip())
        else:
            self._wish(sort=column, descending=not wish.descending if wish.sort == column else column == "id")

    def next_order(self, pane: str) -> None:
        """`o`: the next column."""
        if pane == "queue":
            self._app.notify("The queue stands in the order in which it runs: + and - change it; :queue sort=title.")
            return
        now = self._watch.wish.sort
        place = RESULT_ORDERS.index(now) + 1 if now in RESULT_ORDERS else 0
        column = RESULT_ORDERS[place % len(RESULT_ORDERS)]
        self._wish(sort=column, descending=column == "id")

    def turn_order(self, pane: str) -> None:
        """`O`: the other way round."""
        if pane == "queue":
            self.next_order(pane)
        else:
            self._wish(descending=not self._watch.wish.descending)

    def clear(self, pane: str) -> None:
        """Everything again; the order stays."""
        self._wish(**{pane: EVERYTHING})

    def _tell(self, error: LabError) -> None:
        self._app.notify(str(error), title="filter", severity="warning", markup=False)
