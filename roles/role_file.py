"""Role files: Markdown with front matter in OpenCode's agent format; the body is the role's prompt."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from roles.errors import RoleFileError
from roles.tools import TOOL_NAMES

KNOWN = ("description", "mode", "model", "temperature", "tools", "permission")
MODES = ("primary", "subagent", "all")
PERMISSIONS = ("allow", "ask", "deny")
OPENCODE_TOOLS = frozenset(
    [
        "apply_patch",
        "bash",
        "codesearch",
        "doom_loop",
        "edit",
        "external_directory",
        "glob",
        "grep",
        "list",
        "lsp",
        "multiedit",
        "patch",
        "question",
        "read",
        "skill",
        "task",
        "todoread",
        "todowrite",
        "webfetch",
        "websearch",
        "write",
    ]
)
"""What OpenCode offers its agents: a file written for it may name them, and here they do nothing."""


@dataclass(frozen=True, slots=True)
class RoleFile:
    """A job description. `tools` says which tools are allowed (true) or taken away (false); others are allowed.

    `warnings` are whole sentences about what the file holds and nothing here understands.
    """

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
    """Read a role file. Raises RoleFileError; what can be passed over is a warning."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RoleFileError(
            f"The role file {path} cannot be read ({error.strerror or error}).", _restore(path)
        ) from error
    except UnicodeDecodeError as error:
        raise RoleFileError(f"The role file {path} is not UTF-8 text.", _restore(path)) from error
    front, body = _parts(path, text)
    if not body.strip():
        raise RoleFileError(f"The role file {path} has no text after its front matter.", "Write the role's job there.")
    warnings = [_unknown(path, "key", key, KNOWN) for key in front if key not in KNOWN]
    mode = front.get("mode")
    if mode is not None and mode not in MODES:
        warnings.append(f"{path.name}: `mode` is {mode!r}; known are {', '.join(MODES)}, and all of them work here.")
    tools, more = _tools(path, front)
    return RoleFile(
        name=path.stem,
        description=_text(path, front, "description") or "",
        prompt=body.strip(),
        model=_text(path, front, "model"),
        temperature=_temperature(path, front),
        tools=tools,
        warnings=(*warnings, *more),
    )


def _parts(path: Path, text: str) -> tuple[dict[str, Any], str]:
    """The keys of the front matter, and the body."""
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if not lines or lines[start].rstrip() != "---":
        raise RoleFileError(
            f"The role file {path} has no front matter.",
            "Begin it with three lines: `---`, `description: what this agent does`, `---`.",
        )
    end = next((number for number in range(start + 1, len(lines)) if lines[number].rstrip() == "---"), None)
    if end is None:
        raise RoleFileError(f"The front matter of {path} has no end.", "Close it with a line `---`.")
    try:
        front = yaml.safe_load("\n".join(lines[start + 1 : end]))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + start + 2}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise RoleFileError(f"{path}{where}: the front matter is broken ({problem}).", "Correct that line.") from error
    if front is None:
        front = {}
    if not isinstance(front, dict):
        raise RoleFileError(f"The front matter of {path} holds no keys.", "Write `description: ...` there.")
    return {str(key): value for key, value in front.items()}, "\n".join(lines[end + 1 :])


def _text(path: Path, front: Mapping[str, Any], key: str) -> str | None:
    value = front.get(key)
    if value is None or isinstance(value, str):
        return value
    raise RoleFileError(f"{path}: `{key}` is {value!r}, which is no text.", "Put it in quotes.")


def _temperature(path: Path, front: Mapping[str, Any]) -> float | None:
    value = front.get("temperature")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise RoleFileError(f"{path}: `temperature` is {value!r}.", "Give a number from 0 to 2, such as 0.7.")
    return float(value)


def _tools(path: Path, front: Mapping[str, Any]) -> tuple[dict[str, bool], list[str]]:
    """Which of our tools the file allows or takes away, by `tools` and then `permission`, and the warnings of both."""
    wishes = [*_switches(path, front), *_permissions(path, front)]
    tools: dict[str, bool] = {}
    warnings: list[str] = []
    for pattern, allowed in wishes:
        meant = [name for name in TOOL_NAMES if fnmatchcase(name, pattern)]
        tools |= dict.fromkeys(meant, allowed)
        if not meant and pattern not in OPENCODE_TOOLS and "*" not in pattern:
            warnings.append(_unknown(path, "tool", pattern, TOOL_NAMES))
    return tools, list(dict.fromkeys(warnings))


def _switches(path: Path, front: Mapping[str, Any]) -> list[tuple[str, bool]]:
    switches = front.get("tools")
    if switches is None:
        return []
    if not isinstance(switches, dict) or not all(isinstance(value, bool) for value in switches.values()):
        raise RoleFileError(
            f"{path}: `tools` must say true or false for each tool.", "Write for example `tools: {read_diff: false}`."
        )
    return [(str(name), value) for name, value in switches.items()]


def _permissions(path: Path, front: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """`deny` takes a tool away. `ask` allows it, for nobody is there to be asked; rules for single commands do too."""
    given = front.get("permission")
    if given is None:
        return []
    permissions = given if isinstance(given, dict) else {"*": given}
    wishes = []
    for name, value in permissions.items():
        if not isinstance(value, dict) and value not in PERMISSIONS:
            raise RoleFileError(f"{path}: `permission` of {name} is {value!r}.", f"Known are {', '.join(PERMISSIONS)}.")
        if value == "deny":
            wishes.append((str(name), False))
    return wishes


def _unknown(path: Path, kind: str, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"{path.name}: the {kind} `{name}` is not known and does nothing.{hint}"


def _restore(path: Path) -> str:
    return f"Restore it with `git checkout roles/{path.name}`."
