"""What is known of a paper, how its arXiv id is found in a text, and how its words are quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

LONGEST_TITLE = 300
LONGEST_SUMMARY = 4000
_ID = re.compile(r"(?<![\d.])(\d{2}(?:0[1-9]|1[0-2])\.\d{4,5})(?:v\d+)?(?![\d.]*\d)")


@dataclass(frozen=True, slots=True)
class Paper:
    """`id` is the arXiv id without its version; `published` a day as 2021-09-17, empty when it is not known."""

    id: str
    title: str
    summary: str = ""
    published: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self | None:
        """What the Hub told of a paper; None when that is no arXiv paper with a title."""
        ids = arxiv_ids(str(value.get("id") or ""))
        title = one_line(str(value.get("title") or ""))[:LONGEST_TITLE]
        if not ids or not title:
            return None
        summary = one_line(str(value.get("summary") or ""))[:LONGEST_SUMMARY]
        published = str(value.get("published") or "")[:10]
        return cls(ids[0], title, summary, published if re.fullmatch(r"\d{4}-\d\d-\d\d", published) else "")

    @property
    def cited(self) -> str:
        """As it stands in an experiment's source."""
        return f"{self.title} (arXiv:{self.id}) {link_of(self.id)}"


def arxiv_ids(text: str) -> list[str]:
    """The arXiv ids in a text, in their order, each once, without versions (https://info.arxiv.org/help/arxiv_identifier.html)."""
    return list(dict.fromkeys(_ID.findall(text)))


def link_of(arxiv_id: str) -> str:
    return f"https://arxiv.org/abs/{arxiv_id}"


def one_line(text: str) -> str:
    """A text from elsewhere on one line, without what a terminal would take for an order."""
    return " ".join(printable(text).split())


def printable(text: str) -> str:
    """Without control characters; line ends and tabs stay."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)


def quoted(text: str) -> str:
    """A text from elsewhere with a mark before every line: nothing in it can look as if it stood outside."""
    return "\n".join(f"> {line}" for line in printable(text).replace("\t", " ").split("\n"))
