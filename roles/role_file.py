"""Role files: Markdown with front matter in OpenCode's agent format; the body is the role's prompt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from roles.errors import RoleFileError
from roles.tools import TOOL_NAMES

KNOWN = ("description", "mode", "model", "temperature", "top_p", "steps", "tools", "permission", "prompt")
FOR_THE_EYE = ("name", "color", "hidden")
"""Keys of OpenCode that say how its own screen shows an agent: nothing is lost where there is no such screen."""
WITHOUT_EFFECT = {
    "disable": "every role is needed here; name the offline model for it instead",
    "variant": "name another model in autolab.toml",
    "options": "what a model needs stands in autolab.toml",
}
"""Keys of OpenCode that do nothing here, and what does it instead."""
OLD_NAMES = {"maxSteps": "steps"}
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
        "invalid",
        "glob",
        "grep",
        "list",
        "lsp",
        "multiedit",
        "patch",
        "plan_enter",
        "plan_exit",
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
"""What OpenCode offers its agents: a file written for it may name them, and here they do nothing, but for EDITING."""
EDITING = frozenset(["apply_patch", "edit", "multiedit", "patch", "write"])
"""Of them, what OpenCode puts under its permission `edit`: for a role that edits they mean the tools of EDITORS."""
EDITORS = ("edit_file", "replace_function")
EDITING_ROLES = ("worker", "solo")


@dataclass(frozen=True, slots=True)
class RoleFile:
    """A job description. `tools` says which tools are allowed (true) or taken away (false); others are allowed. `steps`
    is the most replies of a model that a job may take.

    `warnings` are whole sentences about what the file holds and nothing here understands.
    """

    name: str
    description: str
    prompt: str
    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    steps: int | None = None
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
    front = {OLD_NAMES.get(key, key): value for key, value in front.items()}
    prompt, prompt_warnings = _prompt(path, front, body)
    warnings = [*_keys(path, front), *prompt_warnings]
    mode = front.get("mode")
    if mode is not None and mode not in MODES:
        warnings.append(f"{path.name}: `mode` is {mode!r}; known are {', '.join(MODES)}, and all of them work here.")
    tools, more = _tools(path, front)
    return RoleFile(
        name=path.stem,
        description=_text(path, front, "description") or "",
        prompt=prompt,
        model=_text(path, front, "model"),
        temperature=_number(path, front, "temperature", 2.0, "0.7"),
        top_p=_number(path, front, "top_p", 1.0, "0.9"),
        steps=_steps(path, front),
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


def _number(path: Path, front: Mapping[str, Any], key: str, most: float, example: str) -> float | None:
    value = front.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise RoleFileError(f"{path}: `{key}` is {value!r}.", f"Give a number from 0 to {most:g}, such as {example}.")
    return float(value)


def _steps(path: Path, front: Mapping[str, Any]) -> int | None:
    value = front.get("steps")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RoleFileError(f"{path}: `steps` is {value!r}.", "Give a whole number of replies, such as 40.")
    return value


def _prompt(path: Path, front: Mapping[str, Any], body: str) -> tuple[str, list[str]]:
    """The role's prompt: the text of the file, else what `prompt` says or the file beside it that it names."""
    given = _text(path, front, "prompt")
    if body.strip():
        beside = f"{path.name}: `prompt` does nothing, because the text after the front matter is the prompt."
        return body.strip(), [beside] if given else []
    named = re.fullmatch(r"\s*\{file:(.+)\}\s*", given or "")
    if named is not None:
        try:
            given = (path.parent / named[1].strip()).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise RoleFileError(
                f"{path}: `prompt` names a file that cannot be read ({named[1]}).", "Correct it."
            ) from error
    if not given or not given.strip():
        raise RoleFileError(f"The role file {path} has no text after its front matter.", "Write the role's job there.")
    return given.strip(), []


def _keys(path: Path, front: Mapping[str, Any]) -> list[str]:
    """A warning for each key that does nothing here, except for those that only say how OpenCode shows an agent."""
    warnings = []
    for key in front:
        if key in WITHOUT_EFFECT:
            if front[key] not in (None, False, {}):
                warnings.append(f"{path.name}: the key `{key}` does nothing here: {WITHOUT_EFFECT[key]}.")
        elif key not in KNOWN and key not in FOR_THE_EYE:
            warnings.append(_unknown(path, "key", key, KNOWN))
    return warnings


