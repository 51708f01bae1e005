"""`autolab.toml`: every key known, typed and checked; an unknown key is an error that names the nearest known one."""

from __future__ import annotations

import difflib
import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, ValidationError

from orchestrator.errors import LabError
from orchestrator.evidence import Rule
from orchestrator.given import told
from orchestrator.store.records import Level
from orchestrator.targets.target import NanogptTarget, Target, check_apart, script_target
from orchestrator.team_settings import (
    OFFLINE,
    NamedTeamSection,
    Section,
    Team,
    TeamSection,
    models_named,
    teams_of,
)

Profile = Literal["gpu", "cpu"]
SCRIPT_KEYS = ("command", "metric", "direction", "progress", "timeout_seconds", "readable", "environment")
NEEDED_SCRIPT_KEYS = ("command", "metric", "direction", "timeout_seconds")


class LabSection(Section):
    profile: Profile
    slots: Literal["auto"] | PositiveInt = "auto"
    share_gpus: bool = False  # whether runs start on a GPU that others use
    teams: list[str] | None = None  # those at work; None: every [teams.NAME], or the one [team]


class TargetSection(Section):
    """What is optimised (orchestrator.targets). The keys of a script are for kind "script" alone."""

    kind: Literal["nanogpt", "script"] = "nanogpt"
    editable: list[str] = Field(default=["train.py"], min_length=1)
    protected: list[str] = Field(default=["prepare.py"])
    command: list[str] | None = None
    metric: str | None = None
    direction: Literal["minimise", "maximise"] | None = None
    progress: str | None = None
    timeout_seconds: PositiveFloat | None = None
    readable: list[str] | None = None
    environment: dict[str, str] | None = None


class RunSection(Section):
    """Seconds are wall seconds, except `budget_seconds` and `grace_seconds`, which follow the profile's clock."""

    budget_seconds: PositiveFloat
    startup_seconds: PositiveFloat = 120
    grace_seconds: PositiveFloat = 0.5
    hang_seconds: PositiveFloat = 60
    scoring_seconds: PositiveFloat = 120
    memory_gib: float = Field(default=0, ge=0)
    disk_gib: PositiveFloat = 8
    log_kib: PositiveInt = 4096
    sandbox: Literal["auto", "off"] = "auto"
    smoke_run: Literal["auto", "on", "off"] = "auto"


class PromotionSection(Section):
    rule: Rule = "sequential"
    simplification: bool = False


class StoppingSection(Section):
    """Early stopping of screening runs; see orchestrator.stopping. `limit` and `audited` are shares."""

    enabled: bool = True
    limit: float = Field(default=0.05, gt=0, lt=0.5)
    audited: float = Field(default=0.1, gt=0, le=1)


class AlertsSection(Section):
    """Where alerts go beside the Trackio project; the URL is a secret and stands in the environment alone."""

    webhook_url_env: str | None = None
    level: Literal["info", "warn", "error"] = "warn"

    @property
    def lowest(self) -> Level:
        return Level(self.level)


PRESETS: dict[str, tuple[str, str | None]] = {
    "huggingface": ("https://router.huggingface.co/v1", "HF_TOKEN"),
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "vllm": ("http://127.0.0.1:8000/v1", None),
    "llama.cpp": ("http://127.0.0.1:8080/v1", None),
    "ollama": ("http://127.0.0.1:11434/v1", None),
}
"""Where these serve, and the environment variable that holds the key."""

SILENT_WINDOWS = {"ollama": 4096}
"""Tokens that a server of a preset keeps of a prompt unless it is told otherwise: it cuts the rest without an error."""


class ModelSection(Section):
    """A chat model; everything but `kind` is for kind "openai". Prices are per million tokens, in your currency; a
    limit of 0 is none, and is shared by all agents of the model."""

    kind: Literal["offline", "openai"]
    preset: Literal["huggingface", "openai", "vllm", "llama.cpp", "ollama"] | None = None
    base_url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    timeout_seconds: PositiveFloat = 120
    longest_seconds: PositiveFloat = 1800
    context_tokens: PositiveInt | None = None
    max_tokens: PositiveInt | None = None
    tool_mode: Literal["auto", "native", "text"] = "auto"
    requests_per_minute: int = Field(default=0, ge=0)
    tokens_per_minute: int = Field(default=0, ge=0)
    price_in: float = Field(default=0, ge=0)
    price_out: float = Field(default=0, ge=0)

    @property
    def address(self) -> str | None:
        return self.base_url or (PRESETS[self.preset][0] if self.preset else None)

    @property
    def window(self) -> int | None:
        """The tokens of its window; None where the server tells in an error that they are used up."""
        return self.context_tokens or SILENT_WINDOWS.get(self.preset or "")

    @property
    def key_variable(self) -> str | None:
        return self.api_key_env or (PRESETS[self.preset][1] if self.preset else None)


