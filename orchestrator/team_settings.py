"""The sections of `autolab.toml` that describe teams, and what they come to: the teams at work.

`[team]` holds what every team shares; alone in a lab it is the one team. `[lab] teams` names the teams that compete, of
`[teams.NAME]` or of READY; a team's own section goes before `[team]`, key by key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator
from pydantic_core import PydanticCustomError

from orchestrator.errors import LabError

ROLES = ("researcher", "planner", "worker", "reviewer", "reporter")
SOLO = "solo"
"""The role that does everything in one conversation, and the ready-made team that is nothing else."""

ROLE_FILES = (*ROLES, SOLO)

OFFLINE = "offline"
"""The built-in model, and the ready-made team that has no other: the control arm."""

MOST = 10**12
"""The largest number of any setting: tokens, seconds, whatever it counts."""

LONGEST_NAME = 32
PERSON = "person"
"""What stands in place of a team where a person has asked for an experiment."""

TAKEN = frozenset({*ROLES, PERSON, "none", "all", "autolab"})
"""Words that mean somebody else where a team's name may stand."""


class TeamKind(StrEnum):
    SPECIALISTS = "specialists"  # five roles share the work
    SOLO = "solo"  # one conversation does everything

    @property
    def roles(self) -> tuple[str, ...]:
        return ROLES if self is TeamKind.SPECIALISTS else (SOLO,)


class Section(BaseModel):
    """A section of the file: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _within_reason(cls, value: Any) -> Any:
        """Numbers that clocks, counters and the database can hold."""
        if isinstance(value, int | float) and value > MOST:
            raise PydanticCustomError("too_large", "Input should be at most 10^12")
        return value


class RoleLimits(Section):
    """How one role is played; what is not given is the role file's, or the loop's own (roles.limits)."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    replies: PositiveInt | None = None  # of a model, in one job
    nudges: int | None = Field(default=None, ge=0)  # in a row, after replies without a call
    refusals: PositiveInt | None = None  # replies in a row of which every call was refused
    repeats: PositiveInt | None = None  # times that one call may be answered with the same text
    looks: PositiveInt | None = None  # replies in a row that only look
    fresh_contexts: int | None = Field(default=None, ge=0)  # after a context that led nowhere


class RolesSection(Section):
    researcher: RoleLimits | None = None
    planner: RoleLimits | None = None
    worker: RoleLimits | None = None
    reviewer: RoleLimits | None = None
    reporter: RoleLimits | None = None
    solo: RoleLimits | None = None


class SharedTeamKeys(Section):
    """For each role the name of a model, or several to fall back along. Budgets: 0 is no limit."""

    model: str | list[str] | None = None
    researcher: str | list[str] | None = None
    planner: str | list[str] | None = None
    worker: str | list[str] | None = None
    reviewer: str | list[str] | None = None
    reporter: str | list[str] | None = None
    solo: str | list[str] | None = None
    roles: RolesSection | None = None
    workers: Literal["auto"] | PositiveInt = "auto"
    patch_ahead: int = Field(default=2, ge=0)
    wave: PositiveInt = 5
    repairs: int = Field(default=2, ge=0)
    plateau: PositiveInt = 20
    budget_tokens: int = Field(default=0, ge=0)
    budget_money: float = Field(default=0, ge=0)
    budget_hours: float = Field(default=0, ge=0)


class TeamSection(SharedTeamKeys):
    """`[team]`: what every team shares; the one team of a lab that names no others."""

    name: str | None = Field(default=None, min_length=1)


class NamedTeamSection(SharedTeamKeys):
    """`[teams.NAME]`: what is this team's own."""

    kind: Literal["specialists", "solo"] = "specialists"
    share: PositiveFloat = 1.0  # of slot time, against the other teams' shares
    own_master: bool = False


READY: Mapping[str, Mapping[str, Any]] = {
    "specialists": {},
    SOLO: {"kind": "solo"},
    OFFLINE: {"model": OFFLINE},
}
"""Teams that need no section of their own."""


@dataclass(frozen=True, slots=True)
class Team:
    """One team at work, every key resolved."""

    name: str
    kind: TeamKind
    models: Mapping[str, tuple[str, ...]]  # by role, the first to be asked first
    decided: frozenset[str]  # roles whose model is this very team's choice: a role file's own does not go before it
    limits: Mapping[str, RoleLimits]  # by role
    workers: Literal["auto"] | int
    patch_ahead: int
    wave: int
    repairs: int
    plateau: int
    budget_tokens: int
    budget_money: float
    budget_hours: float
    share: float
    own_master: bool
    alone: bool  # no other team is at work

    @property
    def line(self) -> str:
        """Whose master it works on: its own, by its name, or the lab's ("")."""
        return self.name if self.own_master else ""

    def key(self, word: str) -> str:
        """The name of a fact of this team in the table `meta`; a team alone keeps the lab's own."""
        return word if self.alone else f"{word}:{self.name}"

    def agent(self, word: str) -> str:
        """What an agent of this team is called: `worker-1`, and beside other teams `specialists.worker-1`."""
        return word if self.alone else f"{self.name}.{'agent' if word == SOLO else word}"


