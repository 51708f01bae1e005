"""From the names in `autolab.toml` to chat models."""

from __future__ import annotations

from orchestrator.settings import ModelSection, Settings
from roles.chat import ChatModel
from roles.offline import OfflineModel
from roles.openai_model import OpenAIModel
from roles.role_file import RoleFile


def make_model(name: str, section: ModelSection, temperature: float | None = None) -> ChatModel:
    """The chat model of [models.NAME]; the offline one has no use for a temperature."""
    match section.kind:
        case "offline":
            return OfflineModel()
        case "openai":
            assert section.base_url and section.model  # settings have checked
            return OpenAIModel(
                name=name,
                base_url=section.base_url,
                model=section.model,
                api_key_env=section.api_key_env,
                timeout_seconds=section.timeout_seconds,
                temperature=temperature,
            )


def model_of_role(settings: Settings, role: RoleFile) -> tuple[ChatModel, str]:
    """The model that plays a role, and a warning for people ("" for none).

    The role file's own `model` goes before the team's, if autolab.toml knows it; its temperature goes along.
    """
    name, warning = settings.team.model_of(role.name), ""
    if role.model in settings.models:
        name = role.model
    elif role.model is not None:
        warning = f"{role.name}.md names the model {role.model!r}, which autolab.toml does not have; {name!r} plays it"
    return make_model(name, settings.models[name], role.temperature), warning
