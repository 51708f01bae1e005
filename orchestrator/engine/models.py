"""From the names in `autolab.toml` to chat models."""

from __future__ import annotations

from orchestrator.errors import LabError
from orchestrator.settings import ROLES, ModelSection, Settings
from roles.chat import ChatModel
from roles.offline import OfflineModel
from roles.openai_model import OpenAIModel


def make_model(name: str, section: ModelSection, seed: int = 0) -> ChatModel:
    """The chat model of [models.NAME]. `seed` is for the offline model's tuner."""
    match section.kind:
        case "offline":
            return OfflineModel(seed=seed)
        case "openai":
            assert section.base_url and section.model  # settings have checked
            return OpenAIModel(
                name=name,
                base_url=section.base_url,
                model=section.model,
                api_key_env=section.api_key_env,
                timeout_seconds=section.timeout_seconds,
            )


def models_of_team(settings: Settings) -> dict[str, ChatModel]:
    """One model for every role; roles that name the same model share it."""
    made: dict[str, ChatModel] = {}
    for role in ROLES:
        name = settings.team.model_of(role)
        if name not in settings.models:
            raise LabError(f"The team's {role} names the model {name!r}, which is not there.", f"Add [models.{name}].")
        if name not in made:
            made[name] = make_model(name, settings.models[name])
    return {role: made[settings.team.model_of(role)] for role in ROLES}
