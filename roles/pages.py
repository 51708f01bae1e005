"""Long answers of tools: stored for the time of a job, and read page by page."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from roles.errors import ToolRefusal
from roles.schema import Parameters
from roles.tools import Answer, Tool, tool_of

MOST_STORED = 50
"""Answers; older ones are forgotten first."""


class ReadMore(Parameters):
    """Read a page of an earlier answer that was too long to be shown at once."""

    example: ClassVar[dict[str, Any]] = {"id": 1, "page": 2}
    looks = True

    id: int = Field(ge=1, description="the number of the answer, as it was told at its end")
    page: int = Field(default=2, ge=1, description="which page, counted from 1")


class Pages:
    """The long answers of one job."""

    def __init__(self) -> None:
        self._stored: dict[int, list[str]] = {}
        self._last = 0
        self.tool: Tool = tool_of("read_more", ReadMore, self._read)

    def __bool__(self) -> bool:
        return bool(self._stored)

    def first(self, text: str, page_characters: int) -> str:
        """The text when it fits a page, else its first page and how to read on."""
        if len(text) <= page_characters:
            return text
        self._last += 1
        self._stored[self._last] = [text[at : at + page_characters] for at in range(0, len(text), page_characters)]
        self._stored.pop(self._last - MOST_STORED, None)
        return self._page(self._last, 1)

    def _page(self, number: int, page: int) -> str:
        pages = self._stored[number]
        told = f"page {page} of {len(pages)} of answer {number}"
        if page < len(pages):
            told += f'; for the next call read_more with {{"id": {number}, "page": {page + 1}}}'
        return f"{pages[page - 1]}\n[{told}]"

    async def _read(self, arguments: dict[str, Any]) -> Answer:
        number, page = arguments["id"], arguments["page"]
        if number not in self._stored:
            known = ", ".join(map(str, self._stored)) or "none"
            raise ToolRefusal(f"There is no stored answer {number}; there are: {known}.")
        if page > len(self._stored[number]):
            raise ToolRefusal(f"Answer {number} has {len(self._stored[number])} pages only.")
        return Answer(self._page(number, page))
