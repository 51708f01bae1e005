"""Papers: searched, listed and read through the Hub's papers API, kept in the store, quoted as data."""

from orchestrator.papers.asking import Hub, Unreachable
from orchestrator.papers.library import Found, Library, PaperText
from orchestrator.papers.paper import Paper, arxiv_ids, link_of, quoted

__all__ = [
    "Found",
    "Hub",
    "Library",
    "Paper",
    "PaperText",
    "Unreachable",
    "arxiv_ids",
    "link_of",
    "quoted",
]
