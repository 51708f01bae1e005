"""What a result teaches, by rule: its difference beside the noise of one run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SILENT = re.compile(r"^Results without a lesson:\n((?:- .*\n?(?:  .*\n?)*)+)", re.MULTILINE)


def silent(brief: str) -> list[int]:
    """The experiments of the brief whose lesson is not written down yet."""
    found = _SILENT.search(brief)
    return [int(number) for number in re.findall(r"^- (\d+) ", found[1], re.MULTILINE)] if found else []


def lesson(entry: Mapping[str, Any], noise: float | None) -> str:
    """Of one entry of list_experiments."""
    what, delta = str(entry["variable"] or entry["title"]), entry["delta"]
    if delta is None:
        return f"Not measured, so nothing is known of {what}: {str(entry['reason'])[:300] or entry['state']}"
    size = f"{abs(delta):.4f}"
    beside = f", {abs(delta) / noise:.1f} times the noise of one run" if noise else ""
    match entry["state"]:
        case "promoted":
            return f"{what}: {size} gained so far{beside}; what is near it is worth a look."
        case "not_confirmed":
            return f"{what}: a first gain that did not last, {size} in the mean{beside}; too small to tell here."
        case _:
            word = "loses" if delta > 0 else "is no better beyond noise:"
            return f"{what}: {word} {size}{beside}; this form of it is not worth another run on this baseline."
