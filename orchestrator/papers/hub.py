"""One question to the Hub's papers API, in a process of its own: `python -m orchestrator.papers.hub`.

The question is one JSON object on standard input, the answer one on standard output. A process, because the client has
no time-out in all, reads HF_ENDPOINT only when it is imported, and cannot be interrupted in a thread: whoever asks ends
the process when its time is over. No token is sent: papers are public, and the endpoint may be anybody's mirror.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Iterable
from typing import Any

SILENCE_SECONDS = 15.0
"""Without a byte from the server, until it is given up."""
MEMORY_BYTES = 4 * 2**30
"""Of address space: an answer without end must not take the machine's memory."""
LONGEST_TEXT = 400_000
"""Characters of a paper that are kept; the rest is left out and said to be."""


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What the Hub says, or {"failed": why, "missing": whether it answered that there is no such paper}."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
    try:
        from huggingface_hub import HfApi, constants, get_session
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        return {"failed": f"the installed huggingface_hub is too old or broken ({error.name})"}
    if constants.is_offline_mode() if hasattr(constants, "is_offline_mode") else constants.HF_HUB_OFFLINE:
        return {"failed": "HF_HUB_OFFLINE is set"}
    endpoint = constants.ENDPOINT
    try:
        get_session().timeout = SILENCE_SECONDS
        return _asked(HfApi(token=False), question)
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status == 404:
            return {"failed": "the Hub has no such paper", "missing": True}
        return {"failed": f"{endpoint} answered with status {status}"}
    except (AttributeError, TypeError):
        return {"failed": "what the Hub or the installed huggingface_hub says of papers is not understood"}
    except MemoryError:
        return {"failed": f"the answer of {endpoint} is too long"}
    except Exception as error:  # the client passes on the errors of its HTTP library, JSON and the system
        return {"failed": f"{endpoint} cannot be reached ({type(error).__name__})"}


def _asked(api: Any, question: dict[str, Any]) -> dict[str, Any]:
    match question["ask"]:
        case "search":
            found = api.list_papers(query=question["query"], limit=question["limit"], token=False)
            return {"papers": _papers(found, question["limit"])}
        case "list":
            found = api.list_daily_papers(
                month=question["month"], limit=question["limit"], sort="trending", token=False
            )
            return {"papers": _papers(found, question["limit"])}
        case "paper":
            return {"papers": _papers([api.paper_info(question["id"])], 1)}
        case "read":
            text = str(api.read_paper(question["id"]))
            return {"text": text[:LONGEST_TEXT], "left_out": max(0, len(text) - LONGEST_TEXT)}
        case other:
            raise AssertionError(f"there is no question {other!r}")


def _papers(found: Iterable[Any], limit: int) -> list[dict[str, Any]]:
    papers = []
    for paper in found:
        published = paper.published_at
        papers.append(
            {
                "id": paper.id,
                "title": paper.title,
                "summary": paper.summary or paper.ai_summary,
                "published": published.date().isoformat() if published else "",
            }
        )
        if len(papers) == limit:
            break
    return papers


def main() -> None:
    with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    json.dump(answer(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