def teams_of(shared: TeamSection, named: Mapping[str, NamedTeamSection], chosen: list[str] | None) -> tuple[Team, ...]:
    """The teams at work. Raises LabError whose sentence names the key."""
    names = list(named) if chosen is None else chosen
    if chosen is None and not named:
        return (_resolved(None, shared, {}, alone=True),)
    if shared.name is not None:
        raise LabError(
            "team.name is for a lab whose one team is [team], and this one names its teams.",
            "Take it out: [team] holds what all teams share.",
        )
    if not names:
        raise LabError("lab.teams names no team.", f"Name some of: {', '.join([*READY, *named])}.")
    for name in names:
        _check_name(name, named)
        if names.count(name) > 1:
            raise LabError(f"lab.teams names {name!r} twice.", "Name each team once.")
    alone = len(names) == 1
    return tuple(_resolved(name, shared, _own(name, named), alone=alone) for name in names)


def _check_name(name: str, named: Mapping[str, NamedTeamSection]) -> None:
    if name not in named and name not in READY:
        known = sorted({*READY, *named})
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}? Else a" if near else "A"
        raise LabError(
            f"lab.teams names the team {name!r}, which is not there.",
            f"{hint}dd [teams.{name}], or name one of: {', '.join(known)}.",
        )
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or len(name) > LONGEST_NAME or name in TAKEN:
        raise LabError(
            f"{name!r} cannot be the name of a team.",
            f"Use at most {LONGEST_NAME} small letters, digits, - and _, and none of the words"
            f" {', '.join(sorted(TAKEN))}.",
        )


def _own(name: str, named: Mapping[str, NamedTeamSection]) -> dict[str, Any]:
    """A team's own keys: what its section gives, over what it comes ready with."""
    given = named[name].model_dump(exclude_unset=True) if name in named else {}
    return {**READY.get(name, {}), **given}


def _resolved(name: str | None, shared: TeamSection, own: Mapping[str, Any], *, alone: bool) -> Team:
    where = "team" if name is None else f"teams.{name}"
    kind = TeamKind(own.get("kind", "specialists"))
    given = shared.model_dump(exclude_unset=True)
    _check_roles(where, kind, own)
    models = {role: _models(where, role, own, given) for role in kind.roles}
    if name == OFFLINE and any(listed != (OFFLINE,) for listed in models.values()):
        raise LabError(
            f"{where} is the control arm, and names a model other than {OFFLINE!r}.",
            "Give that team another name: [teams.mine], and name it in lab.teams.",
        )
    values = NamedTeamSection.model_validate(
        {key: value for key, value in {**given, **own}.items() if key in NamedTeamSection.model_fields}
    )
    if name is None:
        only_offline = all(listed == (OFFLINE,) for listed in models.values())
        name = shared.name or (OFFLINE if only_offline else str(kind))
    return Team(
        name=name,
        kind=kind,
        models=models,
        decided=frozenset(role for role in kind.roles if own.get(role) or own.get("model")),
        limits={role: _limits(role, own, given) for role in kind.roles},
        **{key: getattr(values, key) for key in _TAKEN_OVER},
        alone=alone,
    )


_TAKEN_OVER = (
    *("workers", "patch_ahead", "wave", "repairs", "plateau", "budget_tokens", "budget_money", "budget_hours"),
    *("share", "own_master"),
)


def _check_roles(where: str, kind: TeamKind, own: Mapping[str, Any]) -> None:
    """A key of a role that this kind of team does not have would do nothing."""
    foreign = [role for role in (*ROLES, SOLO) if role not in kind.roles]
    for role in foreign:
        if role in own or role in (own.get("roles") or {}):
            key = role if role in own else f"roles.{role}"
            raise LabError(
                f'{where}.{key} is for another kind of team: this one is of kind "{kind}".',
                f"Its roles are: {', '.join(kind.roles)}.",
            )


def _models(where: str, role: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    """The nearest naming wins: the team's own role, its own `model`, then [team]'s role and `model`."""
    for section, keys, label in ((own, (role, "model"), where), (given, (role, "model"), "team")):
        for key in keys:
            named = section.get(key)
            if named is None:
                continue
            listed = (named,) if isinstance(named, str) else tuple(named)
            if not listed:
                raise LabError(f"{label}.{key} names no model.", "Name one of [models.NAME].")
            return listed
    raise LabError(
        f"{where}.{role} is missing, and there is no model for every role either.",
        f'Add model = "NAME" to [{where}], with a name of [models.NAME] or "{OFFLINE}".',
    )


def _limits(role: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> RoleLimits:
    shared, nearer = (section.get("roles", {}).get(role, {}) for section in (given, own))
    return RoleLimits.model_validate({**shared, **nearer})


def models_named(label: str, section: SharedTeamKeys) -> list[tuple[str, str]]:
    """Every model that a section names, with the key that names it."""
    found: list[tuple[str, str]] = []
    for key in ("model", *ROLES, SOLO):
        named = getattr(section, key)
        listed = [] if named is None else [named] if isinstance(named, str) else list(named)
        found += [(f"{label}.{key}", name) for name in listed]
    return found
