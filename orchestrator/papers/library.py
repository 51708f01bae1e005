"""The lab's papers: what was looked up before is taken from the store, the rest is asked of the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.papers.asking import Hub, Unreachable
from orchestrator.papers.paper import Paper
from orchestrator.store.papers import PaperBook, PaperRow, looked_up, paper_row
from orchestrator.store.records import seconds_since

SEARCH_KEPT_SECONDS = 7 * 86_400.0
LIST_KEPT_SECONDS = 86_400.0
OFFLINE = "Papers cannot be looked up now"


@dataclass(frozen=True, slots=True)
class Found:
    """Papers that answer a question; `note` says in a sentence where they come from, or why there are none."""

    papers: tuple[Paper, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class PaperText:
    """A paper and its text, which is its abstract where nothing more is to be had; `note` as in Found."""

    paper: Paper | None
    text: str = ""
    left_out: int = 0
    note: str = ""


class Library:
    """Looks papers up. Never raises for a network that is missing: it says so in the `note`."""

    def __init__(self, store: PaperBook, hub: Hub) -> None:
        self._store = store
        self._hub = hub

    async def search(self, query: str, limit: int) -> Found:
        """The Hub's best matches for a few words."""
        words = " ".join(query.split())
        question = {"ask": "search", "query": words, "limit": limit}
        return await self._look_up(f"search {words.lower()}", question, limit, SEARCH_KEPT_SECONDS)

    async def listed(self, month: str | None, limit: int) -> Found:
        """What the Hub's readers picked: in a month given as 2025-03, or in the last days."""
        question = {"ask": "list", "month": month, "limit": limit}
        return await self._look_up(f"list {month or 'now'}", question, limit, LIST_KEPT_SECONDS)

    async def _look_up(self, key: str, question: Mapping[str, object], limit: int, kept_seconds: float) -> Found:
        key = f"{key} /{limit}"
        kept = await looked_up(self._store, key)
        if kept is not None and seconds_since(kept[0]) < kept_seconds:
            return Found(tuple(map(_paper, kept[1])))
        try:
            answer = await self._hub.ask(question)
        except Unreachable as error:
            if kept is None:
                return Found((), f"{OFFLINE}: {error.why}.")
            return Found(tuple(map(_paper, kept[1])), f"{OFFLINE} ({error.why}); this is as of {kept[0][:10]}.")
        papers = [paper for paper in map(Paper.from_json, answer["papers"]) if paper is not None]
        await self._store.keep_papers([_row(paper) for paper in papers], key)
        return Found(tuple(papers))

    async def paper(self, arxiv_id: str, *, ask: bool = True) -> PaperText:
        """What is known of a paper, its abstract as the text; with `ask` the Hub is asked where the store has none."""
        kept = await paper_row(self._store, arxiv_id)
        if kept is not None:
            return PaperText(_paper(kept), kept.summary)
        if not ask:
            return PaperText(None)
        try:
            answer = await self._hub.ask({"ask": "paper", "id": arxiv_id})
        except Unreachable as error:
            note = f"The Hub has no paper arXiv:{arxiv_id}." if error.missing else f"{OFFLINE}: {error.why}."
            return PaperText(None, note=note)
        found = Paper.from_json(answer["papers"][0])
        if found is None or found.id != arxiv_id:
            return PaperText(None, note=f"The Hub has no paper arXiv:{arxiv_id}.")
        await self._store.keep_papers([_row(found)])
        return PaperText(found, found.summary)

    async def read(self, arxiv_id: str) -> PaperText:
        """A paper with its text."""
        kept = await paper_row(self._store, arxiv_id)
        if kept is not None and kept.text is not None:
            return PaperText(_paper(kept), kept.text, kept.left_out)
        known = await self.paper(arxiv_id)
        if known.paper is None:
            return known
        try:
            answer = await self._hub.ask({"ask": "read", "id": arxiv_id})
        except Unreachable as error:
            why = "The Hub has no text of it" if error.missing else f"{OFFLINE} ({error.why})"
            return replace(known, note=f"{why}; this is the abstract.")
        text, left_out = str(answer["text"]), int(answer["left_out"])
        await self._store.keep_text(arxiv_id, text, left_out)
        return PaperText(known.paper, text, left_out)


def _row(paper: Paper) -> tuple[str, str, str, str]:
    return paper.id, paper.title, paper.summary, paper.published


def _paper(row: PaperRow) -> Paper:
    return Paper(row.id, row.title, row.summary, row.published)
