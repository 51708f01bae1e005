"""From the names in `autolab.toml` to chat models."""

from __future__ import annotations

from orchestrator.settings import ModelSection, Settings
from roles.chat import ChatModel
from roles.offline import OfflineModel
from roles.openai_model import RETRIES, OpenAIModel
from roles.prices import Prices
from roles.role_file import RoleFile


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
                context_tokens=section.context_tokens,
                prices=Prices(section.price_in, section.price_out),
                tool_mode=section.tool_mode,
                requests_per_minute=section.requests_per_minute,
                tokens_per_minute=section.tokens_per_minute,
            )


def models_of_role(settings: Settings, role: RoleFile) -> tuple[list[ChatModel], str]:
    """The models that play a role, the first to be asked first, and a warning for people ("" for none).

    The role file's own `model` goes before the team's, if autolab.toml knows it; its temperature goes along.
    """
    names, warning = settings.team.models_of(role.name), ""
    if role.model in settings.models:
        names = [role.model, *(name for name in names if name != role.model)]
    elif role.model is not None:
        told = " or ".join(repr(name) for name in names)
        warning = f"{role.name}.md names the model {role.model!r}, which autolab.toml does not have; {told} plays it"
    return [make_model(name, settings.models[name], role.temperature, top_p=role.top_p) for name in names], warning
