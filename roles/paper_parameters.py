"""The parameters of the researcher's tools for papers."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from roles.schema import Parameters

ARXIV = r"^\s*(arxiv:)?\s*\d{4}\.\d{4,5}(v\d+)?\s*$"


class SearchPapers(Parameters):
    """Search for papers on Hugging Face by keywords, as you would in a search box. The answer lists arXiv ids, titles
    and the beginnings of abstracts. Where the network is missing it says so; go on without papers then."""

    example: ClassVar[dict[str, Any]] = {"query": "muon optimizer language model", "limit": 8}
    looks = True

    query: str = Field(min_length=2, max_length=200, description="a few words, for example: squared relu transformer")
    limit: int = Field(default=8, ge=1, le=30, description="how many papers at most")


class ListPapers(Parameters):
    """List the papers that Hugging Face's readers picked: of the last days, or of one month. For ideas beyond what you
    would search for."""

    example: ClassVar[dict[str, Any]] = {"month": "2025-03", "limit": 20}
    looks = True

    month: str | None = Field(
        default=None, pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="as 2025-03; leave it out for the last days"
    )
    limit: int = Field(default=20, ge=1, le=50, description="how many papers at most")


class ReadPaper(Parameters):
    """Read a paper by its arXiv id: title, link, abstract, then the text in parts. The first part is usually enough to
    judge an idea; method and ablations come later."""

    example: ClassVar[dict[str, Any]] = {"arxiv_id": "2109.08668", "part": 1}
    looks = True

    arxiv_id: str = Field(pattern=f"(?i){ARXIV}", description="for example 2109.08668")
    part: int = Field(default=1, ge=1, le=1000, description="which part of the text, counted from 1")