_BUILT_IN = {OFFLINE: ModelSection(kind="offline")}


class Settings(Section):
    lab: LabSection
    target: TargetSection = TargetSection()
    run: RunSection
    promotion: PromotionSection = PromotionSection()
    early_stopping: StoppingSection = StoppingSection()
    alerts: AlertsSection = AlertsSection()
    models: dict[str, ModelSection] = Field(default_factory=dict)
    team: TeamSection = TeamSection()
    teams: dict[str, NamedTeamSection] = Field(default_factory=dict)

    @cached_property
    def teams_at_work(self) -> tuple[Team, ...]:
        """Every team that works in this lab, in the file's order. Raises LabError that names the key."""
        return teams_of(self.team, self.teams, self.lab.teams)

    @property
    def team_names(self) -> str:
        """The teams at work in a few words, for people."""
        return ", ".join(team.name for team in self.teams_at_work)

    def model_section(self, name: str) -> ModelSection:
        """[models.NAME]; the built-in model needs no section."""
        return self.models[name] if name in self.models else _BUILT_IN[name]

    def optimised(self) -> Target:
        """The target that the section describes. Raises LabError that names the key."""
        section = self.target
        editable, protected = tuple(section.editable), tuple(section.protected)
        if section.kind == "nanogpt":
            surplus = [key for key in SCRIPT_KEYS if getattr(section, key) is not None]
            if surplus:
                raise LabError(
                    f'target.{surplus[0]} is for kind "script", and target.kind is "nanogpt".',
                    'Take it out, or set kind = "script".',
                )
            check_apart(editable, protected)
            return NanogptTarget(editable, protected)
        missing = [key for key in NEEDED_SCRIPT_KEYS if getattr(section, key) is None]
        missing += [key for key in ("editable", "protected") if key not in section.model_fields_set]
        if missing:
            raise LabError(
                f'target.{missing[0]} is missing, and kind "script" needs it.',
                "Add it; `autolab init --from REPO` in a new place shows every key explained.",
            )
        return script_target(
            command=tuple(section.command or ()),
            editable=editable,
            protected=protected,
            metric=section.metric or "",
            direction=section.direction or "",
            progress=section.progress or "",
            budget_seconds=self.run.budget_seconds,
            timeout_seconds=section.timeout_seconds or 0,
            readable=tuple(section.readable or ()),
            environment=section.environment,
        )


