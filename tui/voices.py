"""The agents' words about an experiment as a text to read. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from orchestrator.review.voices import Voice
from orchestrator.runs.log_text import inert

MOST_LINES = 60  # of one voice


def voice_lines(voices: Sequence[Voice], colours: dict[str, str]) -> list[Text]:
    """Who said what, when; several words of one agent in a row stand under one name."""
    if not voices:
        return [Text("No agent has said anything about it yet.", colours["dim"])]
    lines: list[Text] = []
    day = before = ""
    for voice in voices:
        date, time = voice.at[:10], voice.at[11:19]
        if (date, voice.agent) != (day, before) or voice.does != "says":
            when = time if date == day else f"{date} {time}"
            head = Text(f"{when}  ", colours["dim"])
            head.append(voice.agent, Style(color=colours["strong"], bold=True))
            head.append(f" {voice.does}", colours["live"])
            lines += [Text("")] * bool(lines) + [head]
        day, before = date, voice.agent
        said = inert(voice.text).splitlines()
        lines += [Text(f"  {line}") for line in said[:MOST_LINES]]
        if len(said) > MOST_LINES:
            lines.append(Text(f"  … {len(said) - MOST_LINES} more lines", colours["dim"]))
    return lines
