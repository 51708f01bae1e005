"""Role files: Markdown with front matter in OpenCode's agent format; the body is the role's prompt."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import yaml

from roles.errors import RoleFileError

KNOWN = ("description", "mode", "model", "temperature", "tools", "permission")


@dataclass(frozen=True, slots=True)
class RoleFile:
    """A job description. `tools` says which tools are allowed (true) or taken away (false); others are allowed."""

    name: str
    description: str
    prompt: str
    model: str | None = None
    temperature: float | None = None
    tools: dict[str, bool] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def shipped(role: str) -> Path:
    """The role file that comes with Autolab."""
    return Path(str(files("roles").joinpath(f"{role}.md")))


def load(path: Path) -> RoleFile:
    """Read a role file. Unknown keys are warnings that name them. Raises RoleFileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RoleFileError(
            f"The role file {path} cannot be read ({error}).", "Restore it with `git checkout roles`."
        ) from error
    front, body = _parts(path, text)
    if not body.strip():
        raise RoleFileError(f"The role file {path} has no text after its front matter.", "Write the role's job there.")
    temperature = front.get("temperature")
    if temperature is not None and not isinstance(temperature, int | float):
        raise RoleFileError(f"The role file {path} has a temperature that is no number.", "Give one, such as 0.7.")
    tools = front.get("tools") or {}
    if not isinstance(tools, dict) or not all(isinstance(value, bool) for value in tools.values()):
        raise RoleFileError(f"The role file {path}: `tools` must map names to true or false.", "Correct it.")
    return RoleFile(
        name=path.stem,
        description=str(front.get("description") or ""),
        prompt=body.strip(),
        model=None if front.get("model") is None else str(front["model"]),
        temperature=None if temperature is None else float(temperature),
        tools={str(key): value for key, value in tools.items()},
        warnings=tuple(_unknown(path, str(key)) for key in front if key not in KNOWN),
    )


def _parts(path: Path, text: str) -> tuple[dict[object, object], str]:
    lines = text.lstrip("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        raise RoleFileError(
            f"The role file {path} has no front matter.", "Begin it with `---`, `description: ...`, `---`."
        )
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.strip() == "---"), None)
    if end is None:
        raise RoleFileError(f"The front matter of {path} has no end.", "Close it with a line `---`.")
    try:
        front = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise RoleFileError(f"The front matter of {path} is not valid YAML ({first}).", "Correct it.") from error
    if not isinstance(front, dict):
        raise RoleFileError(f"The front matter of {path} holds no keys.", "Write `description: ...` there.")
    return front, "\n".join(lines[end + 1 :])


def _unknown(path: Path, key: str) -> str:
    near = difflib.get_close_matches(key, KNOWN, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"{path.name} has a key `{key}` that is not known and does nothing{hint}"