def read_settings(path: Path) -> Settings:
    """The settings of a lab. Raises LabError with the key, what is wrong with it and what to do."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path} cannot be read ({error}).", "Restore it with `git checkout autolab.toml`.") from error
    return settings_from(text, path)


def settings_from(text: str, path: Path) -> Settings:
    """The settings that a text stands for; `path` is what errors name. Raises LabError as `read_settings` does."""
    try:
        values = tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        raise LabError(f"{path} is not valid TOML: {error}.", _remedy_of(str(error))) from error
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise _settings_error(path, error) from error
    _check_models(path, settings)
    _check_variable(path, "alerts.webhook_url_env", settings.alerts.webhook_url_env, "URL")
    try:
        _ = settings.teams_at_work
        settings.optimised()
    except LabError as error:
        raise LabError(f"{path.name}: {error.sentence}", error.remedy) from error
    return settings


_TWICE = re.compile(r"Cannot declare \((.+?),?\) twice")


def _remedy_of(said: str) -> str:
    """What helps against an error of the parser."""
    if twice := _TWICE.match(said):
        table = ".".join(part.strip("'\"") for part in twice[1].split(", "))
        return f"A table stands in the file once: put its keys into the [{table}] that is there before this one."
    if said.startswith("Cannot overwrite a value"):
        return "A key stands in its table once: change the line that is there already, and take out the other."
    return "Correct that line and try again."


def _settings_error(path: Path, error: ValidationError) -> LabError:
    # A misspelt key is both unknown and missing: the unknown one tells more.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    where = [str(part) for part in first["loc"]]
    key = ".".join(where)
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(where[-1], _known_keys(where[:-1]), n=1, cutoff=0.4)
        remedy = f"Did you mean `{near[0]}`?" if near else "Take it out."
        return LabError(f"{path.name} has an unknown key `{key}`.", remedy)
    if first["type"] == "missing":
        return LabError(
            f"{path.name} lacks the key `{key}`.", "Add it; `autolab init` in a new place shows it explained."
        )
    key = _UNION_MEMBER.sub("", key)
    alike = [one for one in error.errors() if _UNION_MEMBER.sub("", ".".join(map(str, one["loc"]))) == key]
    wanted = " or ".join(dict.fromkeys(_wanted(one["msg"]) for one in alike))
    should_be = "it must be " if first["msg"].startswith("Input should be ") else ""
    return LabError(
        f"{path.name}: `{key}` is {told(repr(first['input']))}: {should_be}{wanted}.", "Correct it and try again."
    )


def _wanted(message: str) -> str:
    """What the library asks for, in the words of a person."""
    words = message.lower().removeprefix("input should be ")
    kinds = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
    return next((kind for name, kind in kinds.items() if words.startswith(f"a valid {name}")), words)


_UNION_MEMBER = re.compile(r"\.(?:literal\[[^]]*\]|int|float|str|bool|constrained-\w+|function-\w+\[.*)$")
"""Of where an error is: which of several kinds was tried, behind the key."""


def _known_keys(where: list[str]) -> list[str]:
    """The keys of the section at `where`: down the models by their fields, and through tables by any name."""
    section: type[BaseModel] = Settings
    parts = list(where)
    while parts:
        field = section.model_fields.get(parts.pop(0))
        if field is None:
            return []
        kind = field.annotation
        inside = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel)]
        if not inside:
            return []
        if get_origin(kind) is dict and parts:  # a table of sections: the next part is a name
            parts.pop(0)
        section = inside[0]
    return list(section.model_fields)


def _check_models(path: Path, settings: Settings) -> None:
    named = models_named("team", settings.team)
    for team, section in settings.teams.items():
        named += models_named(f"teams.{team}", section)
    for key, name in named:
        if name not in settings.models and name not in _BUILT_IN:
            known = ", ".join(sorted({*settings.models, *_BUILT_IN}))
            raise LabError(
                f"{path.name}: {key} names the model {name!r}, which is not there.",
                f"Add [models.{name}] or name one of: {known}.",
            )
    for name, model in settings.models.items():
        surplus = sorted(model.model_fields_set - {"kind"}) if model.kind == "offline" else []
        if surplus:
            raise LabError(
                f'{path.name}: models.{name}.{surplus[0]} is for kind "openai", and this one is "offline".',
                'Take it out, or set kind = "openai".',
            )
        if model.kind == "openai" and not (model.address and model.model):
            raise LabError(
                f"{path.name}: models.{name} needs model, and base_url or preset.", "Add the key that is missing."
            )
        _check_variable(path, f"models.{name}.api_key_env", model.api_key_env, "key")
        _check_address(path, f"models.{name}.base_url", model.base_url)


def _check_address(path: Path, key: str, address: str | None) -> None:
    """What stands beside host and path may be a secret, and git keeps this file: it is not repeated."""
    if address is None:
        return
    try:
        parts = urlsplit(address)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        parts, whole = None, False
    if parts is not None and (parts.username is not None or parts.query or parts.fragment or "@" in parts.netloc):
        raise LabError(
            f"{path.name}: {key} holds more than an address: a name, a password or a key that everybody could read.",
            "Put it into your environment and the variable's name into api_key_env; leave the bare address here.",
        )
    if not whole:
        raise LabError(f"{path.name}: {key} is no http or https address.", 'Write it like "http://127.0.0.1:8000/v1".')


def _check_variable(path: Path, key: str, variable: str | None, secret: str) -> None:
    """What is no name of a variable may be the secret itself: it is not repeated."""
    if variable is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise LabError(
            f"{path.name}: {key} is no name of an environment variable.",
            f"Put the {secret} itself into your environment, and only the variable's name here.",
        )
