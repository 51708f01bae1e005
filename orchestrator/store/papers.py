"""What the store keeps of papers that were looked up, so that none is asked for twice and some can be read offline."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from orchestrator.store.reader import Reader
from orchestrator.store.records import utc_now
from orchestrator.store.vault import VaultBook


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A paper; `text` is None before it was read, `left_out` the characters beyond what is kept of it."""

    id: str
    title: str
    summary: str
    published: str
    text: str | None
    left_out: int
    at: str

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        return cls(**{key: row[key] for key in row.keys()})  # noqa: SIM118


async def paper_row(reader: Reader, arxiv_id: str) -> PaperRow | None:
    row = await reader.row("SELECT * FROM papers WHERE id = ?", (arxiv_id,))
    return None if row is None else PaperRow.from_row(row)


async def looked_up(reader: Reader, question: str) -> tuple[str, list[PaperRow]] | None:
    """When a question was answered last, and by which papers."""
    row = await reader.row("SELECT at, found FROM paper_questions WHERE question = ?", (question,))
    if row is None:
        return None
    rows = [await paper_row(reader, number) for number in json.loads(row["found"])]
    return str(row["at"]), [one for one in rows if one is not None]


class PaperBook(VaultBook):
    """The part of the writer that keeps papers. It is a cache of what stands elsewhere, so no event tells of it."""

    async def keep_papers(self, papers: Sequence[tuple[str, str, str, str]], question: str | None = None) -> None:
        """Papers as (id, title, summary, published); with `question`, as the answer to it."""
        now = utc_now()
        async with self._change():
            for paper in papers:
                await self._do(
                    "INSERT INTO papers (id, title, summary, published, left_out, at) VALUES (?, ?, ?, ?, 0, ?)"
                    " ON CONFLICT (id) DO UPDATE SET title = excluded.title,"
                    " summary = coalesce(nullif(excluded.summary, ''), summary),"
                    " published = coalesce(nullif(excluded.published, ''), published), at = excluded.at",
                    (*paper, now),
                )
            if question is not None:
                await self._do(
                    "INSERT OR REPLACE INTO paper_questions (question, found, at) VALUES (?, ?, ?)",
                    (question, json.dumps([paper[0] for paper in papers]), now),
                )

    async def keep_text(self, arxiv_id: str, text: str, left_out: int) -> None:
        """The text of a paper that is kept already."""
        async with self._change():
            await self._do("UPDATE papers SET text = ?, left_out = ? WHERE id = ?", (text, left_out, arxiv_id))