def _tools(path: Path, front: Mapping[str, Any]) -> tuple[dict[str, bool], list[str]]:
    """Which of our tools the file allows or takes away, by `tools` and then `permission`, and the warnings of both."""
    permissions, warnings = _permissions(path, front)
    wishes = [*_switches(path, front), *permissions]
    tools: dict[str, bool] = {}
    own = any(pattern != "*" and fnmatchcase(name, pattern) for pattern, _ in wishes for name in TOOL_NAMES)
    if not own and ("*", False) in wishes:
        # A file written for OpenCode shuts out what it does not name; it cannot have meant tools that it does not know.
        wishes = [wish for wish in wishes if wish[0] != "*"]
        warnings.append(
            f"{path.name}: `*` is shut out and no tool of this lab is named, so the role keeps its own tools."
        )
    for pattern, allowed in wishes:
        meant = _meant(path, pattern)
        tools |= dict.fromkeys(meant, allowed)
        if not meant and pattern not in OPENCODE_TOOLS and "*" not in pattern:
            warnings.append(_unknown(path, "tool", pattern, TOOL_NAMES))
    foreign = [f"`{pattern}`" for pattern, allowed in wishes if pattern in EDITING and not allowed]
    if foreign and _meant(path, "edit") and not any(tools[name] for name in EDITORS):
        warnings.append(
            f"{path.name}: {' and '.join(dict.fromkeys(foreign))} shut out, so the role has no"
            f" {' and no '.join(EDITORS)} and can change nothing."
        )
    return tools, list(dict.fromkeys(warnings))


def _meant(path: Path, pattern: str) -> list[str]:
    """The tools of this lab that a name or a pattern stands for, in the file of a role."""
    if pattern in EDITING:
        return list(EDITORS) if path.stem in EDITING_ROLES else []
    return [name for name in TOOL_NAMES if fnmatchcase(name, pattern)]


def _switches(path: Path, front: Mapping[str, Any]) -> list[tuple[str, bool]]:
    switches = front.get("tools")
    if switches is None:
        return []
    if not isinstance(switches, dict) or not all(isinstance(value, bool) for value in switches.values()):
        raise RoleFileError(
            f"{path}: `tools` must say true or false for each tool.", "Write for example `tools: {read_diff: false}`."
        )
    return [(str(name), value) for name, value in switches.items()]


def _permissions(path: Path, front: Mapping[str, Any]) -> tuple[list[tuple[str, bool]], list[str]]:
    """`deny` takes a tool away, the last rule that fits goes before. `ask` allows it, for nobody is there to be asked.
    And the warnings."""
    given = front.get("permission")
    if given is None:
        return [], []
    permissions = given if isinstance(given, dict) else {"*": given}
    wishes: list[tuple[str, bool]] = []
    warnings: list[str] = []
    for name, value in ((str(name), value) for name, value in permissions.items()):
        for one in value.values() if isinstance(value, dict) else [value]:
            if one not in PERMISSIONS:
                raise RoleFileError(
                    f"{path}: `permission` of {name} is {one!r}.", f"Known are {', '.join(PERMISSIONS)}."
                )
        said = value
        if isinstance(value, dict):
            said, surplus = _as_a_whole(name, value)
            if surplus:
                warnings.append(
                    f"{path.name}: `permission` of `{name}` has rules for {', '.join(surplus)}, which do nothing here:"
                    " a tool is allowed as a whole or not at all."
                )
        if said == "deny":
            wishes.append((name, False))
        elif said is not None:
            # What a rule before it denied is back; what `tools` took away is not.
            denied = {tool for pattern, _ in wishes for tool in _meant(path, pattern)}
            back = [tool for tool in _meant(path, name) if tool in denied]
            wishes += [(name, True)] if name in EDITING and back else [(tool, True) for tool in back]
    return wishes, warnings


def _as_a_whole(name: str, rules: Mapping[Any, str]) -> tuple[str | None, list[str]]:
    """What the rules for single uses of a tool come to for the whole tool, None for nothing, and which patterns have no
    effect. Rules for what OpenCode alone has, such as those of `bash`, are left to it; of those for files that it edits
    one that allows is enough, since what a lab lets its agents edit is the target's to say."""
    if name in EDITING:
        return ("deny" if all(rule == "deny" for rule in rules.values()) else "allow"), []
    if not any(fnmatchcase(tool, name) for tool in TOOL_NAMES):
        return None, []
    return rules.get("*"), [f"`{pattern}`" for pattern in rules if pattern != "*"]


def _unknown(path: Path, kind: str, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"{path.name}: the {kind} `{name}` is not known and does nothing.{hint}"


def _restore(path: Path) -> str:
    return f"Restore it with `git checkout roles/{path.name}`."
