"""From the names in `autolab.toml` to chat models, and to how a role is played."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.settings import ModelSection, Settings
from orchestrator.team_settings import SOLO, Team
from roles.chat import ChatModel
from roles.limits import Limits
from roles.offline.model import OfflineModel
from roles.openai_model import RETRIES, OpenAIModel
from roles.prices import Prices
from roles.role_file import RoleFile

SOLO_REPLIES = 40
"""Replies of a model for each experiment of a conversation that does everything."""


def make_model(
    name: str,
    section: ModelSection,
    temperature: float | None = None,
    *,
    top_p: float | None = None,
    retries: int = RETRIES,
) -> ChatModel:
    """The chat model of [models.NAME]; the offline one has no use for a temperature."""
    match section.kind:
        case "offline":
            return OfflineModel()
        case "openai":
            assert section.address and section.model  # settings have checked
            return OpenAIModel(
                name=name,
                base_url=section.address,
                model=section.model,
                api_key_env=section.key_variable,
                timeout_seconds=section.timeout_seconds,
                longest_seconds=section.longest_seconds,
                retries=retries,
                temperature=temperature,
                top_p=top_p,
                max_tokens=section.max_tokens,
                context_tokens=section.window,
                prices=Prices(section.price_in, section.price_out),
                tool_mode=section.tool_mode,
                requests_per_minute=section.requests_per_minute,
                tokens_per_minute=section.tokens_per_minute,
            )


NO_IDEAS = (
    "The built-in model's ideas are for the train.py that comes with Autolab; of this program it can at most set"
    " constants that are called alike: name a language model in autolab.toml, or add patches of your own with"
    " `autolab add`."
)


def without_ideas(settings: Settings) -> str:
    """NO_IDEAS where the built-in model plays a role for a program of somebody's own; else empty."""
    names = {names[0] for team in settings.teams_at_work for names in team.models.values() if names}
    built_in = any(settings.model_section(name).kind == "offline" for name in names)
    return NO_IDEAS if built_in and settings.optimised().self_reported else ""


def names_of_role(settings: Settings, team: Team, role: RoleFile) -> tuple[list[str], str]:
    """The names of the models that play a role, the first to be asked first, and a warning for people ("" for none).

    The role file's own `model` goes before [team]'s, if autolab.toml knows it, but not before what a team's own section
    says.
    """
    names, warning = list(team.models[role.name]), ""
    if role.model is not None and role.name not in team.decided:
        if role.model in settings.models:
            names = [role.model, *(name for name in names if name != role.model)]
        else:
            told = " or ".join(repr(name) for name in names)
            warning = (
                f"{role.name}.md names the model {role.model!r}, which autolab.toml does not have; {told} plays it"
            )
    return names, warning


def models_of_role(settings: Settings, team: Team, role: RoleFile) -> tuple[list[ChatModel], str]:
    """The models of these names, and the warning. The section's temperature goes before the role file's."""
    names, warning = names_of_role(settings, team, role)
    given = team.limits[role.name].temperature
    temperature = role.temperature if given is None else given
    made = [make_model(name, settings.model_section(name), temperature, top_p=role.top_p) for name in names]
    return made, warning


def limits_of(team: Team, role: RoleFile) -> Limits:
    """Where the jobs of a role end that do not end by themselves; what the team's section says goes before the file."""
    given, limits = team.limits[role.name], Limits()
    if role.name == SOLO:
        limits = replace(limits, calls=SOLO_REPLIES * team.wave)
    if role.steps:
        limits = replace(limits, calls=role.steps)
    named = {
        "calls": given.replies,
        "nudges": given.nudges,
        "refusals": given.refusals,
        "same_calls": given.repeats,
        "looks": given.looks,
        "fresh_contexts": given.fresh_contexts,
    }
    return replace(limits, **{key: value for key, value in named.items() if value is not None})
