"""Keys of models that an environment lacks, told where a lab is started: its daemon keeps that environment."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.lab import Lab
from orchestrator.settings import Settings
from orchestrator.team.models import names_of_role
from orchestrator.team.role_files import load_role
from roles.api_key import AGAIN


def keys_not_set(lab: Lab, settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """A sentence for each model that a role of a team at work uses and whose key is not there. Raises LabError."""
    used: dict[str, list[str]] = {}
    for team in settings.teams_at_work:
        for role in team.kind.roles:
            for name in names_of_role(settings, team, load_role(lab, role))[0]:
                used.setdefault(name, []).append(team.agent(role))
    lacking = {
        name: variable
        for name in used
        if (variable := settings.model_section(name).key_variable) and not environment.get(variable, "").strip()
    }
    return [
        f"The model {name} ({', '.join(used[name])}) needs a key in the environment variable {variable}, which is not"
        f" set. Set it. {AGAIN}"
        for name, variable in lacking.items()
    ]
