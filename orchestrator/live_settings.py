"""Settings that may change while the lab is at work: which they are, and how one is changed in `autolab.toml`.

The file keeps its comments and its order; what it would say is checked as a whole before it is written.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.exceptions import TOMLKitError

from orchestrator.errors import LabError
from orchestrator.settings import Settings, settings_from

LIVE_OF_TEAM = (
    *("share", "workers", "patch_ahead", "wave", "repairs", "plateau"),
    *("budget_tokens", "budget_money", "budget_hours"),
)
LIVE_OF_STOPPING = ("enabled", "limit", "audited")
ELSEWHERE = "in autolab.toml; then stop and start the lab"
"""Where every other setting is changed."""


@dataclass(frozen=True, slots=True)
class Change:
    """A changed key: its values as TOML (None: the file does not have the key), and what the file says now."""

    key: str
    before: str | None
    after: str | None
    settings: Settings


def is_live(key: str) -> bool:
    """Whether a dotted key may change under a lab at work. Every team of its own has the keys of a team."""
    match key.split("."):
        case ["early_stopping", name]:
            return name in LIVE_OF_STOPPING
        case ["team", "share"]:
            return False  # against whom?
        case ["team", name] | ["teams", _, name]:
            return name in LIVE_OF_TEAM
        case _:
            return False


def flat(settings: Settings) -> dict[str, Any]:
    """Every setting by its dotted key, in the order of the sections; keys that are not set are None."""
    found: dict[str, Any] = {}

    def take(prefix: str, value: Any) -> None:
        if isinstance(value, BaseModel):
            for name in type(value).model_fields:
                take(f"{prefix}.{name}" if prefix else name, getattr(value, name))
        elif isinstance(value, Mapping) and any(isinstance(one, BaseModel) for one in value.values()):
            for name, one in value.items():
                take(f"{prefix}.{name}", one)
        else:
            found[prefix] = value

    take("", settings)
    return found


def as_toml(value: Any) -> str:
    """A value as it stands in the file; nothing for one that is not set."""
    return "" if value is None else tomlkit.item(value).as_string()


def require_live(key: str, settings: Settings) -> None:
    """Raise LabError unless the key may be changed now, with the nearest one or the place where it is changed."""
    known = flat(settings)
    if is_live(key) and key in known:
        return
    if key in known:
        raise LabError(f"{key} is not changed while the lab is at work.", f"Change it {ELSEWHERE}.")
    near = difflib.get_close_matches(key, [one for one in known if is_live(one)], n=1)
    hint = f"Did you mean `{near[0]}`?" if near else "`autolab settings` lists them."
    raise LabError(f"There is no setting {key!r}.", hint)


def change_setting(path: Path, key: str, value: str | None) -> Change:
    """Set a live key in the file to `value` (TOML, or a bare word for a text); None takes the key out.

    Raises LabError: the file as it would be is not valid, or cannot be written; then it is as it was.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path} cannot be read ({error}).", "Restore it with `git checkout autolab.toml`.") from error
    require_live(key, settings_from(text, path))
    document = tomlkit.parse(text)
    *sections, name = key.split(".")
    before = _found(document, key)
    if value is None:
        _table(document, sections).pop(name, None)
    else:
        _table(document, sections)[name] = _typed(value)
        checked = flat(_settings_with(document, path, key))[key]
        _table(document, sections)[name] = checked  # as its type has it: `on` is true, `3.0` a whole number
    new = tomlkit.dumps(document)
    settings = _settings_with(document, path, key)
    if new != text:
        _replace(path, new)
    return Change(key, before, _found(document, key), settings)


def _settings_with(document: tomlkit.TOMLDocument, path: Path, key: str) -> Settings:
    """The settings as the file would have them; a refusal tells of the value that was given, not of the file."""
    try:
        return settings_from(tomlkit.dumps(document), path)
    except LabError as error:
        said = error.sentence.removeprefix(f"{path.name}: ").replace(f"`{key}` is ", f"`{key}` cannot be ", 1)
        raise LabError(said, f"Give another value; {path.name} is as it was.") from error


def with_key(running: Any, new: Any, key: str) -> Any:
    """`running` with that one key as `new` has it: what else a person has written into the file waits for a start."""
    name, _, rest = key.partition(".")
    old_value, new_value = _get(running, name), _get(new, name)
    value = with_key(old_value, new_value, rest) if rest and old_value is not None else new_value
    if isinstance(running, BaseModel):
        # Made afresh, not copied: a copy would keep what was worked out from the old values.
        kept = {one: getattr(running, one) for one in running.model_fields_set}
        return type(running).model_validate({**kept, name: value})
    return {**running, name: value}


def _get(part: Any, name: str) -> Any:
    return getattr(part, name) if isinstance(part, BaseModel) else part.get(name)


def _typed(value: str) -> Any:
    try:
        return tomlkit.value(value.strip())
    except (TOMLKitError, ValueError):
        return value.strip()


def _table(document: Any, sections: list[str]) -> Any:
    for name in sections:
        if name not in document:
            document[name] = tomlkit.table()
        document = document[name]
    return document


def _found(document: Any, key: str) -> str | None:
    for name in key.split("."):
        if name not in document:
            return None
        document = document[name]
    return as_toml(document)


def _replace(path: Path, text: str) -> None:
    """The whole file in one move, with the mode that it had."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o777
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            os.replace(name, target)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LabError(
            f"{path} cannot be written ({error.strerror}).", "Check its permissions and the free disk space."
        ) from error
