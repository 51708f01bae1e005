"""The files that `autolab init` puts into a lab, above all the text of `autolab.toml`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from orchestrator.settings import Profile
from orchestrator.targets.target import ScriptTarget


def template(name: str) -> str:
    """The text of a file that `autolab init` puts into a lab."""
    return files("orchestrator").joinpath("templates", name).read_text(encoding="utf-8")


def settings_text(profile: Profile, budget_seconds: float, script: ScriptTarget | None = None) -> str:
    """`autolab.toml` for a new lab; with `script` one that optimises that program."""
    gpu = profile == "gpu"
    values: dict[str, Any] = {
        "profile": profile,
        "budget_seconds": f"{budget_seconds:g}",
        "startup_seconds": 600 if gpu else 120,
        "grace_seconds": 3 if gpu else 0.4,
        "hang_seconds": 180 if gpu else 60,
        "scoring_seconds": 600 if gpu else 120,
        "memory_gib": 0 if gpu else 4,
    }
    text = template("autolab.toml")
    if script is None:
        text = text.replace("{target}", template("nanogpt.toml").rstrip())
    else:
        text = text.replace("{target}", template("script.toml").rstrip())
        values |= _script_values(script)
    # One pass: a value may hold what looks like a key.
    return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]) if found[1] in values else found[0], text)


def _script_values(script: ScriptTarget) -> dict[str, str]:
    """The keys of a script as TOML."""
    return {
        "command": _toml_list(script.command),
        "editable": _toml_list(script.editable),
        "protected": _toml_list(script.protected),
        "metric": _toml_text(script.metric.pattern),
        "direction": _toml_text(script.direction),
        "progress": f"progress = {_toml_text(script.progress.pattern)}"
        if script.progress
        else "# progress = '(\\d+)%'",
        "timeout_seconds": f"{script.timeout_seconds:g}",
        "readable": _toml_list(script.readable),
        "environment": _toml_table(script.environment),
    }


def _toml_list(texts: Iterable[str]) -> str:
    return f"[{', '.join(_toml_text(text) for text in texts)}]"


def _toml_table(texts: Mapping[str, str]) -> str:
    inside = ", ".join(f"{_toml_text(key)} = {_toml_text(text)}" for key, text in texts.items())
    return f"{{ {inside} }}" if inside else "{}"


def _toml_text(text: str) -> str:
    """A string in 'single quotes' where it has backslashes, else a basic string, whose escapes are JSON's."""
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
