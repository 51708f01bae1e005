"""Settings as rows: those to change now first, the rest with where it is changed. Pure functions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from orchestrator.columns import Column
from orchestrator.live_settings import as_toml, flat, is_live
from orchestrator.settings import Settings
from tui.present import Cell, plain
from tui.tones import Said, Tone

SETTING_COLUMNS = (
    Column("setting", 26),
    Column("value", 12, share=2, most=44),
    Column("is changed", 14, share=3, rank=2),
)
HERE, WATCHED, THERE = "here: enter", "not here: read-only", "in autolab.toml"


def shown_settings(settings: Settings) -> list[tuple[str, str]]:
    """(key, value as TOML), those to change now first; keys that are not set are left out where they mean nothing."""
    values = {key: as_toml(value) for key, value in flat(settings).items()}
    live = [(key, value) for key, value in values.items() if is_live(key)]
    rest = [(key, value) for key, value in values.items() if not is_live(key) and value]
    return live + rest


def setting_cells(key: str, value: str, waiting: str | None, only_looks: bool = False) -> tuple[Cell, ...]:
    """`waiting`: another value that is asked for and not answered yet; `only_looks`: this room changes nothing."""
    live = is_live(key)
    here = WATCHED if only_looks else HERE
    said = f"{value} → {waiting}, not answered yet" if waiting is not None else value
    return (
        Said(key, Tone.STRONG if live else Tone.DIM),
        Said(plain(said), Tone.WARN if waiting is not None else Tone.PLAIN if live else Tone.DIM),
        Said(here if live else THERE, Tone.LIVE if live and not only_looks else Tone.DIM),
    )


_COMMENTED_OUT = re.compile(r"[a-z_]+ = |\[[a-z_.]+\]$")


def comments_of(text: str) -> Mapping[str, str]:
    """What the comments of an autolab.toml say of each key: the lines above it, by dotted key."""
    found: dict[str, str] = {}
    section, said, told = "", list[str](), False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            text = stripped.lstrip("# ")
            said, told = ([], False) if told else (said, told)
            if _COMMENTED_OUT.match(text):
                said = []  # what stands above it was about that key
            else:
                said.append(text)
        elif stripped.startswith("["):
            section, said, told = stripped.strip("[]").strip(), [], False
        elif "=" in stripped and (key := _key(stripped)):
            found[f"{section}.{key}" if section else key] = " ".join(said)  # keys in a row share what stands above
            told = True
        elif not stripped:
            said, told = [], False
    return found


def _key(line: str) -> str | None:
    try:
        values: dict[str, Any] = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return line.partition("=")[0].strip() or None
    return next(iter(values), None)
